"""The close look: people in every frame (down to 5 a second), where they stand, their masks, and
proposed matches.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from data_contracts.camera import Camera
from data_contracts.record import Record
from data_contracts.tables.contracts import DETECTIONS
from data_contracts.time import CLOCK_HZ
from models.geometry import best_of_each
from tasks.consent.authorise import require
from tasks.footage.segment import SegmentInput, SegmentReport
from tasks.ground.position import Ground, Locator, hidden_by_others
from tasks.observe.face import find_faces
from tasks.observe.mask_colour import SKIN_MIN_FACE_PX
from tasks.observe.match import SubjectSearch, match

if TYPE_CHECKING:
    from models.interface import Boxes, PersonDetector

Array = NDArray[np.float64]


class FollowSettings(Record):
    """How to look. Tracking needs about 5 frames a second (PETS: IDF1 .86 at 7, .76 at 3.5, .65 at
    2.3); faces change slower.

    People whom the detector is less sure of than its `looked_at` are tracked, but no face is looked
    for.
    """

    fps: float = Field(default=CLOCK_HZ, gt=0)
    face_interval_s: float = Field(default=0.4, ge=0)


class FollowResult(NamedTuple):
    """`detections` (contract DETECTIONS) and `report` (contract SEGMENT_REPORTS).

    In `detections`, `face_px` is present where a face was compared with the subject; `subject_p` is
    null where it is not proposed then. `mask_p` may be present without it: a mask shows on a face
    too far aside to compare.
    """

    detections: pd.DataFrame
    report: pd.DataFrame


def follow_segment(
    segment: SegmentInput, search: SubjectSearch, settings: FollowSettings | None = None
) -> FollowResult:
    """Everyone in one segment, frame by frame. Without the face scope no face is looked for, and
    masks stay unknown.

    Positions are null where the camera has no calibration. Frames outside the granted time are not
    looked at; what cannot be seen is told by the report. Raises NotAuthorised where consent and
    approval do not name this camera.
    """
    camera = segment.camera
    require(search.case, camera_id=camera.camera_id)
    by_face = "face" in search.case.scopes
    settings = settings or FollowSettings()
    locator = None if camera.homography is None else Locator(camera)
    tables = []
    report = SegmentReport(segment, search.case.span, settings.fps)
    looked: datetime | None = None
    for frame in report.pictures():
        found = detect_people(camera, frame.t_utc, frame.image, search.models.person, locator)
        # 1 ms absorbs rounded presentation times.
        if by_face and (
            looked is None
            or (frame.t_utc - looked).total_seconds() >= settings.face_interval_s - 1e-3
        ):
            looked = frame.t_utc
            _add_faces(found, frame.image, search)
        tables += found
    return FollowResult(DETECTIONS.shape(tables), report.table())


def detect_people(
    camera: Camera,
    t_utc: datetime,
    image: NDArray[np.uint8],
    person: PersonDetector,
    locator: Locator | None,
) -> list[dict[str, Any]]:
    """One row of DETECTIONS a person in a frame of the camera's size, without faces. Recognises
    nobody.
    """
    return people_rows(camera, t_utc, best_of_each(person.detect([image])[0]), locator)


def people_rows(
    camera: Camera, t_utc: datetime, people: Boxes, locator: Locator | None
) -> list[dict[str, Any]]:
    """One row of DETECTIONS a person found in a frame of the camera's size, without faces."""
    boxes = np.clip(
        np.asarray(people.xyxy, float).reshape(-1, 4),
        0,
        [camera.image_width, camera.image_height] * 2,
    )
    ground = None
    if locator is not None:
        ground = locator.locate(
            boxes, hidden_share=hidden_by_others(boxes, np.asarray(people.score, float))
        )
    return [
        {
            "camera_id": camera.camera_id,
            "t_utc": t_utc,
            **dict(zip(("x0", "y0", "x1", "y1"), map(float, box), strict=True)),
            "score": float(score),
            **ground_columns(ground, i),
        }
        for i, (box, score) in enumerate(zip(boxes, people.score, strict=True))
    ]


def ground_columns(ground: Ground | None, i: int) -> dict[str, Any]:
    """The position columns of row `i`; nulls where nothing is known."""
    if ground is None or not np.isfinite(ground.xy_m[i]).all():
        empty = dict.fromkeys(("x_m", "y_m", "cov_xx", "cov_xy", "cov_yy"))
        return {**empty, "foot_hidden": True if ground is None else bool(ground.foot_hidden[i])}
    cov = ground.cov_m2[i]
    return {
        "x_m": float(ground.xy_m[i, 0]),
        "y_m": float(ground.xy_m[i, 1]),
        "cov_xx": float(cov[0, 0]),
        "cov_xy": float(cov[0, 1]),
        "cov_yy": float(cov[1, 1]),
        "foot_hidden": bool(ground.foot_hidden[i]),
    }


def _add_faces(rows: list[dict[str, Any]], image: NDArray[np.uint8], search: SubjectSearch) -> None:
    """Fill in face width, mask and proposed matches of this frame's rows."""
    models = search.models
    sure = [row for row in rows if row["score"] >= models.person_scores.looked_at]
    boxes = np.array([[row["x0"], row["y0"], row["x1"], row["y1"]] for row in sure], float).reshape(
        -1, 4
    )
    least = min(models.calibration.min_face_px, models.mask.min_face_px, SKIN_MIN_FACE_PX)
    faces = find_faces(image, boxes, models.face, least)
    verdicts = match(search, [image] * len(faces), faces)
    for i, face in enumerate(faces):
        row = sure[face.person]
        row["face_px"] = face.width_px if verdicts.compared[i] else None
        row["mask_p"] = None if np.isnan(verdicts.mask_p[i]) else float(verdicts.mask_p[i])
        row["subject_p"] = None if np.isnan(verdicts.subject_p[i]) else float(verdicts.subject_p[i])
        said = verdicts.masked_llr[i]
        row["masked_llr"] = None if np.isnan(said) else float(said)
