"""The cheap look: key frames only, only those in which something moved, only heads that are large
enough; where the appearance may be searched, also where bodies are, to compare their clothes with
the subject's once these are known.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from data_contracts.camera import Camera
from data_contracts.tables.contracts import CANDIDATES, DETECTIONS
from models.geometry import best_of_each
from models.interface import Boxes
from tasks.consent.authorise import require
from tasks.footage.reading import Frame
from tasks.footage.segment import SegmentInput, SegmentReport
from tasks.ground.position import Locator
from tasks.observe.face import Face, expected_face_px, find_faces
from tasks.observe.follow import people_rows
from tasks.observe.match import SubjectSearch, match
from tasks.observe.motion import MotionGate, MotionSettings


class ScanResult(NamedTuple):
    """`candidates` (contract CANDIDATES), `bodies` (contract DETECTIONS, without faces) and
    `report` (contract SEGMENT_REPORTS).
    """

    candidates: pd.DataFrame
    bodies: pd.DataFrame
    report: pd.DataFrame


def scan_segment(
    segment: SegmentInput, search: SubjectSearch, settings: MotionSettings | None = None
) -> ScanResult:
    """Faces in one segment that are proposed as the subject's, and masked ones that may add up to
    it; without the face scope no face is
    looked for. Where bodies stand, under the appearance scope only: nothing of them is compared
    here.

    Frames outside the granted time are not looked at; what cannot be seen is told by the report.
    Raises NotAuthorised where consent and approval do not name this camera.
    """
    camera = segment.camera
    require(search.case, camera_id=camera.camera_id)
    by_face = "face" in search.case.scopes
    by_looks = "appearance" in search.case.scopes
    locator = Locator(camera) if by_looks and camera.homography is not None else None
    gate = MotionGate(settings or MotionSettings())
    rows = []
    bodies = []
    report = SegmentReport(segment, search.case.span)
    for frame in report.pictures():
        if not (by_face or by_looks) or not gate.moved(frame.image):
            continue
        people = best_of_each(search.models.person.detect([frame.image])[0])
        if by_face:
            rows += _found_faces(camera, frame, people, search)
        if by_looks:
            bodies += people_rows(camera, frame.t_utc, people, locator)
    return ScanResult(CANDIDATES.shape(rows), DETECTIONS.shape(bodies), report.table())


def _found_faces(
    camera: Camera, frame: Frame, people: Boxes, search: SubjectSearch
) -> list[dict[str, Any]]:
    models = search.models
    boxes = np.asarray(people.xyxy, float)[people.score >= models.person_scores.looked_at]
    least = models.calibration.min_face_px
    if not np.any(expected_face_px(boxes) >= 0.75 * least):
        return []
    faces = find_faces(frame.image, boxes, models.face, least)
    verdicts = match(search, [frame.image] * len(faces), faces)
    return [
        _row(camera, frame, face, float(p), float(llr))
        for face, p, llr in zip(faces, verdicts.subject_p, verdicts.masked_llr, strict=True)
        if not (np.isnan(p) and np.isnan(llr))
    ]


def _row(
    camera: Camera, frame: Frame, face: Face, probability: float, masked_llr: float
) -> dict[str, Any]:
    # The head is about twice as wide as the detected face and reaches half a face above it.
    width = face.xyxy[2] - face.xyxy[0]
    height = face.xyxy[3] - face.xyxy[1]
    return {
        "camera_id": camera.camera_id,
        "t_utc": frame.t_utc,
        "x0": face.xyxy[0] - width / 2,
        "y0": face.xyxy[1] - height / 2,
        "x1": face.xyxy[2] + width / 2,
        "y1": face.xyxy[3] + height / 4,
        "face_px": face.width_px,
        "subject_p": probability,
        "masked_llr": masked_llr,
    }
