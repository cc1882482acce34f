"""The cheap look: key frames only, only those in which something moved, only heads that are large
enough.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from data_contracts.authorisation import AuthorisedCase
from data_contracts.camera import Camera
from data_contracts.errors import VideoUnreadable
from data_contracts.policy import SearchSettings
from data_contracts.record import Record
from data_contracts.tables.contracts import CANDIDATES
from models.geometry import best_of_each
from tasks.consent.authorise import require
from tasks.footage.segment import SegmentReport, fitted
from tasks.footage.video import Frame, key_frames
from tasks.observe.face import Face, expected_face_px, find_faces
from tasks.observe.match import match
from tasks.observe.template import SubjectTemplate

if TYPE_CHECKING:
    from models.registry import Models


class ScanSettings(Record):
    """How to look. Motion: a change of `motion_levels` grey levels in `motion_share` of a picture
    `motion_width` wide.

    Sensor noise after shrinking to 160 px is below 3 levels; a head large enough to compare covers
    over 0.1 %.
    """

    motion_width: int = Field(default=160, ge=32)
    motion_levels: float = Field(default=10.0, gt=0)
    motion_share: float = Field(default=0.0005, gt=0, lt=1)


class ScanResult(NamedTuple):
    """`candidates` (contract CANDIDATES) and `report` (one row of SEGMENT_REPORTS)."""

    candidates: pd.DataFrame
    report: pd.DataFrame


class MotionGate:
    """Lets a picture pass when it differs from the last one that passed; a change of light alone
    does not count.
    """

    def __init__(self, settings: ScanSettings) -> None:
        self._settings = settings
        self._last: NDArray[np.float32] | None = None

    def moved(self, image: NDArray[np.uint8]) -> bool:
        """Whether something moved since the last picture for which this was True; always True for
        the first.
        """
        height = max(1, round(image.shape[0] * self._settings.motion_width / image.shape[1]))
        small = cv2.resize(
            image, (self._settings.motion_width, height), interpolation=cv2.INTER_AREA
        )
        grey = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY).astype(np.float32)
        if self._last is not None:
            change = grey - self._last
            change -= np.median(change)
            if np.mean(np.abs(change) > self._settings.motion_levels) < self._settings.motion_share:
                return False
        self._last = grey
        return True


def scan_segment(
    case: AuthorisedCase,
    camera: Camera,
    key: str,
    start_utc: datetime,
    data: bytes,
    template: SubjectTemplate,
    models: Models,
    search: SearchSettings,
    settings: ScanSettings | None = None,
) -> ScanResult:
    """Faces in one segment that are proposed as the subject's. `start_utc` is the segment's first
    frame.

    Frames outside the granted time are not looked at. Undecodable video becomes the report's fault.
    Raises NotAuthorised where consent and approval do not name the face search and this camera.
    """
    require(case, "face", camera.camera_id)
    settings = settings or ScanSettings()
    gate = MotionGate(settings)
    rows = []
    report = SegmentReport(key, camera.camera_id, start_utc)
    try:
        for frame in key_frames(data, start_utc):
            if not case.span.start_utc <= frame.t_utc < case.span.end_utc:
                continue
            image = fitted(frame.image, camera)
            if gate.moved(image):
                rows += _look(case, camera, Frame(frame.t_utc, image), template, models, search)
            report.saw(frame.t_utc)
    except VideoUnreadable as error:
        report.fault = str(error)
    return ScanResult(CANDIDATES.shape(rows), report.table())


def _look(
    case: AuthorisedCase,
    camera: Camera,
    frame: Frame,
    template: SubjectTemplate,
    models: Models,
    search: SearchSettings,
) -> list[dict[str, Any]]:
    people = best_of_each(models.person.detect([frame.image])[0])
    boxes = np.asarray(people.xyxy, float)[people.score >= models.person_scores.looked_at]
    least = models.calibration.min_face_px
    if not np.any(expected_face_px(boxes) >= 0.75 * least):
        return []
    faces = find_faces(frame.image, boxes, models.face, least)
    verdicts = match(case, template, [frame.image] * len(faces), faces, models, search)
    return [
        _row(camera, frame, face, float(p))
        for face, p in zip(faces, verdicts.subject_p, strict=True)
        if not np.isnan(p)
    ]


def _row(camera: Camera, frame: Frame, face: Face, probability: float) -> dict[str, Any]:
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
    }
