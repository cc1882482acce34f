"""What becomes of one opened segment: the report row, and pictures brought to the size the camera
was calibrated at.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data_contracts.camera import Camera
from data_contracts.errors import VideoUnreadable
from data_contracts.tables.contracts import SEGMENT_REPORTS

# Pictures whose aspect differs by more than this share were cropped or stretched: the homography
# does not hold.
_ASPECT_TOLERANCE = 0.02


class SegmentInput(NamedTuple):
    """One recording of a camera: its key in the store, the time of its first frame, its bytes."""

    camera: Camera
    key: str
    start_utc: datetime
    data: bytes


@dataclass
class SegmentReport:
    """Collects what was seen of a segment while it is read."""

    segment: SegmentInput
    fault: str = ""
    n_frames: int = 0
    times: list[datetime] = field(default_factory=list)

    def saw(self, t_utc: datetime) -> None:
        """Count a frame that was decoded and looked at."""
        self.n_frames += 1
        self.times = [*self.times[-1:], t_utc]

    def table(self) -> pd.DataFrame:
        """One row of SEGMENT_REPORTS: the end is the last frame plus one frame time."""
        end = self.segment.start_utc
        if self.times:
            step = self.times[-1] - self.times[0] if len(self.times) > 1 else timedelta(0)
            end = self.times[-1] + step
        row = {
            "key": self.segment.key,
            "camera_id": self.segment.camera.camera_id,
            "start_utc": self.segment.start_utc,
            "end_utc": end,
            "n_frames": self.n_frames,
            "fault": self.fault,
        }
        return SEGMENT_REPORTS.shape([row])


def fitted(image: NDArray[np.uint8], camera: Camera) -> NDArray[np.uint8]:
    """The picture at the camera's calibrated size: all boxes of a camera are in those pixels.

    Raises VideoUnreadable where the aspect differs.
    """
    height, width = image.shape[:2]
    if (width, height) == (camera.image_width, camera.image_height):
        return image
    aspect = width / height * camera.image_height / camera.image_width
    if abs(aspect - 1) > _ASPECT_TOLERANCE:
        raise VideoUnreadable(
            f"expected pictures like {camera.image_width} x {camera.image_height}, for which the "
            "camera was calibrated,"
            f" got {width} x {height}: correct image_width and image_height or the recorder's "
            "setting"
        )
    shrink = camera.image_width < width
    return np.asarray(
        cv2.resize(
            image,
            (camera.image_width, camera.image_height),
            interpolation=cv2.INTER_AREA if shrink else cv2.INTER_LINEAR,
        ),
        np.uint8,
    )
