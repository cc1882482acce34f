"""Join: one person for the tracks of all cameras, by position and time alone; nobody is mixed
up.
"""

import numpy as np
import pandas as pd
import pytest
from walk_scene import T0, observe, owner, site, straight, two_cameras, way

from data_contracts.tables.contracts import MEMBERS, PERSONS, TRACKS
from data_contracts.tables.validate import validate
from tasks.people.join import join
from tasks.people.track import track

CAMERAS = two_cameras()
SITE = site(*(c for c, _ in CAMERAS))


def joined(walkers, seconds, seed=0, rng=0, **options):
    """Persons, members, and who each track is, for walkers in the two-camera room."""
    found, truth = observe(CAMERAS, walkers, seconds, np.random.default_rng(seed), **options)
    tracks = pd.concat([track(found, c) for c, _ in CAMERAS], ignore_index=True)
    persons, members = join(tracks, SITE, np.random.default_rng(rng))
    return tracks, persons, members, owner(tracks, truth)


def names_of(members, who):
    """{person_id: set of true names} of the members."""
    out = {}
    for person, cam, number in zip(
        members["person_id"], members["camera_id"], members["track_id"], strict=True
    ):
        out.setdefault(person, set()).add(who[cam, number][0])
    return out


def error_of(persons, path):
    """Distances of a person's rows from a true path."""
    at = (persons["t_utc"] - pd.Timestamp(T0)).dt.total_seconds()
    return np.array(
        [
            np.hypot(*(path(t) - xy))
            for t, xy in zip(at, persons[["x_m", "y_m"]].to_numpy(), strict=True)
            if path(t) is not None
        ]
    )


def test_two_views_of_one_walker_are_one_person():
    """Both cameras' tracks become one person, within 15 cm of the truth, every 200 ms."""
    path = straight((2, 2), (8, 6), 0.0)
    _, persons, members, _ = joined({"p": (1.7, path)}, 6)
    validate(persons, PERSONS)
    validate(members, MEMBERS)
    assert members["person_id"].nunique() == 1
    assert set(members["camera_id"]) == {"a", "b"}
    assert np.median(error_of(persons, path)) < 0.15
    assert (persons["t_utc"].diff().dropna() == pd.Timedelta(milliseconds=200)).all()


@pytest.mark.parametrize("seed", range(4))
def test_a_long_talk_does_not_swap(seed):
    """Two people who meet, talk at 0.8 m for half a minute and part stay two people, each one's way
    whole.
    """
    p = way((0, 2, 3), (4, 5, 4), (34, 5, 4), (38, 8, 2.5))
    q = way((2, 8.5, 6), (5, 5.3, 4.75), (34, 5.3, 4.75), (38, 3, 6.5))
    _, persons, members, who = joined({"p": (1.62, p), "q": (1.75, q)}, 39, seed)
    names = names_of(members, who)
    assert all(len(v) == 1 for v in names.values())
    assert len(names) == 2
    for person, (name,) in ((k, tuple(v)) for k, v in names.items()):
        error = error_of(persons[persons["person_id"] == person], {"p": p, "q": q}[name])
        assert np.median(error) < 0.2
        assert np.percentile(error, 99) < 0.6


def test_short_occlusion_is_bridged():
    """Someone hidden from both cameras for two and a half seconds is one person; the bridged rows
    say `seen` False.
    """
    path = straight((2, 2), (8, 6), 0.0, 1.0)

    def hidden(t):
        return None if 3.0 < t < 5.4 else path(t)

    tracks, persons, members, _ = joined({"p": (1.7, hidden)}, 7)
    assert tracks["track_id"].nunique() >= 2
    assert members["person_id"].nunique() == 1
    at = (persons["t_utc"] - pd.Timestamp(T0)).dt.total_seconds()
    assert not persons["seen"][(at > 3.3) & (at < 5.1)].any()
    assert error_of(persons, path).max() < 0.5


def test_leaving_and_coming_back_is_two_persons():
    """No identity outlasts the view: who leaves and returns after ten seconds is someone else."""
    walkers = {"p": (1.7, way((0, 3, 3), (4, 6, 5))), "again": (1.7, way((14, 6, 5), (18, 3, 3)))}
    assert joined(walkers, 19)[2]["person_id"].nunique() == 2


def test_one_camera_two_people_never_one():
    """Two tracks that one camera sees together are never one person, however close they walk."""
    walkers = {
        "p": (1.6, straight((2, 3), (7, 5), 0.0, 0.8)),
        "q": (1.8, straight((2.3, 3.5), (7.3, 5.5), 0.0, 0.8)),
    }
    tracks, _, members, who = joined(walkers, 7)
    assert sorted(map(sorted, names_of(members, who).values())) == [["p"], ["q"]]
    seen = tracks.merge(members, on=["camera_id", "track_id"])
    at_once = seen.groupby(["person_id", "camera_id", "t_utc"])["track_id"].nunique()
    assert len(at_once)
    assert (at_once == 1).all()


def test_names_mean_nothing():
    """Person ids change with the run's random state, and nothing else does."""
    walkers = {"p": (1.6, straight((2, 2), (8, 6), 0.0)), "q": (1.8, straight((8, 2), (2, 6), 0.0))}
    one = joined(walkers, 5, rng=1)
    two = joined(walkers, 5, rng=2)
    assert set(one[2]["person_id"]).isdisjoint(two[2]["person_id"])
    assert one[1]["x_m"].sum() == pytest.approx(two[1]["x_m"].sum())


def test_looks_are_not_used():
    """Mask and face columns change nothing in who is joined with whom."""
    walkers = {"p": (1.6, straight((2, 2), (8, 6), 0.0)), "q": (1.8, straight((8, 2), (2, 6), 0.0))}
    tracks, _, members, _ = joined(walkers, 5)
    rng = np.random.default_rng(5)
    marked = TRACKS.shape(
        tracks.assign(mask_p=rng.random(len(tracks)), subject_p=0.9, face_px=60.0)
    )
    _, again = join(marked, SITE, np.random.default_rng(0))
    assert again[["camera_id", "track_id", "person_id"]].equals(
        members[["camera_id", "track_id", "person_id"]]
    )


def test_no_tracks_no_persons():
    """Empty in, empty out, by contract."""
    persons, members = join(TRACKS.empty(), SITE, np.random.default_rng(0))
    validate(persons, PERSONS)
    validate(members, MEMBERS)
