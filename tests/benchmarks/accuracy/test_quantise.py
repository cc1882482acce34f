"""Which boxes count as right."""

from __future__ import annotations

import numpy as np

from benchmarks.accuracy.quantise import hits
from models.interface import Boxes


def test_a_person_is_found_once() -> None:
    """Of two boxes on one person the better one is right, the other is false; a box beside it is
    false too.
    """
    boxes = Boxes(
        np.array([[0, 0, 10, 10], [1, 0, 11, 10], [30, 0, 40, 10]], np.float32),
        np.array([0.9, 0.8, 0.7]),
    )
    assert list(hits(boxes, np.array([[0.0, 0, 10, 10]]))) == [True, False, False]
    assert not hits(boxes, np.empty((0, 4))).any()
