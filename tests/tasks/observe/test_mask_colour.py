"""The colour of the lower face: told at sizes where shape is gone, and silent where there is no
colour.
"""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from models.geometry import ARCFACE_112
from tasks.observe.mask_colour import mask_log_odds

SKIN = [(96, 134, 198), (60, 90, 140), (40, 55, 90)]  # BGR: light, brown, dark
CLOTH = [(235, 235, 230), (200, 160, 90), (30, 30, 30)]  # white, blue, black


def face(
    upper: tuple[int, int, int], lower: tuple[int, int, int], width_px: int
) -> tuple[np.ndarray, np.ndarray]:
    """A flat face of two colours in a grey room, and its landmarks, about `width_px` wide."""
    image = np.full((112, 112, 3), 128, np.uint8)
    cv2.ellipse(image, (56, 60), (36, 48), 0, 0, 360, upper, -1)
    image[72:108, 26:86] = np.where(
        (image[72:108, 26:86] == 128).all(-1, keepdims=True), 128, np.array(lower)
    )
    scale = width_px / 72
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return small.astype(np.uint8), (ARCFACE_112 * scale).astype(np.float32)


@pytest.mark.parametrize("width_px", [12, 24, 72])
@pytest.mark.parametrize("skin", SKIN)
def test_bare_and_masked_are_told_apart(skin: tuple[int, int, int], width_px: int) -> None:
    """Skin of three tones reads as bare, cloth of three colours as a mask, down to 12 px."""
    assert mask_log_odds(*face(skin, skin, width_px)) < 0
    for cloth in CLOTH:
        assert mask_log_odds(*face(skin, cloth, width_px)) > 0


def test_night_vision_says_nothing() -> None:
    """A picture without colour gives no evidence either way."""
    image, marks = face(SKIN[0], CLOTH[0], 40)
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    assert mask_log_odds(grey, marks) == 0.0


def test_the_evidence_is_bounded() -> None:
    """No colour alone makes a mask certain."""
    assert abs(mask_log_odds(*face((0, 0, 255), (255, 0, 0), 40))) <= 2.5
