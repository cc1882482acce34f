"""Which boxes a setting lists."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmarks.accuracy import pets_data
from benchmarks.accuracy.suppression import figures
from models.interface import Boxes


@pytest.mark.parametrize(
    ("score", "overlap", "ap"),
    [(0.1, 0.5, 0.5), (0.1, 0.6, 1.0), (0.4, 0.6, 0.5)],
    ids=["both in one", "both", "sure"],
)
def test_of_two_people_side_by_side(score: float, overlap: float, ap: float) -> None:
    """Two people whose boxes overlap by 0.54: the second is found where neither its overlap nor its
    score is refused.
    """
    boxes = np.array([[0, 0, 10, 30], [3, 0, 13, 30]], np.float32)
    truth = pd.DataFrame(boxes, columns=["x0", "y0", "x1", "y1"]).assign(
        camera_id=pets_data.CAMERA, frame=0, t_utc=pets_data.time_of(0), ignore=False
    )
    found = figures([Boxes(boxes, np.array([0.9, 0.3], np.float32))], truth, score, overlap)
    assert found["ap, every 1"] == found["ap, every 5"] == pytest.approx(ap)
