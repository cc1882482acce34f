"""Short bodies and hidden feet: a child and a wheelchair stand where their feet are, somebody
behind a desk does not.
"""

import numpy as np
import pandas as pd
import pytest
from walk_scene import T0, observe, site, two_cameras, way

from data_contracts.tables.contracts import TRACKS
from data_contracts.tables.validate import validate
from tasks.people.join import join
from tasks.people.seen_feet import settle_short_and_tall
from tasks.people.site_tracks import track_site
from tasks.people.track import track

CAMERAS = two_cameras()
SITE = site(*(c for c, _ in CAMERAS))
ALONE = site(CAMERAS[0][0])
AHEAD = ((0, 2, 3), (10, 8, 3.4), (20, 2, 4.2))
AFTER = ((22, 2, 3), (32, 8, 3.4), (42, 2, 4.2))
SITS = ((22, 5, 3.2), (42, 5, 3.2))


def seen_by(cameras, **walkers):
    """DETECTIONS of walkers (height, way)."""
    people = {name: (height, way(*points)) for name, (height, points) in walkers.items()}
    found, _ = observe(cameras, people, 42, np.random.default_rng(3))
    return found


def of_second(tracks, points):
    """Positions of who came after second 21, the truth, and their covariances."""
    at = (tracks["t_utc"] - pd.Timestamp(T0)).dt.total_seconds().to_numpy()
    rows = tracks[(at > 22) & tracks["x_m"].notna().to_numpy()]
    at = (rows["t_utc"] - pd.Timestamp(T0)).dt.total_seconds()
    true = np.array([way(*points)(min(t, 42.0)) for t in at])
    off = rows[["x_m", "y_m"]].to_numpy() - true
    cov = rows[["cov_xx", "cov_xy", "cov_xy", "cov_yy"]].to_numpy().reshape(-1, 2, 2)
    return off, cov


@pytest.mark.parametrize(
    ("height", "points"),
    [(0.95, AFTER), (1.15, AFTER), (1.25, SITS), (2.05, AFTER)],
    ids=["a small child", "a child", "a wheelchair", "very tall"],
)
def test_where_others_feet_were_seen_feet_are_seen(height, points):
    """One camera: who is as short or as tall as they look stands where their feet are."""
    found = seen_by(CAMERAS[:1], first=(1.7, AHEAD), second=(height, points))
    tracks = track_site(found, ALONE)
    validate(tracks, TRACKS)
    off, _ = of_second(tracks, points)
    assert np.median(np.hypot(*off.T)) < 0.2


@pytest.mark.parametrize("height", [0.95, 1.15, 1.3])
def test_where_nothing_tells_the_deviation_is_stated(height):
    """Nobody's feet were ever seen there: the place is an adult's, and the truth lies within three
    of its deviations.
    """
    tracks = track_site(seen_by(CAMERAS[:1], second=(height, AFTER)), ALONE)
    off, cov = of_second(tracks, AFTER)
    squared = np.einsum("ni,nij,nj->n", off, np.linalg.inv(cov), off)
    assert np.median(np.sqrt(squared)) < 3.5


def test_a_child_on_two_cameras_is_one_person():
    """Each camera alone would place them as an adult further away, in its own direction."""
    found = seen_by(CAMERAS, second=(1.1, AFTER))
    persons, _ = join(track_site(found, SITE), SITE, np.random.default_rng(0))
    assert persons["person_id"].nunique() == 1


def test_people_of_usual_height_are_not_touched():
    """1.5 to 1.85 m in full view."""
    found = seen_by(CAMERAS[:1], first=(1.5, AHEAD), second=(1.85, AFTER))
    alone = track(found, CAMERAS[0][0])
    pd.testing.assert_frame_equal(settle_short_and_tall(alone, ALONE), alone)
