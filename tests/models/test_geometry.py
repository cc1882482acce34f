"""Alignment and suppression by numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from models.geometry import ARCFACE_112, similarity_transform, suppress, warp


def test_finds_a_known_transform() -> None:
    """A quarter turn, doubled, moved by (3, -1): found to rounding."""
    source = np.array([[0, 0], [1, 0], [0, 1], [2, 3]], float)
    matrix = np.array([[0, -2, 3], [2, 0, -1]], float)
    target = source @ matrix[:, :2].T + matrix[:, 2]
    assert similarity_transform(source, target) == pytest.approx(matrix)


def test_never_mirrors() -> None:
    """Mirrored points get the best turn, not a mirror image: the determinant stays positive."""
    matrix = similarity_transform(ARCFACE_112 * [-1, 1], ARCFACE_112)
    assert np.linalg.det(matrix[:, :2]) > 0


def test_coinciding_points_give_a_shift() -> None:
    """Landmarks that all fall on one point do not divide by zero."""
    assert np.isfinite(similarity_transform(np.zeros((5, 2)), ARCFACE_112)).all()


@pytest.mark.parametrize("scale", [0.5, 1.0, 6.0])
def test_warp_puts_landmarks_on_the_template(scale: float) -> None:
    """White discs at the landmarks come out at the template's points, also from a picture six times
    as large.
    """
    image = np.zeros((round(160 * scale), round(160 * scale), 3), np.uint8)
    marks = (ARCFACE_112 + 20) * scale
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    for mark in marks:
        image[np.hypot(x - mark[0], y - mark[1]) <= 4 * scale] = 255
    face = warp(image, marks, ARCFACE_112, 112)
    assert all(face[round(v), round(u)].min() > 200 for u, v in ARCFACE_112)
    assert face[5, 5].max() == 0


def test_suppress_keeps_the_best_of_overlapping_boxes() -> None:
    """Overlap of 0.6 goes, of 0.25 stays; order is by score."""
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 6], [6, 0, 16, 10], [50, 50, 60, 60]], np.float32)
    scores = np.array([0.8, 0.9, 0.7, 0.95], np.float32)
    assert suppress(boxes, scores, 0.5).tolist() == [3, 1, 2]
    assert suppress(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), 0.5).tolist() == []
