"""Feet hidden behind a box: the other camera says how tall somebody is, and so where they stand."""

import numpy as np
import pandas as pd
import pytest
from walk_scene import T0, observe, owner, site, two_cameras, way

from data_contracts.tables.contracts import DETECTIONS, TRACKS
from data_contracts.tables.validate import validate
from tasks.people.join import join
from tasks.people.other_view import settle_heights
from tasks.people.site_tracks import track_site
from tasks.people.track import track

CAMERAS = two_cameras()
SITE = site(*(c for c, _ in CAMERAS))
# A desk 0.75 m high (x0, y0, x1, y1, z) between camera a and who stands at (5, 5.6).
DESK = (4.0, 4.6, 6.0, 5.2, 0.75)
BEHIND = (5.0, 5.6)
WAY = ((0, 1.5, 4), (4, 5, 2.2), (6, 6.5, 3.2), (8, 6.8, 5.6), (10, *BEHIND), (34, *BEHIND),
       (37, 8.4, 5.4), (40, 8.5, 2))  # fmt: skip
STANDING = (11.0, 33.0)


def lowest_m(eye, xy):
    """Height of the lowest point of a body at `xy` that a camera at `eye` sees over the desk."""
    for z in np.arange(0.0, 1.0, 0.02):
        points = eye + (np.array([*xy, z]) - eye) * np.linspace(0, 1, 100)[:, None]
        x, y, height = points.T
        in_desk = (DESK[0] < x) & (x < DESK[2]) & (DESK[1] < y) & (y < DESK[3])
        if not (in_desk & (height < DESK[4])).any():
            return z
    return 1.0


def behind_the_desk(heights, ways, seconds=40):
    """DETECTIONS with feet cut off where the desk hides them, and who is who."""
    walkers = {name: (heights[name], way(*ways[name])) for name in heights}
    _, truth = observe(CAMERAS, walkers, seconds, np.random.default_rng(0))
    for camera, full in CAMERAS:
        eye = np.array(camera.position_local_m)
        for i in truth.index[truth["camera_id"] == camera.camera_id]:
            at = (truth.at[i, "t_utc"] - pd.Timestamp(T0)).total_seconds()
            xy = walkers[truth.at[i, "who"]][1](at)
            z = lowest_m(eye, xy)
            if z > 0:
                foot = full @ np.array([*xy, z, 1.0])
                truth.at[i, "y1"] = foot[1] / foot[2]
    return DETECTIONS.shape(truth), truth


def off_m(tracks, camera, path, span=STANDING):
    """Median distance of a camera's positions from the truth in a span of seconds."""
    rows = tracks[(tracks["camera_id"] == camera) & tracks["x_m"].notna()]
    at = (rows["t_utc"] - pd.Timestamp(T0)).dt.total_seconds().to_numpy()
    inside = (at >= span[0]) & (at <= span[1])
    true = np.array([path(t) for t in at[inside]])
    return float(np.median(np.hypot(*(rows[["x_m", "y_m"]].to_numpy()[inside] - true).T)))


@pytest.mark.parametrize("height", [1.5, 1.68, 1.8, 1.95])
def test_somebody_behind_a_desk_stands_where_they_stand(height):
    """Short or tall: one person, a hand's breadth from the truth also on the camera that does not
    see the feet.
    """
    found, _ = behind_the_desk({"s": height}, {"s": WAY})
    tracks = track_site(found, SITE)
    validate(tracks, TRACKS)
    assert off_m(tracks, "a", way(*WAY)) < 0.25
    persons, _ = join(tracks, SITE, np.random.default_rng(0))
    assert persons["person_id"].nunique() == 1


def test_one_camera_alone_places_a_tall_person_behind_a_desk_wrongly():
    """Why the other view is asked: cut at the desk, 1.80 m look like 1.68 m two metres further."""
    found, _ = behind_the_desk({"s": 1.8}, {"s": WAY})
    alone = pd.concat([track(found, c) for c, _ in CAMERAS], ignore_index=True)
    assert off_m(alone, "a", way(*WAY)) > 1.0
    persons, _ = join(alone, SITE, np.random.default_rng(0))
    assert persons["person_id"].nunique() == 2


def test_two_people_side_by_side_stay_two():
    """Two behind the desk, 0.9 m apart and of the same height: both placed right, and two."""
    beside = tuple((t, x + 0.9, y) for t, x, y in WAY)
    ways = {"s": WAY, "a": beside}
    found, truth = behind_the_desk({"s": 1.8, "a": 1.8}, ways)
    tracks = track_site(found, SITE)
    persons, members = join(tracks, SITE, np.random.default_rng(0))
    who = owner(tracks, truth)
    for _, part in members.groupby("person_id"):
        names = {who[key][0] for key in zip(part["camera_id"], part["track_id"], strict=True)}
        assert len(names) == 1
    at = pd.Timestamp(T0) + pd.Timedelta(seconds=20)
    there = persons[persons["t_utc"] == at]
    assert len(there) == 2
    assert np.allclose(np.sort(there["x_m"]), [5.0, 5.9], atol=0.25)


def test_what_agrees_is_not_touched():
    """Nobody is hidden: every position is what each camera said."""
    path = ((0, 2, 3), (10, 8, 3.5), (20, 3, 4))
    found, _ = observe(CAMERAS, {"s": (1.8, way(*path))}, 20, np.random.default_rng(1))
    alone = pd.concat([track(found, c) for c, _ in CAMERAS], ignore_index=True)
    pd.testing.assert_frame_equal(settle_heights(alone, SITE), alone)
