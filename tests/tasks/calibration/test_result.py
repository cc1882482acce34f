"""What a calibration is told as: the camera file's record, the rows of its points."""

from datetime import UTC, datetime

import numpy as np
import pytest
from walk_scene import HEIGHT, WIDTH, projection

from data_contracts.camera import Camera
from tasks.calibration.calibrate import calibrate
from tasks.calibration.clicks import Clicks
from tasks.calibration.result import (
    calibrated_camera,
    calibration_record,
    left_out_median_m,
    point_rows,
)

FULL = projection((0.3, 0.3, 2.7), (5.0, 4.0))
CAMERA = Camera(camera_id="a", image_width=WIDTH, image_height=HEIGHT)
FLOOR = np.array([[3, 3], [6, 2], [8, 2.5], [9, 6], [6, 4.5], [4, 6], [7, 8]], float)
NOW = datetime(2026, 11, 16, tzinfo=UTC)


def clicked(n: int, wrong_m: float = 0.0) -> Clicks:
    """Exact clicks of the first n floor points; the third was measured wrong."""
    h = np.c_[FLOOR[:n], np.zeros(n), np.ones(n)] @ FULL.T
    m = FLOOR[:n].copy()
    m[2, 0] += wrong_m
    return Clicks(h[:, :2] / h[:, 2:], m)


def test_a_point_that_is_off_does_not_count() -> None:
    """The record has the points that were used, and errors of those alone; the rows say which one
    is off and by how much.
    """
    found = calibrate(clicked(7, wrong_m=2.0), CAMERA)
    record = calibration_record(found, NOW)
    assert (record["points"], record["fitted"]) == (6, [])
    assert record["rms_m"] < 0.01
    assert record["left_out_m"] == pytest.approx(left_out_median_m(found), abs=1e-3)
    assert record["left_out_m"] < 0.02
    rows = point_rows(found)
    assert [row["point"] for row in rows if row["off"]] == [3]
    assert rows[2]["off_m"] == pytest.approx(2.0, abs=0.02)


def test_four_points_leave_none_out() -> None:
    """Without the fourth nothing is fixed, so the error of a point that is not used is not told."""
    found = calibrate(clicked(4), CAMERA)
    assert left_out_median_m(found) is None
    assert "left_out_m" not in calibration_record(found, NOW)


def test_what_was_stated_is_in_the_camera() -> None:
    """The whole position, where it was stated; a coverage, where there was none; a height alone is
    no position.
    """
    found = calibrate(clicked(7), CAMERA, (0.3, 0.3, 2.7))
    new = calibrated_camera(CAMERA, found, (0.3, 0.3, 2.7))
    assert new.position_local_m == (0.3, 0.3, 2.7)
    assert len(new.coverage_local_m) > 3
    assert calibrated_camera(CAMERA, found, (None, None, 2.7)).position_local_m is None
