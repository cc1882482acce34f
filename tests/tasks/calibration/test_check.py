"""Check a camera: right calibrations pass, wrong ones are told with the direction in which they are
wrong.
"""

import re
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from walk_scene import FOCAL, HEIGHT, WIDTH, camera, observe, projection, way

from data_contracts.camera import Camera, read_site_file
from data_contracts.errors import BadInput
from data_contracts.tables.contracts import DETECTIONS
from tasks.calibration.check import check_heights, walkers
from tasks.calibration.record_check import check_record, check_units

DEMO = Path(__file__).parents[3] / "demo"
SITE = read_site_file(DEMO / "cameras.geojson")
NAMES = [c.camera_id for c in SITE.cameras]
POSE = ((0.3, 0.3, 2.7), (6.0, 5.0))
K = np.array([[FOCAL, 0, WIDTH / 2], [0, FOCAL, HEIGHT / 2], [0, 0, 1.0]])


@cache
def demo_boxes(name):
    """DETECTIONS of the demo's whole people from its exact boxes: those hardly hidden, of the first
    90 s.
    """
    truth = pd.read_csv(DEMO / "truth" / "boxes.csv", parse_dates=["t_utc"])
    truth = truth[(truth["camera"] == name) & (truth["visible"] > 0.8)]
    truth = truth[truth["t_utc"] < truth["t_utc"].min() + pd.Timedelta(seconds=90)]
    return DETECTIONS.shape(
        truth.rename(columns={"camera": "camera_id"}).assign(score=0.9, foot_hidden=False)
    )


@cache
def volunteer(height=1.75):
    """DETECTIONS of one person who walks near and far, left and right, in a room 14 m deep."""
    walk = way(
        (0, 3, 2), (6, 10, 3), (12, 11, 10), (18, 4, 9), (24, 3, 3), (30, 11, 9), (36, 2.5, 2.5)
    )
    view = camera("a", *POSE, position_local_m=None)
    return observe(
        [(view, projection(*POSE))], {"v": (height, walk)}, 36, np.random.default_rng(1), miss=0.0
    )[0]


def changed(given, homography=None, **options):
    """A camera with another homography and other fields."""
    options |= {} if homography is None else {"homography_px_to_local": homography.tolist()}
    return Camera(**{**given.model_dump(), **options})


def bare(given):
    """A camera of which only the homography is known."""
    return changed(given, position_local_m=None, intrinsics=None, distortion=())


def turned(given, matrix, degrees, axis):
    """The file's camera when the real one has turned since: `x` further down, `z` about its optical
    axis.
    """
    a = np.radians(degrees)
    c = np.cos(a)
    s = np.sin(a)
    about = {"x": [[1, 0, 0], [0, c, -s], [0, s, c]], "z": [[c, -s, 0], [s, c, 0], [0, 0, 1]]}[axis]
    return changed(given, given.homography @ matrix @ np.array(about) @ np.linalg.inv(matrix))


def kinds(found):
    """The warnings' first words."""
    return {text.split(":")[0] for text in found}


def judged(detections, given, stated_m=None):
    """Kinds of warnings about heights."""
    return kinds(check_heights(walkers(detections, given), given, stated_m).warnings)


@pytest.mark.parametrize("name", NAMES)
def test_the_demo_cameras_pass(name):
    """Right calibrations give no warning, with all that the file says and from the homography
    alone.
    """
    assert check_record(SITE.by_id[name]) == ()
    assert judged(demo_boxes(name), SITE.by_id[name]) == set()
    assert judged(demo_boxes(name), bare(SITE.by_id[name])) == set()


@pytest.mark.parametrize("name", NAMES)
def test_metres_that_are_too_long_are_told(name):
    """Scaled by 1.15, a camera is not where the file says; from the homography alone people are as
    much too tall, which is told where their height is stated, or where they are not as small as the
    people at the desk.
    """
    scaled = changed(SITE.by_id[name], np.diag([1.15, 1.15, 1]) @ SITE.by_id[name].homography)
    assert kinds(check_record(scaled)) == {"position"}
    seen = walkers(demo_boxes(name), bare(scaled))
    right = check_heights(walkers(demo_boxes(name), SITE.by_id[name]), SITE.by_id[name])
    stated = check_heights(seen, bare(scaled), right.height_m)
    assert stated.height_m == pytest.approx(1.15 * right.height_m, rel=0.02)
    assert any(
        "too long by about 15%" in text or "too long by about 14%" in text
        for text in stated.warnings
    )
    if name in ("lobby-a", "corridor"):
        assert "scale" in kinds(check_heights(seen, bare(scaled)).warnings)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("degrees", [-4, 4])
def test_a_camera_that_moved_is_told(name, degrees):
    """Four degrees of tilt are told on every demo camera, with the right direction where farther
    people changed.
    """
    given = SITE.by_id[name]
    k = given.intrinsics
    matrix = np.array([[k["fx"], 0, k["cx"]], [0, k["fy"], k["cy"]], [0, 0, 1.0]])
    moved = turned(given, matrix, degrees, "x")
    found = check_heights(walkers(demo_boxes(name), moved), moved)
    assert kinds(found.warnings) & {"tilt", "scale"}
    for text in found.warnings:
        if text.startswith("tilt"):
            assert ("looks further down" if degrees > 0 else "looks less far down") in text


@pytest.mark.parametrize(("name", "other"), [(a, b) for a in NAMES for b in NAMES if a != b])
def test_another_cameras_homography_is_told(name, other):
    """A homography copied from any other camera contradicts the file's own position."""
    assert kinds(check_record(changed(SITE.by_id[name], SITE.by_id[other].homography))) == {
        "position"
    }


def test_another_cameras_homography_shows_in_heights():
    """Where the cameras look differently it shows in walkers alone."""
    wrong = bare(changed(SITE.by_id["lobby-a"], SITE.by_id["corridor"].homography))
    assert "scale" in judged(demo_boxes("lobby-a"), wrong)


def test_a_volunteer_of_known_height_tells_small_errors():
    """With the height stated, 6 % of scale is told and 1 % is let pass; without it one person tells
    neither.
    """
    right = camera("a", *POSE, position_local_m=None)
    assert judged(volunteer(), right, 1.75) == set()
    long = changed(right, np.diag([1.06, 1.06, 1]) @ right.homography)
    assert judged(volunteer(), long, 1.75) == {"scale"}
    assert judged(volunteer(), long) == set()
    assert (
        judged(volunteer(), changed(right, np.diag([1.01, 1.01, 1]) @ right.homography), 1.75)
        == set()
    )


@pytest.mark.parametrize(("degrees", "axis", "says"), [
    (2, "x", (
        "tilt: far from the camera people appear .* taller .* looks further down .* by about "
        "[123]"
    )),
    (-2, "x", (
        "tilt: far from the camera people appear .* smaller .* looks less far down .* by "
        "about [123]"
    )),
    (6, "z", "turn: people appear .* taller on the left"),
    (-6, "z", "turn: people appear .* taller on the right"),
])  # fmt: skip
def test_the_direction_of_a_wrong_pose_is_told(degrees, axis, says):
    """Which way the camera turned is said, and for the tilt about how far."""
    wrong = turned(camera("a", *POSE, position_local_m=None), K, degrees, axis)
    warnings = check_heights(walkers(volunteer(), wrong), wrong, 1.75).warnings
    assert any(re.match(says, text) for text in warnings), warnings


def test_people_outside_the_coverage_are_told():
    """A coverage that is another camera's is told by where people stand."""
    away = camera("a", *POSE, coverage_local_m=((20, 20), (26, 20), (26, 26), (20, 26)))
    assert "coverage" in judged(volunteer(), away, 1.75)


def test_one_place_tells_no_tilt():
    """Someone who stands at one place tells the scale only, and says so."""
    walk = way((0, 6, 5), (20, 6.05, 5))
    view = camera("a", *POSE)
    seen = observe([(view, projection(*POSE))], {"v": (1.7, walk)}, 20, np.random.default_rng(1))[0]
    found = check_heights(walkers(seen, view), view)
    assert np.isnan([found.far_m, found.right_m]).all()
    assert found.warnings == ()


def test_too_little_footage_is_refused():
    """A second of walking is not a check."""
    view = camera("a", *POSE)
    with pytest.raises(BadInput, match="at least 8 s"):
        check_heights(walkers(volunteer().iloc[:5], view), view)
    with pytest.raises(BadInput, match="not calibrated"):
        walkers(volunteer(), Camera(camera_id="a", image_width=WIDTH, image_height=HEIGHT))


def test_a_measured_position_is_allowed_to_be_off_as_tapes_are():
    """Ten centimetres are not a contradiction, half a metre is."""
    assert check_record(camera("a", *POSE, position_local_m=(0.36, 0.3, 2.78))) == ()
    assert kinds(check_record(camera("a", *POSE, position_local_m=(0.3, 0.3, 3.3)))) == {"position"}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("placed", [True, False])
def test_a_file_in_centimetres_or_with_pixels_of_0_to_1_is_told(name, placed):
    """Whether the file states the camera's position, in the same unit, or not; the demo's own file
    is in metres and pixels.
    """
    right = SITE.by_id[name]
    assert check_units(right) == ()
    place = tuple(100 * v for v in right.position_local_m) if placed else None
    centimetres = changed(right, np.diag([100, 100, 1]) @ right.homography)
    centimetres = centimetres.model_copy(update={"position_local_m": place})
    assert kinds(check_units(centimetres)) == {"metres"}
    shares = changed(right, right.homography @ np.diag([right.image_width, right.image_height, 1]))
    if not placed:
        shares = shares.model_copy(update={"position_local_m": None})
    assert kinds(check_units(shares)) == {"pixels"}
