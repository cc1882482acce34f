"""How sharp a face is, whatever its size: a face blurred by its being out of focus or by moving
says as little as a small one.

Matters most for what a face would say against: the subject's own face, blurred, is not like the
template, and a face that was compared and not proposed counts as somebody else's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from models.geometry import ARCFACE_112, warp

if TYPE_CHECKING:
    from models.interface import Image

# Below this a face is not compared. Measured by `python -m benchmarks.accuracy.blur`, tables in
# docs/models/README.md: where half of the faces of a blur lie below it, about half of that blur's
# are still recognised; no face that was not blurred does.
MIN_SHARPNESS = 0.52
# The face is brought to a canvas on which its box is 32 px wide, the width below which no face is
# compared (a box is about 2.1 eye distances wide; on the 112 px template that is 75 px). Detail
# finer than that is averaged away, so that a large face does not count as blurred, nor its noise as
# detail.
_CANVAS_PX = 48
_FACE = np.s_[12:44, 8:40]
_MIDDLE = np.array([24.0, 28.0])
_TEMPLATE = ARCFACE_112 * (_CANVAS_PX / 112)
_TURN = np.array([[1.0, -1.0], [1.0, 1.0]]) / np.sqrt(2)
# Upright and turned by 45 degrees, so that rows and columns of the two run in four directions.
_TEMPLATES = (_TEMPLATE, (_TEMPLATE - _MIDDLE) @ _TURN + _MIDDLE)
# The canvas' corners are 2.8 times as far from the landmarks' middle as the furthest landmark.
_REACH = 3.0


def sharpness(image: Image, landmarks: NDArray[np.floating]) -> float:
    """Energy of the finest detail of a face as a share of that an octave coarser, in the direction
    in which it is least.

    0 where there is neither. `landmarks` (5, 2) px in `image`. Being a ratio within the face it
    does not depend on contrast. Noise and the edges of compression count as detail.
    """
    near, marks = _shown_part(image, np.asarray(landmarks, np.float64))
    shares = []
    for template in _TEMPLATES:
        grey = cv2.cvtColor(warp(near, marks, template, _CANVAS_PX), cv2.COLOR_BGR2GRAY).astype(
            np.float32
        )
        shares += [_fine_share(grey, rows=True), _fine_share(grey, rows=False)]
    return min(shares)


def _fine_share(grey: NDArray[np.float32], rows: bool) -> float:
    """The share along the rows, or along the columns."""
    once, twice = (
        cv2.GaussianBlur(grey, (n, 1) if rows else (1, n), s) for n, s in ((7, 1.0), (13, 2.0))
    )
    fine = float(np.std((grey - once)[_FACE]))
    coarse = float(np.std((once - twice)[_FACE]))
    return fine / coarse if coarse > 0 else 0.0


def _shown_part(image: Image, landmarks: NDArray[np.float64]) -> tuple[Image, NDArray[np.float64]]:
    """The part of the image that the canvas shows, and the landmarks there: a whole frame need not
    be shrunk for it.
    """
    middle = landmarks.mean(0)
    reach = _REACH * float(np.linalg.norm(landmarks - middle, axis=1).max()) + 2
    low = np.clip(np.floor(middle - reach).astype(int), 0, [image.shape[1] - 1, image.shape[0] - 1])
    high = np.maximum(np.ceil(middle + reach).astype(int), low + 1)
    return image[low[1] : high[1], low[0] : high[0]], landmarks - low
