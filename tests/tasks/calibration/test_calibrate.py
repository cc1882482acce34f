"""Calibrate: cameras with known geometry come back from their clicks, and bad clicks are told apart
from bad luck.
"""

import cv2
import numpy as np
import pytest
from shapely.geometry import Point, Polygon
from walk_scene import FOCAL, HEIGHT, WIDTH, projection

from data_contracts.camera import Camera
from data_contracts.errors import BadInput
from tasks.calibration.calibrate import calibrate
from tasks.calibration.clicks import Clicks, check, read_clicks
from tasks.calibration.fit import fit_model
from tasks.calibration.picture import coverage, draw
from tasks.calibration.pinhole import FreePlane, Lens
from tasks.ground.projection import Projection

POSE = ((0.3, 0.3, 2.7), (5.0, 4.0))
FULL = projection(*POSE)
BLANK = Camera(camera_id="a", image_width=WIDTH, image_height=HEIGHT)
FLOOR = np.array(
    [[3, 3], [6, 2], [8, 2.5], [9, 6], [6, 4.5], [4, 6], [7, 8], [3.5, 4.5], [5, 3], [8, 4]], float
)
TEST = np.array([[3.2, 3.5], [5, 5], [7, 4], [8, 7], [6, 2.4]], float)


def seen(m, full=FULL):
    """Exact pixels of floor points."""
    h = np.c_[m, np.zeros(len(m)), np.ones(len(m))] @ full.T
    return h[:, :2] / h[:, 2:]


def noisy(m, seed, click_px=2.0, measured_m=0.05):
    """Clicks with the doubt they are said to have."""
    rng = np.random.default_rng(seed)
    return Clicks(
        seen(m) + rng.normal(0, click_px, m.shape),
        m + rng.normal(0, measured_m, m.shape),
        click_px,
        max(measured_m, 1e-6),
    )


def record(found, **options):
    """The camera's record after a calibration."""
    return Camera(**{**BLANK.model_dump(), "homography_px_to_local": found.homography, **options})


def test_the_free_homography_is_opencvs():
    """With exact metres the weighted fit is the least-squares homography of cv2.findHomography."""
    clicks = noisy(FLOOR, 5, click_px=4.0, measured_m=1e-9)
    ours = fit_model(FreePlane(clicks, Lens.of(BLANK)), clicks, np.full(3, np.nan)).pixels(TEST)
    h = np.c_[TEST, np.ones(len(TEST))] @ cv2.findHomography(clicks.m, clicks.px, 0)[0].T
    assert ours == pytest.approx(h[:, :2] / h[:, 2:], abs=0.05)


def test_bending_and_flattening_are_inverse():
    """Lens distortion is undone to a twentieth of a pixel."""
    lens = Lens(FOCAL, WIDTH / 2, HEIGHT / 2, (-0.25, 0.08, 0.001, -0.001, 0.0))
    px = np.random.default_rng(0).uniform([100, 100], [1200, 650], (50, 2))
    assert np.abs(lens.bend(px) - px).max() > 5
    assert lens.flatten(lens.bend(px)) == pytest.approx(px, abs=0.05)


@pytest.mark.parametrize("n", [4, 5, 10])
def test_exact_clicks_give_the_camera_back(n):
    """Floor, position and the height of heads come back from exact clicks alone."""
    found = calibrate(Clicks(seen(FLOOR[:n]), FLOOR[:n]), BLANK)
    assert found.fit.plain
    assert found.off is None
    assert found.fit.ground(seen(TEST)) == pytest.approx(TEST, abs=2e-3)
    assert found.fit.position()[0] == pytest.approx(POSE[0], abs=2e-3)
    heads = np.c_[TEST, np.full(len(TEST), 1.7), np.ones(len(TEST))] @ FULL.T
    heads = heads[:, :2] / heads[:, 2:]
    assert Projection(record(found)).at_height(heads, 1.7) == pytest.approx(TEST, abs=5e-3)


def test_stated_doubt_is_that_of_the_error():
    """Over many calibrations the ground's error is as large as the doubt that each states, and
    shrinks with more points.
    """
    medians = []
    for m in (FLOOR[:6], FLOOR):
        square = []
        error = []
        for seed in range(12):
            fit = calibrate(noisy(m, seed), BLANK).fit
            off = np.linalg.norm(fit.ground(seen(TEST)) - TEST, axis=1)
            square.append((off / fit.ground_sd(seen(TEST))) ** 2)
            error.append(off)
        assert 0.5 < np.mean(square) < 2.0
        medians.append(np.median(error))
    assert medians[1] < medians[0] < 0.15


def test_left_out_errors_are_larger_than_residuals():
    """A point's error without its own help is the honest one; with four points there is none."""
    found = calibrate(noisy(FLOOR, 1), BLANK)
    assert (found.left_out_m > np.linalg.norm(found.residual_m, axis=1)).all()
    assert np.isnan(calibrate(noisy(FLOOR[:4], 1), BLANK).left_out_m).all()


@pytest.mark.parametrize("bad", range(7))
def test_one_bad_click_is_named_and_left_out(bad):
    """A click a metre beside its place is found among seven, and the floor is as good as without
    it.
    """
    clicks = noisy(FLOOR[:7], 4)
    clicks.px[bad] = seen(FLOOR[bad : bad + 1] + np.array([0.6, -0.8]))[0]
    found = calibrate(clicks, BLANK)
    assert found.off == bad
    assert f"point {bad + 1} " in found.notes[0]
    assert np.linalg.norm(found.fit.ground(seen(TEST)) - TEST, axis=1).max() < 0.4


def test_a_bad_click_among_five_is_not_guessed():
    """Five points show that something is wrong but not what: refused, with the likeliest ones."""
    clicks = noisy(FLOOR[:5], 4)
    clicks.px[2] += [60, -60]
    with pytest.raises(BadInput, match=r"disagree .* largest errors"):
        calibrate(clicks, BLANK)


def test_two_bad_clicks_are_refused():
    """No single point explains two wrong ones."""
    clicks = noisy(FLOOR, 4)
    clicks.px[[1, 6]] += [[80, 30], [-70, 40]]
    with pytest.raises(BadInput, match="no single point"):
        calibrate(clicks, BLANK)


def test_lens_distortion_is_fitted_where_it_shows():
    """k1 of a bent picture comes back from many points, and is left at 0 for a straight one."""
    m = np.random.default_rng(0).uniform([2, 2], [10, 8], (40, 2))
    flat = seen(m)
    inside = ((flat > 0) & (flat < [WIDTH, HEIGHT])).all(1)
    m = m[inside]
    flat = flat[inside]
    rays = np.c_[(flat - [WIDTH / 2, HEIGHT / 2]) / FOCAL, np.ones(len(m))]
    matrix = np.array([[FOCAL, 0, WIDTH / 2], [0, FOCAL, HEIGHT / 2], [0, 0, 1.0]])
    bent = cv2.projectPoints(
        rays, np.zeros(3), np.zeros(3), matrix, np.array([-0.3, 0, 0, 0, 0.0])
    )[0].reshape(-1, 2)
    noise = np.random.default_rng(1).normal(0, 0.5, bent.shape)
    found = calibrate(Clicks(bent + noise, m, 0.5, 0.005), BLANK)
    assert found.fit.lens.distortion[0] == pytest.approx(-0.3, abs=0.05)
    assert any("lens" in note for note in found.notes)
    straight = calibrate(Clicks(flat + noise, m, 0.5, 0.005), BLANK)
    assert straight.fit.lens.distortion == ()


def test_a_known_lens_is_kept():
    """Intrinsics and distortion of the record are used as they are."""
    given = {"fx": FOCAL, "fy": FOCAL, "cx": WIDTH / 2, "cy": HEIGHT / 2}
    known = Camera(
        **{**BLANK.model_dump(), "intrinsics": given, "distortion": (-0.2, 0.02, 0, 0, 0)}
    )
    view = Projection(
        known.model_copy(update={"homography_px_to_local": calibrate(_exact(), BLANK).homography})
    )
    grid = np.random.default_rng(2).uniform([200, 250], [1000, 700], (12, 2))
    m = view.at_height(view.undistort(grid), 0.0)
    found = calibrate(Clicks(grid, m), known)
    assert np.abs(found.residual_px).max() < 0.1
    assert found.fit.lens is found.fit.model.lens


def _exact():
    return Clicks(seen(FLOOR), FLOOR)


def test_pixels_that_are_not_square_leave_the_floor_alone():
    """A picture that was turned and stretched fits no plain camera: the floor is right all the
    same, and the user is told.

    (Stretched alone it would be one: a level camera of another tilt and focal length sees the floor
    the same.)
    """

    def turned(m):
        rotation = np.array([[0.94, -0.34], [0.34, 0.94]])
        return (seen(m) - [640, 360]) @ rotation.T * [0.6, 0.42] + [640, 360]

    clicks = Clicks(turned(FLOOR), FLOOR, 0.5, 0.005)
    found = calibrate(clicks, BLANK)
    assert not found.fit.plain
    assert found.off is None
    assert found.fit.ground(turned(TEST)) == pytest.approx(TEST, abs=0.02)
    assert any("plain camera" in note for note in found.notes)


def test_a_measured_height_steadies_the_camera():
    """With its height stated the camera's height is known better, and heights of people with it."""
    free = calibrate(noisy(FLOOR[:5], 2), BLANK).fit.position()
    held = calibrate(noisy(FLOOR[:5], 2), BLANK, (None, None, 2.7)).fit.position()
    assert held[1][2] < free[1][2]
    assert held[0][2] == pytest.approx(2.7, abs=0.15)


def test_a_wrong_position_is_told():
    """A stated position that the points contradict by more than a tape errs is a note, not silently
    averaged in.
    """
    found = calibrate(noisy(FLOOR, 2), BLANK, (0.3, 0.3, 4.2))
    assert any("stated position" in note for note in found.notes)
    assert not any(
        "stated position" in n for n in calibrate(noisy(FLOOR, 2), BLANK, (0.35, 0.25, 2.75)).notes
    )


@pytest.mark.parametrize(
    ("px", "m", "says"),
    [
        (seen(FLOOR[:3]), FLOOR[:3], "at least 4"),
        (seen(FLOOR[[0, 1, 2, 2]]), FLOOR[[0, 1, 2, 2]], "points 3 and 4 are the same"),
        (
            seen(np.array([[3, 3], [4, 4], [5, 5], [6, 6.0]])),
            np.array([[3, 3], [4, 4], [5, 5], [6, 6.0]]),
            "all points lie",
        ),
        (
            seen(np.array([[3, 3], [4, 4], [5, 5], [6, 2.0]])),
            np.array([[3, 3], [4, 4], [5, 5], [6, 2.0]]),
            "all points but 4",
        ),
        (seen(FLOOR[[0, 1, 3, 5]]), FLOOR[[0, 3, 1, 5]], "horizon"),
        (seen(FLOOR), FLOOR[:, ::-1].copy(), "mirrored"),
    ],
    ids=[
        "three",
        "double",
        "on a line",
        "three of four on a line",
        "wrong order",
        "x and y exchanged",
    ],
)
def test_points_that_fix_no_plane_are_refused(px, m, says):
    """Each way in which points say nothing is one clear line."""
    with pytest.raises(BadInput, match=says):
        calibrate(Clicks(px, m), BLANK)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x,y\n1,2\n", "px, py, x_m, y_m is missing"),
        ("px,py,x_m,y_m\n1,2,3\n", "line 2: expected four numbers"),
        ("px,py,x_m,y_m\n1,2,3,nan\n", "line 2: expected four numbers"),
        ("px,py,x_m,y_m\n1,2,3,4\n1400,2,3,4\n", "line 3: 1400, 2 px is outside"),
        ("", "is missing"),
    ],
)
def test_bad_files_of_points_are_named_by_line(text, says):
    """The line and what was expected are said."""
    with pytest.raises(BadInput, match=says):
        read_clicks(text, "points.csv", WIDTH, HEIGHT, 2.0, 0.05)


def test_a_file_of_points_is_read():
    """Other columns, blanks and a byte-order mark do no harm."""
    rows = "".join(
        f"{p[0]:.1f}, {p[1]:.1f}, {m[0]}, {m[1]}, tile\n"
        for p, m in zip(seen(FLOOR), FLOOR, strict=True)
    )
    clicks = read_clicks(
        "\ufeffpx, py, x_m, y_m, note\n" + rows, "points.csv", WIDTH, HEIGHT, 2.0, 0.05
    )
    check(clicks)
    assert clicks.m == pytest.approx(FLOOR)


def test_suggested_coverage_is_floor_that_is_seen_and_known():
    """The suggestion holds the measured points, shows no floor outside the picture, and ends where
    the points say little.
    """
    found = calibrate(noisy(FLOOR, 3), BLANK)
    area = Polygon(coverage(found.fit, record(found)))
    assert area.is_valid
    assert all(area.buffer(0.2).contains(Point(p)) for p in FLOOR)
    assert not area.contains(Point(-3, -3))
    assert not area.contains(Point(60, 48))
    few = calibrate(noisy(FLOOR[:4], 3), BLANK)
    assert Polygon(coverage(few.fit, record(few))).area < area.area


def test_the_picture_marks_points_and_horizon():
    """Clicked points are red crosses where they were clicked, the off one has another colour, the
    horizon is at its row.
    """
    full = projection((0.3, 0.3, 2.7), (9.0, 7.0))
    clicks = Clicks(seen(FLOOR[2:], full), FLOOR[2:])
    clicks.px[2] = seen(FLOOR[4:5] + np.array([0.6, -0.8]), full)[0]
    found = calibrate(clicks, BLANK)
    drawn = draw(np.zeros((HEIGHT, WIDTH, 3), np.uint8), found, record(found))
    x, y = clicks.px.round().astype(int).T
    assert (drawn[y[[0, 1, 3]], x[[0, 1, 3]]] == [0, 0, 255]).all()
    assert drawn[y[2], x[2]].tolist() == [255, 0, 255]
    column = drawn[:, 900].astype(int)
    blue = np.flatnonzero((column[:, 0] > 200) & (column[:, 2] < 60))
    assert np.median(blue) == pytest.approx(seen(np.array([[9e5, 7e5]]), full)[0, 1], abs=3)
