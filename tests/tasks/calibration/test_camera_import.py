"""Many cameras from a table or a camera file: what is understood, what is refused, what stays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from data_contracts.camera import Origin, read_site
from tasks.calibration.camera_import import read_import

DEMO = (Path(__file__).parents[3] / "demo" / "cameras.geojson").read_bytes()
ORIGIN = Origin(lon=126.766, lat=37.5035)
TABLE = """camera_id;name;x_m;y_m;height_m;image_width;image_height;time_zone;vendor
gate-1;Gate, north;12.5;-3;3.1;1920;1080;Asia/Seoul;Hanwha
lobby-a;New name;;;;;;;
lobby-b;;;;;1280;720;;
"""


def test_a_table_is_understood() -> None:
    """A new camera, one with another name, one that stays; a column that nobody knows is told; the
    rest of the site stays as it is.
    """
    found = read_import(TABLE, DEMO, None)
    assert found.faults == ()
    assert [(c.camera_id, c.what) for c in found.changes] == [
        ("gate-1", "new"),
        ("lobby-a", "changed"),
        ("lobby-b", "same"),
    ]
    assert found.changes[1].properties == ("name",)
    assert found.unknown == ("vendor",)
    assert found.data is not None
    before = read_site(DEMO)
    after = read_site(found.data)
    assert after.by_id["gate-1"].position_local_m == (12.5, -3, 3.1)
    assert after.by_id["gate-1"].name == "Gate, north"
    assert after.by_id["lobby-a"].name == "New name"
    assert (
        after.by_id["lobby-a"].homography_px_to_local
        == before.by_id["lobby-a"].homography_px_to_local
    )
    assert after.by_id["corridor"] == before.by_id["corridor"]


def test_places_in_degrees_become_metres() -> None:
    """Longitude and latitude with a height are a position by the site's origin."""
    lon, lat = ORIGIN.to_wgs84(20.0, 8.0)
    row = f"camera_id,lon,lat,height_m,image_width,image_height\nx,{lon},{lat},3,640,480"
    found = read_import(row, DEMO, None)
    assert found.data is not None
    assert read_site(found.data).by_id["x"].position_local_m == pytest.approx((20, 8, 3), abs=0.01)


def test_a_new_site_needs_its_origin() -> None:
    """Without one the import says so; with one it makes a camera file."""
    row = "camera_id,image_width,image_height\na,640,480\nb,640,480"
    (fault,) = read_import(row, None, None).faults
    assert "local_origin" in fault
    found = read_import(row, None, ORIGIN)
    assert found.data is not None
    assert read_site(found.data).origin == ORIGIN


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "names its columns"),
        ("name,x_m\na,1", "camera_id among them"),
        ("camera_id\n", "no camera is in it"),
        ("camera_id,image_width\na,wide", "line 2: image_width: expected a number, got 'wide'"),
        ("camera_id,image_width\na,640.5", "whole number of px"),
        ("camera_id,x_m\nlobby-a,1", "line 2: a position needs"),
        ("camera_id\nlobby-a\nlobby-a", "lobby-a is there more than once"),
        ("camera_id\nnew-one", "new-one cannot be read: it lacks image_width"),
        ("camera_id,image_width,image_height\na/b,640,480", "no slash"),
        ("{", "GeoJSON"),
        ('{"features": []}', "no camera is in it"),
        ('{"features": [1]}', "GeoJSON"),
    ],
)
def test_what_is_wrong_is_told(text: str, told: str) -> None:
    """The line or the camera, and what was expected; and nothing is taken over."""
    found = read_import(text, DEMO, None)
    assert told in " ".join(found.faults)
    assert found.data is None


def test_a_camera_file_is_taken_as_it_is() -> None:
    """Its cameras are put in or changed; one whose metres begin elsewhere is refused, for its
    homographies would be wrong here.
    """
    given = json.loads(DEMO)
    given["features"] = given["features"][:1]
    given["features"][0]["properties"]["name"] = "Moved"
    found = read_import(json.dumps(given), DEMO, None)
    assert [(c.camera_id, c.what, c.properties) for c in found.changes] == [
        ("lobby-a", "changed", ("name",))
    ]
    assert found.data is not None
    assert len(read_site(found.data).cameras) == len(read_site(DEMO).cameras)
    given["features"][0]["properties"]["local_origin"]["lon"] += 0.01
    assert "same local_origin" in read_import(json.dumps(given), DEMO, None).faults[0]
