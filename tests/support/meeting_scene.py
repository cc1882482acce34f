"""Two walkers who meet before one camera: their tracks, right and exchanged."""

import numpy as np
import pandas as pd
from walk_scene import POSE_A, T0, camera, observe, projection, site, way

from data_contracts.tables.contracts import TRACKS
from tasks.people.piece import base_of
from tasks.people.track import track

CAMERA = camera("a", *POSE_A)
SITE = site(CAMERA)
SECONDS = 16
# One stands, the other walks past within half a metre at 8 s.
PASSING = {"stands": ((0, 5.0, 4.5), (SECONDS, 5.0, 4.5)), "walks": ((2, 2.0, 4.0), (14, 8.0, 4.0))}
MEET = 8.0
# Two come together, stand, and go back to where they came from, or through: nothing tells which.
MEETING = {
    "one": ((0, 4.2, 2.5), (4, 4.98, 4.2), (10, 4.98, 4.2), (14, 4.2, 6.5)),
    "two": ((0, 5.8, 2.5), (4, 5.02, 4.2), (10, 5.02, 4.2), (14, 5.8, 6.5)),
}


def seen(ways, heights=(1.7, 1.7)):
    """TRACKS of the camera, each of one person, and the names by track."""
    parts = []
    names = {}
    for k, ((name, points), height) in enumerate(zip(ways.items(), heights, strict=True), 1):
        walker = {name: (height, way(*points))}
        found, _ = observe([(CAMERA, projection(*POSE_A))], walker, SECONDS, rng(k), miss=0.0)
        own = track(found, CAMERA)
        assert own["track_id"].nunique() == 1
        parts.append(own.assign(track_id=k))
        names[k] = name
    return TRACKS.shape(pd.concat(parts, ignore_index=True)), names


def rng(seed):
    """Noise of a walker's own."""
    return np.random.default_rng(seed)


def exchanged(tracks, at_s):
    """The same where the two exchange their numbers from a moment on."""
    later = tracks["t_utc"] >= pd.Timestamp(T0) + pd.Timedelta(seconds=at_s)
    number = tracks["track_id"].where(~later, 3 - tracks["track_id"])
    return TRACKS.shape(tracks.assign(track_id=number))


def wrong_share(tracks, truth):
    """Share of rows that do not go on as the track that their person began as."""
    both = tracks.merge(truth[["t_utc", "x0", "y0", "track_id"]], on=["t_utc", "x0", "y0"])
    return float((base_of(both["track_id_x"]) != both["track_id_y"]).mean())
