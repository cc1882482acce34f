"""The colours of somebody's clothes: a description of a body.

Square roots of histograms of the upper body, the lower body and the shoes, so that the cosine of
two is their mean Bhattacharyya coefficient. Colours are first corrected for the camera's light, by
what its picture shows on average (shades of grey: Finlayson and Trezzi, Color Imaging Conference
2004). Of others a description exists only inside `tasks.observe.looks.compare_looks`.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Picture = NDArray[np.uint8]


class _Region(NamedTuple):
    """A part of the body: rows and columns as shares of a standing person's box, and how much it
    counts. Shoes are few pixels, and the ground around them is in their box.
    """

    top: float
    bottom: float
    left: float
    right: float
    weight: float


# Shoulders at .82 of the stature, hips at .52, ankles at .04 (Drillis & Contini 1966), each less a
# margin for a box that is off.
_REGIONS = (
    _Region(0.18, 0.47, 0.25, 0.75, 1.0),
    _Region(0.53, 0.84, 0.28, 0.72, 1.0),
    _Region(0.92, 1.0, 0.1, 0.9, 0.4),
)


def _shares(values: Array, centres: Array, sd: float) -> Array:
    """(n, bins) each value's share of the bins; rows add up to 1."""
    weight = np.exp(-0.5 * ((values[:, None] - centres) / sd) ** 2) + 1e-12
    return np.asarray(weight / weight.sum(1, keepdims=True))


# Bins of CIELAB, each pixel shared by its neighbours: light that differs a little moves no one to
# another bin. Of deviations 3.5, 5.5 and 9 the middle one tells people apart best.
_AB_CENTRES = np.linspace(-44.0, 44.0, 9)
_AB_SD = 5.5
_L_CENTRES = np.linspace(10.0, 90.0, 5)
_L_SD = 14.0
# By whole numbers of a or b from -_AB_ZERO on, and of lightness.
_AB_ZERO = 128
_AB_SHARES = _shares(np.arange(-_AB_ZERO, _AB_ZERO + 1.0), _AB_CENTRES, _AB_SD)
_L_SHARES = _shares(np.arange(101.0), _L_CENTRES, _L_SD)
# Lightness changes with light and shade, colour less. Chosen.
_L_SHARE = 0.35
# Minkowski norm of shades of grey: 6 is its authors' best.
_LIGHT_NORM = 6
_LIGHT_SIZE = (160, 90)
_MIDDLE_GREY = 128.0


def view_of_light(image: Picture) -> Picture:
    """A camera's picture, small: all that its light is judged by."""
    return np.asarray(cv2.resize(image, _LIGHT_SIZE, interpolation=cv2.INTER_AREA), np.uint8)


def light_of(views: list[Picture]) -> Array:
    """(3,) gains of blue, green and red that make the camera's usual picture a middle grey."""
    usual = np.median(np.stack(views), axis=0).reshape(-1, 3) + 1
    mean = (usual.astype(np.float64) ** _LIGHT_NORM).mean(0) ** (1 / _LIGHT_NORM)
    return np.asarray(_MIDDLE_GREY / mean)


def describe_clothes(body: Picture, gains: Array) -> Array:
    """(258,) of length 1: see the module. `body` (h, w, 3) BGR, head to feet."""
    corrected = np.clip(body * gains / 255, 0, 1).astype(np.float32)
    lab = cv2.cvtColor(corrected, cv2.COLOR_BGR2LAB)
    height, width = lab.shape[:2]
    parts = []
    for region in _REGIONS:
        top = int(region.top * height)
        left = int(region.left * width)
        bottom = max(int(region.bottom * height), top + 1)
        right = max(int(region.right * width), left + 1)
        pixels = lab[top:bottom, left:right].reshape(-1, 3)
        lightness, a, b = np.rint(pixels).astype(int).T
        colours = _AB_SHARES[a + _AB_ZERO].T @ _AB_SHARES[b + _AB_ZERO] / len(pixels)
        parts.append(np.sqrt(region.weight * (1 - _L_SHARE) * colours.ravel()))
        parts.append(np.sqrt(region.weight * _L_SHARE * _L_SHARES[lightness].mean(0)))
    vector = np.concatenate(parts)
    return np.asarray(vector / np.linalg.norm(vector))
