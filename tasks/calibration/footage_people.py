"""The people who walk in a recording, as boxes: what calibrations are checked by."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from data_contracts.camera import Camera
from data_contracts.tables.contracts import DETECTIONS
from models.interface import PersonDetector
from tasks.footage.reading import Frame
from tasks.footage.segment import fitted
from tasks.observe.follow import detect_people


def people_in(pictures: Iterable[Frame], camera: Camera, detector: PersonDetector) -> pd.DataFrame:
    """DETECTIONS of a recording's frames, without faces and positions."""
    rows: list[dict[str, Any]] = []
    for frame in pictures:
        image = fitted(frame.image, camera, frame.pixel_aspect)
        rows += detect_people(camera, frame.t_utc, image, detector, None)
    return DETECTIONS.shape(rows)
