"""Locate: from boxes to the ground, with honest covariances and hidden feet recognised."""

import numpy as np
import pytest
from walk_scene import FOCAL, HEIGHT, WIDTH, box_of, camera, projection

from tasks.ground.position import TOE_OFFSET_M, Locator, hidden_by_others
from tasks.ground.projection import Projection

POSE = ((0.3, 0.3, 2.7), (5.0, 4.0))
FULL = projection(*POSE)
SPOTS = np.array([[3.0, 3.0], [5.0, 4.0], [6.0, 2.0], [8.0, 7.0]])


def boxes(height=1.7, spots=SPOTS):
    """Exact boxes of people at SPOTS."""
    return np.array([box_of(FULL, xy, height) for xy in spots])


def toward(spots):
    """Behind the boxes' lower edge by half a foot: a real box ends at the toes, and the body stands
    behind them.
    """
    away = spots - np.array(POSE[0][:2])
    return spots + TOE_OFFSET_M * away / np.linalg.norm(away, axis=1, keepdims=True)


def test_exact_feet_give_exact_places():
    """Without box error the foot point's position is the truth, moved by half a foot away from the
    camera.
    """
    view = Projection(camera("a", *POSE))
    foot, head = view.axis_ends(boxes())
    assert view.at_height(foot, 0.0) == pytest.approx(SPOTS, abs=0.02)
    assert view.at_height(head, 1.7) == pytest.approx(SPOTS, abs=0.02)
    found = Locator(camera("a", *POSE)).locate(boxes(), 1.7, 0.01)
    assert np.hypot(*(found.xy_m - toward(SPOTS)).T).max() < 0.12
    assert not found.foot_hidden.any()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {
            "position_local_m": None,
            "intrinsics": {"fx": FOCAL, "fy": FOCAL, "cx": WIDTH / 2, "cy": HEIGHT / 2},
        },
        {"position_local_m": None},
    ],
    ids=["position", "intrinsics", "homography alone"],
)
def test_heads_are_mapped_whatever_is_known(options):
    """The vertical follows from the position, the intrinsics or the homography alone, and heads
    land on their feet.
    """
    view = Projection(camera("a", *POSE, **options))
    head = np.c_[boxes()[:, [0, 2]].mean(1), boxes()[:, 1]]
    heads = np.array([FULL @ np.array([*xy, 1.7, 1.0]) for xy in SPOTS])
    assert view.at_height(heads[:, :2] / heads[:, 2:], 1.7) == pytest.approx(SPOTS, abs=1e-3)
    assert view.height_of(SPOTS, head) == pytest.approx(1.7, abs=1e-3)
    assert view.camera_xy_m == pytest.approx(POSE[0][:2], abs=1e-2)


def test_covariance_is_that_of_the_error():
    """The stated covariance agrees with the scatter of many jittered boxes (Mahalanobis mean near
    two).
    """
    rng = np.random.default_rng(1)
    one = np.repeat(boxes(spots=SPOTS[:1]), 4000, 0)
    height = one[0, 3] - one[0, 1]
    noisy = one + rng.normal(0, 1.5 + 0.015 * height, one.shape)
    found = Locator(camera("a", *POSE)).locate(noisy, 1.7, 0.02)
    shown = ~found.foot_hidden
    error = found.xy_m[shown] - found.xy_m[shown].mean(0)
    square = np.einsum("ni,nij,nj->n", error, np.linalg.inv(found.cov_m2[shown]), error)
    assert 0.5 < square.mean() < 2.5


def test_feet_below_the_picture_are_hidden():
    """A box that ends at the lower edge is located from the head, near the truth and with a larger
    deviation.
    """
    near = np.array([[1.6, 1.4]])
    whole = np.array([box_of(FULL, near[0], 1.7)])
    assert whole[0, 3] > HEIGHT
    found = Locator(camera("a", *POSE)).locate(np.clip(whole, 0, [WIDTH, HEIGHT] * 2), 1.7, 0.09)
    assert found.foot_hidden.all()
    assert found.xy_m == pytest.approx(near, abs=0.1)


def test_a_cut_body_whose_box_ends_above_the_edge_has_hidden_feet():
    """A body that the edge cuts at the ankles, in a box that ends 10 px above the edge, as a
    detector gives it: the feet count as hidden, and the head says where.
    """
    at = np.array([[2.1, 1.8]])
    whole = box_of(FULL, at[0], 1.7)
    assert HEIGHT < whole[3] < HEIGHT + 30
    cut = np.array([[*whole[:3], HEIGHT - 10.0]])
    found = Locator(camera("a", *POSE)).locate(cut, 1.7, 0.09)
    assert found.foot_hidden.all()
    assert found.xy_m == pytest.approx(at, abs=0.1)


def test_feet_behind_furniture_are_hidden():
    """With the person's height known, a box that is a third too short is located from the head."""
    cut = boxes()
    cut[:, 3] -= 0.35 * (cut[:, 3] - cut[:, 1])
    locator = Locator(camera("a", *POSE))
    found = locator.locate(cut, 1.7, 0.03)
    assert found.foot_hidden.all()
    assert np.abs(found.xy_m - SPOTS).max() < 0.15
    shown = locator.locate(boxes(), 1.7, 0.03)
    assert (
        np.trace(found.cov_m2, axis1=1, axis2=2) > np.trace(shown.cov_m2, axis1=1, axis2=2)
    ).all()


def test_nearer_people_hide_feet():
    """Of two boxes in line the farther one is hidden, side by side neither is, and doubtful boxes
    hide no one.
    """
    line = np.array([[100, 100, 160, 300], [105, 130, 170, 360.0]])
    assert hidden_by_others(line, np.array([0.9, 0.9])) == pytest.approx([0.92, 0.0], abs=0.05)
    assert hidden_by_others(line, np.array([0.9, 0.1])).max() == 0
    beside = np.array([[100, 100, 160, 300], [150, 100, 210, 301.0]])
    assert hidden_by_others(beside, np.array([0.9, 0.9])).max() == 0


def test_beyond_the_coverage_is_nowhere():
    """Positions outside the floor that the camera covers, or above the horizon, are NaN:
    extrapolations are not places.
    """
    view = camera("a", *POSE, coverage_local_m=((1, 1), (6, 1), (6, 6), (1, 6)))
    found = Locator(view).locate(np.vstack([boxes(), [[600, 10, 640, 60]]]), 1.7, 0.05)
    assert np.isfinite(found.xy_m).all(1).tolist() == [True, True, True, False, False]
    assert np.isnan(found.cov_m2[3:]).all()


def test_lens_distortion_is_undone():
    """With distortion given, the distorted foot pixel lands where the undistorted one does."""
    given = {"fx": FOCAL, "fy": FOCAL, "cx": WIDTH / 2, "cy": HEIGHT / 2}
    view = Projection(camera("a", *POSE, intrinsics=given, distortion=(-0.2, 0.05, 0, 0, 0)))
    pixel = np.array([[900.0, 600.0]])
    x = (pixel[0, 0] - WIDTH / 2) / FOCAL
    y = (pixel[0, 1] - HEIGHT / 2) / FOCAL
    r2 = x * x + y * y
    k = 1 - 0.2 * r2 + 0.05 * r2 * r2
    bent = np.array([[WIDTH / 2 + FOCAL * x * k, HEIGHT / 2 + FOCAL * y * k]])
    assert view.undistort(bent) == pytest.approx(pixel, abs=0.05)
