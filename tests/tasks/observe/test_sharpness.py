"""A blurred face is told from a sharp one, whatever its size and contrast."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from models.geometry import ARCFACE_112
from tasks.observe.sharpness import MIN_SHARPNESS, sharpness

Picture = NDArray[np.uint8]


def face(
    size: int, blur_share: float = 0.0, contrast: float = 1.0
) -> tuple[Picture, NDArray[np.float64]]:
    """A picture with detail at all scales (as natural pictures: amplitude falls with frequency) and
    its landmarks.

    `size` px of the aligned crop; the face's box is two thirds of it. `blur_share` is the
    Gaussian's deviation as a share of `size`.
    """
    rng = np.random.default_rng(0)
    frequency = np.hypot(np.fft.fftfreq(448)[:, None], np.fft.rfftfreq(448)[None])
    spectrum = np.fft.rfft2(rng.normal(size=(448, 448))) / np.maximum(frequency, 1 / 448)
    plane = np.fft.irfft2(spectrum, (448, 448))
    plane = 128 + contrast * 40 * (plane - plane.mean()) / plane.std()
    if blur_share:
        plane = cv2.GaussianBlur(plane, (0, 0), blur_share * 448)
    small = cv2.resize(
        np.clip(plane, 0, 255).astype(np.uint8), (size, size), interpolation=cv2.INTER_AREA
    )
    return np.repeat(small[:, :, None], 3, axis=2), ARCFACE_112 * (size / 112)


@pytest.mark.parametrize("size", [48, 72, 112, 224, 448])
def test_size_makes_no_difference(size: int) -> None:
    """The same face near and far: sharp in both, and with the same blur as a share of the face
    refused in both.
    """
    assert sharpness(*face(size)) > MIN_SHARPNESS
    assert sharpness(*face(size, 1.8 / 48)) < MIN_SHARPNESS


def test_more_blur_is_less_sharp() -> None:
    """Until nothing fine is left."""
    values = [sharpness(*face(112, share / 48)) for share in (0, 0.5, 1.0, 1.5, 2.0)]
    assert values == sorted(values, reverse=True)


@pytest.mark.parametrize("degrees", [0, 45, 90, 135])
def test_smearing_in_any_direction_is_seen(degrees: int) -> None:
    """A face that moves during the exposure keeps its detail across the movement, which does not
    hide it.
    """
    picture, marks = face(112)
    line = np.zeros((15, 15), np.float32)
    across = np.deg2rad(degrees)
    ends = [
        np.round(7 + sign * 5 * np.array([np.cos(across), np.sin(across)])).astype(int)
        for sign in (-1, 1)
    ]
    cv2.line(line, tuple(map(int, ends[0])), tuple(map(int, ends[1])), 1.0)
    smeared = np.asarray(cv2.filter2D(picture, -1, line / line.sum()), np.uint8)
    assert sharpness(smeared, marks) < 0.8 * sharpness(picture, marks)


def test_contrast_makes_no_difference() -> None:
    """A pale face in fog or backlight is not called blurred."""
    assert sharpness(*face(112, contrast=0.3)) == pytest.approx(sharpness(*face(112)), rel=0.1)


def test_nothing_to_see_is_not_sharp() -> None:
    """An even patch has no detail at all."""
    assert sharpness(np.full((112, 112, 3), 90, np.uint8), ARCFACE_112) == 0
