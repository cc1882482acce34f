"""The camera file: what is read, and one clear line for each way in which it can be wrong."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest

from data_contracts import camera as module
from data_contracts.camera import Camera, read_site, read_site_file
from data_contracts.errors import BadInput
from tasks.calibration.camera_file import with_camera, without_fitted

CAMERAS = Path(__file__).parents[2] / "demo" / "cameras.geojson"
DEMO = json.loads(CAMERAS.read_text())


def changed(change):
    """The demo's file after `change(features)`, as text."""
    data = copy.deepcopy(DEMO)
    change(data["features"])
    return json.dumps(data)


def put(name, value, which=1):
    """A change of one property of one camera."""
    return lambda features: features[which]["properties"].__setitem__(name, value)


def polygon(*ring):
    """A GeoJSON polygon of offsets (lon, lat) from the demo's origin in 1e-5 degrees."""
    corners = [[126.766 + x * 1e-5, 37.5035 + y * 1e-5] for x, y in ring]
    return {"type": "Polygon", "coordinates": [corners]}


SWAPPED = polygon((0, 0), (10, 0), (10, 10), (0, 0))
SWAPPED["coordinates"][0] = [[lat, lon] for lon, lat in SWAPPED["coordinates"][0]]


def test_the_demo_is_read():
    """Four cameras with coverage, homography and neighbours; local metres go to degrees and
    back.
    """
    site = read_site_file(CAMERAS)
    assert [c.camera_id for c in site.cameras] == ["lobby-a", "lobby-b", "entrance", "corridor"]
    assert all(c.homography is not None and c.polygon.area > 10 for c in site.cameras)
    assert site.overlapping("lobby-a", "lobby-b")
    assert site.origin.to_local(*site.origin.to_wgs84(12.3, -4.5)) == pytest.approx(
        (12.3, -4.5), abs=1e-6
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (put("image_width", 0), "number 2 lobby-b .*image_width"),
        (put("image_width", 10**9), "number 2 lobby-b .*image_width"),
        (put("image_height", None), "number 2 lobby-b .*image_height"),
        (put("camera_id", "lobby-a"), "unique; lobby-a is there more than once"),
        (put("camera_id", "a/b"), "object keys"),
        (put("homography_px_to_local", [[1, 0, 0], [0, 1, 0]]), "number 2 lobby-b .*homography"),
        (put("homography_px_to_local", "none"), "number 2 lobby-b .*homography"),
        (
            put("homography_px_to_local", [[1, 0, float("nan")], [0, 1, 0], [0, 0, 1]]),
            "NaN is not a JSON number",
        ),
        (put("position_local_m", [1, 2]), "number 2 lobby-b .*position"),
        (put("intrinsics", {"fx": 0}), "above 0"),
        (put("distortion", [0.1, 0.2, 0.3]), "k1, k2, p1, p2, k3"),
        (
            put("neighbours", [{"camera_id": "lobby-c", "walking_seconds": 3}]),
            "lobby-b names the neighbour lobby-c",
        ),
        (
            put("neighbours", [{"camera_id": "lobby-b", "walking_seconds": 3}]),
            "lobby-b names the neighbour lobby-b",
        ),
        (put("neighbours", [{"camera_id": "lobby-a", "walking_seconds": -3}]), "walking_seconds"),
        (
            put("coverage", polygon((0, 0), (10, 10), (10, 0), (0, 10), (0, 0))),
            "cross itself.*Self-intersection",
        ),
        (put("coverage", polygon((0, 0), (10, 10))), "2 corners"),
        (put("coverage", {"type": "Point", "coordinates": [1, 2]}), "Polygon with one ring"),
        (
            put("coverage", {"type": "MultiPolygon", "coordinates": [[[[1, 2]]]]}),
            "Polygon with one ring",
        ),
        (put("coverage", SWAPPED), "longitude, then latitude"),
        (
            put("local_origin", {"lon": 37.5, "lat": 126.7}, 0),
            "local_origin of the first camera: lat",
        ),
        (put("local_origin", {"lon": 126.7}, 0), "lacks local_origin"),
        (lambda features: features.clear(), "at least one camera"),
        (lambda features: features.__setitem__(1, "lobby-b"), "number 2 .*cannot be read"),
        (lambda features: features[1].pop("properties"), "number 2 .*cannot be read"),
    ],
)
def test_a_wrong_file_is_one_clear_line(change, says):
    """The camera and the field are named, whatever is wrong."""
    with pytest.raises(BadInput, match=says) as error:
        read_site(changed(change))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"features": 3}', "[" * 100_000, b"\xff\xfe\x00"]
)
def test_other_files_are_refused(text):
    """What is not GeoJSON is said to be none; nothing else is raised."""
    with pytest.raises(BadInput, match="expected"):
        read_site(text)


def test_a_huge_file_is_not_parsed(monkeypatch):
    """The size is checked before anything is read."""
    monkeypatch.setattr(module, "MAX_BYTES", 1000)
    with pytest.raises(BadInput, match="at most"):
        read_site(CAMERAS.read_bytes())


@pytest.mark.parametrize(
    "matrix",
    [[[0] * 3] * 3, [[1, 2, 3], [2, 4, 6], [0, 0, 1]], [[1e-3, 0, 0], [0, 1e-3, 0], [0, 0, 0]]],
)
def test_a_homography_that_maps_to_a_line_costs_that_camera_alone(matrix):
    """The camera is read as not calibrated, with the reason; the others are as they were."""
    site = read_site(changed(put("homography_px_to_local", matrix)))
    assert site.by_id["lobby-b"].homography is None
    assert "cannot be inverted" in site.by_id["lobby-b"].calibration_fault
    assert site.by_id["lobby-a"] == read_site_file(CAMERAS).by_id["lobby-a"]


def test_what_a_calibration_fitted_is_not_taken_as_known():
    """A lens that an earlier calibration fitted is dropped before the next one, a stated lens is
    kept.
    """
    site = read_site_file(CAMERAS)
    lens = {"fx": 800.0, "fy": 800.0, "cx": 640.0, "cy": 360.0}
    bare = Camera(
        **{
            **site.by_id["lobby-b"].model_dump(),
            "intrinsics": lens,
            "distortion": (-0.1, 0, 0, 0, 0),
        }
    )
    text = with_camera(
        CAMERAS.read_bytes(), site.origin, bare, {"fitted": ["intrinsics", "distortion"]}
    )
    read = read_site(text).by_id["lobby-b"]
    assert read.intrinsics == lens
    assert without_fitted(read, text).intrinsics is None
    assert (
        without_fitted(site.by_id["lobby-a"], text).intrinsics == site.by_id["lobby-a"].intrinsics
    )
    again = with_camera(text, site.origin, without_fitted(read, text), {"fitted": []})
    assert read_site(again).by_id["lobby-b"].intrinsics is None


def test_numbers_survive_the_file():
    """A homography written and read back is the same to the last bit."""
    site = read_site_file(CAMERAS)
    h = tuple(map(tuple, np.random.default_rng(0).normal(size=(3, 3)).tolist()))
    own = Camera(**{**site.by_id["entrance"].model_dump(), "homography_px_to_local": h})
    assert (
        read_site(with_camera(None, site.origin, own.model_copy(update={"neighbours": ()}), {}))
        .cameras[0]
        .homography_px_to_local
        == h
    )
