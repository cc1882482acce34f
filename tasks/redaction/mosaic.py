"""Mosaic: what hides a person beyond recovery.

A cell is a third of the largest head that may lie under it, or larger, so that a head is at most
some 3 x 3 numbers. Trained attackers have recognised faces of a small known group from clean
mosaics of about 6 x 7 cells (McPherson, Shokri, Shmatikov 2016, "Defeating image obfuscation with
deep learning"); this is a quarter of that, rounded to coarse colours and under noise that stays the
same through a clip, so that averaging frames gives the same mosaic again.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.redaction.background import Image

Levels = NDArray[np.uint8]

MIN_CELL_PX = 16
_CELLS_PER_HEAD = 3.0
# A head is at most this share of a person's box's shorter side, also when only head and shoulders
# are in the image.
_HEAD_SHARE = 0.6
_MAX_LEVEL = 9
# Grey levels: amplitude of the fixed noise, and the step that colours are rounded to.
_NOISE = 14.0
_STEP = 12.0


def level_of(width_px: float, height_px: float) -> int:
    """The mosaic level (cells of 2^level px) that hides a head in a box of this size."""
    head_px = _HEAD_SHARE * min(width_px, height_px)
    return level_of_head(head_px)


def level_of_head(head_px: float) -> int:
    """The smallest level whose cell is at least a third of a head and at least MIN_CELL_PX; never
    0.
    """
    cell = max(float(MIN_CELL_PX), head_px / _CELLS_PER_HEAD)
    return min(_MAX_LEVEL, math.ceil(math.log2(cell)))


def whole_cells(levels: Levels) -> Levels:
    """Levels (h, w) in which every cell that is hidden in part is hidden whole: no sharp outline of
    a head remains.
    """
    out = levels.copy()
    height, width = levels.shape
    for level in np.unique(levels):
        if not level:
            continue
        cell = 2 ** int(level)
        rows = -(-height // cell)
        columns = -(-width // cell)
        padded = np.zeros((rows * cell, columns * cell), bool)
        padded[:height, :width] = levels == level
        touched = padded.reshape(rows, cell, columns, cell).any(axis=(1, 3))
        full = touched.repeat(cell, axis=0).repeat(cell, axis=1)[:height, :width]
        np.maximum(out, full * np.uint8(level), out=out)
    return out


class Mosaic:
    """Draws mosaics with noise that is fixed for the life of the object (one clip) and never
    stored.
    """

    def __init__(self, rng: np.random.Generator | None = None) -> None:
        self._rng = rng or np.random.default_rng()  # OS entropy: nobody can subtract the noise
        self._noise: dict[tuple[int, int, int], NDArray[np.float32]] = {}

    def draw(self, frame: Image, levels: Levels) -> Image:
        """A copy of the frame (h, w, 3), mosaiced where `levels` (h, w) is not 0, with cells of
        2^level px.
        """
        out = frame.copy()
        for level in np.unique(levels):
            if level:
                where = levels == level
                out[where] = self._whole(frame, int(level))[where]
        return out

    def _whole(self, frame: Image, level: int) -> Image:
        height, width = frame.shape[:2]
        cell = 2**level
        rows = -(-height // cell)
        columns = -(-width // cell)
        padded = np.zeros((rows * cell, columns * cell, 3), np.float32)
        padded[:height, :width] = frame
        small = cv2.resize(padded, (columns, rows), interpolation=cv2.INTER_AREA).reshape(
            rows, columns, 3
        )
        # A cell that the image's edge cuts has the mean of what is in the image: repeating the edge
        # would tell of its pixels.
        inside = np.minimum(cell, height - cell * np.arange(rows))[:, None] * np.minimum(
            cell, width - cell * np.arange(columns)
        )
        small *= (cell * cell / inside)[..., None].astype(np.float32)
        small = np.round((small + self._field(level, rows, columns)) / _STEP) * _STEP
        coarse = np.clip(small, 0, 255).astype(np.uint8)
        large = cv2.resize(coarse, (columns * cell, rows * cell), interpolation=cv2.INTER_NEAREST)
        return large[:height, :width]

    def _field(self, level: int, rows: int, columns: int) -> NDArray[np.float32]:
        key = (level, rows, columns)
        if key not in self._noise:
            self._noise[key] = self._rng.normal(0.0, _NOISE, (rows, columns, 1)).astype(np.float32)
        return self._noise[key]
