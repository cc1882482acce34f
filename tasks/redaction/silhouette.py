"""The silhouette: what hides a person beyond recovery.

Everybody who is hidden is one flat grey, the same in every picture: neither face nor clothes leave
anything to recognise, nor to average over frames. (Under a mosaic, the mean colours of three parts
of a body named .60 of 9 people across cameras; chance is .11.) What remains is the outline, in
whole cells that are fixed to the image. A cell is a third of the largest head that may lie under
it, or larger, so that no head's, hair's or limb's own outline is to be seen.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.redaction.background import Image

Levels = NDArray[np.uint8]

# The least cell: as large as the smallest head that counts as shown (benchmarks/redaction).
MIN_CELL_PX = 16
# Chosen: in three cells a head has no outline of its own. Trained attackers recognised faces in
# mosaics of about 6 x 7 cells (McPherson, Shokri & Shmatikov 2016, "Defeating image obfuscation
# with deep learning").
_CELLS_PER_HEAD = 3.0
# A head is at most this share of a person's box's shorter side, also when only head and shoulders
# are in the image. Chosen: a head is 0.13 of the stature high (Drillis & Contini 1966), and half as
# much again with hair and neck; a standing person's box is about a third as wide as high.
_HEAD_SHARE = 0.6
# Cells of 512 px: a head that fills a picture of 1080 rows.
_MAX_LEVEL = 9
# Grey levels of a silhouette and of its rim, far apart: on any wall one of the two is seen.
_FILL = 90
_RIM = 200
_RIM_PX = 2


def level_of(width_px: float, height_px: float) -> int:
    """The level (cells of 2^level px) that hides a head in a box of this size."""
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


def silhouette(frame: Image, levels: Levels) -> Image:
    """A copy of the frame (h, w, 3) BGR, one flat grey where `levels` (h, w) is not 0, with a rim.

    Nothing of a hidden pixel is drawn: pictures that differ only where they are hidden come out
    equal, and so does any mean of them.
    """
    out = frame.copy()
    hidden = levels > 0
    out[hidden] = _FILL
    core = cv2.erode(
        hidden.astype(np.uint8), np.ones((2 * _RIM_PX + 1,) * 2, np.uint8), borderValue=1
    )
    out[hidden & (core == 0)] = _RIM
    return out
