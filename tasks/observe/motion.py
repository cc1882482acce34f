"""What counts as moved: a scan skips pictures in which nothing did."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from data_contracts.record import Record


class MotionSettings(Record):
    """What counts as moved: a change of `motion_levels` grey levels in `motion_share` of a picture
    `motion_width` wide.

    Sensor noise after shrinking to 160 px is below 3 levels; a head large enough to compare covers
    over 0.1 %.
    """

    motion_width: int = Field(default=160, ge=32)
    motion_levels: float = Field(default=10.0, gt=0)
    motion_share: float = Field(default=0.0005, gt=0, lt=1)


class MotionGate:
    """Lets a picture pass when it differs from the last one that passed; a change of light alone
    does not count.
    """

    def __init__(self, settings: MotionSettings) -> None:
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
