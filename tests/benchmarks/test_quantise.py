"""Average precision as worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.accuracy.quantise import average_precision, hits
from models.interface import Boxes


def test_area_under_the_curve() -> None:
    """Right, wrong, right, of two wanted: recall .5 at precision 1, recall 1 at precision 2/3: .5 + .5 * 2/3."""
    score, hit = np.array([0.5, 0.9, 0.7]), np.array([True, True, False])
    assert average_precision(score, hit, 2) == pytest.approx(0.5 + 0.5 * 2 / 3)


def test_a_person_is_found_once() -> None:
    """Of two boxes on one person the better one is right, the other is false; a box beside it is false too."""
    boxes = Boxes(np.array([[0, 0, 10, 10], [1, 0, 11, 10], [30, 0, 40, 10]], np.float32), np.array([0.9, 0.8, 0.7]))
    assert list(hits(boxes, np.array([[0.0, 0, 10, 10]]))) == [True, False, False]
    assert not hits(boxes, np.empty((0, 4))).any()
