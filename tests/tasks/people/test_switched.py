"""Tracks that go over to somebody else are cut where another camera kept the two apart."""

import numpy as np
import pandas as pd
import pytest
from walk_scene import T0, camera, observe, owner, projection, site, way

from data_contracts.tables.contracts import TRACKS
from data_contracts.tables.validate import validate
from tasks.people.join import join
from tasks.people.piece import PIECE
from tasks.people.switched import cut_switched
from tasks.people.track import track

# One camera looks along the line of two who talk, the other one across it.
POSES = {"along": ((5.0, 0.2, 2.7), (5.0, 5.0)), "across": ((0.2, 5.0, 2.7), (5.0, 5.0))}
CAMERAS = [(camera(n, *pose), projection(*pose)) for n, pose in POSES.items()]
SITE = site(*(c for c, _ in CAMERAS))
SECONDS = 40
PARTING = 20.0
# They talk 1.2 m apart, one before the other for the camera along; then each goes their own way.
WAYS = {
    "s": ((0, 5.0, 4.5), (PARTING, 5.0, 4.5), (24, 7.5, 4.0), (SECONDS, 7.5, 4.0)),
    "a": ((0, 5.25, 5.7), (PARTING, 5.25, 5.7), (24, 2.5, 6.5), (SECONDS, 2.5, 6.5)),
}


def seen():
    """TRACKS of both cameras, and who is who."""
    walkers = {name: (1.7, way(*points)) for name, points in WAYS.items()}
    found, truth = observe(CAMERAS, walkers, SECONDS, np.random.default_rng(0))
    tracks = pd.concat([track(found, c) for c, _ in CAMERAS], ignore_index=True)
    assert tracks.groupby("camera_id")["track_id"].nunique().tolist() == [2, 2]
    return tracks, truth


def exchanged(tracks, camera_id):
    """The same where the two tracks of a camera exchange who they are at the parting."""
    later = tracks["t_utc"] >= pd.Timestamp(T0) + pd.Timedelta(seconds=PARTING)
    number = tracks["track_id"].where(
        ~(later & (tracks["camera_id"] == camera_id)), 3 - tracks["track_id"]
    )
    return TRACKS.shape(tracks.assign(track_id=number))


def persons_of(tracks, truth):
    """The names that each joined person's tracks have, and the shares that are."""
    _, members = join(tracks, SITE, np.random.default_rng(0))
    who = owner(tracks, truth)
    return [
        [who[key] for key in zip(part["camera_id"], part["track_id"], strict=True)]
        for _, part in members.groupby("person_id")
    ]


def test_exchanged_tracks_are_cut_and_joined_with_whom_they_are_of():
    """Exchanged where one stood before the other: before the mend nobody is one person; cut, there
    are two people, each of one name, over the whole time.
    """
    tracks, truth = seen()
    wrong = exchanged(tracks, "along")
    assert any(share < 0.9 for names in persons_of(wrong, truth) for _, share in names)
    cut = cut_switched(wrong, SITE)
    validate(cut, TRACKS)
    people = persons_of(cut, truth)
    assert len(people) == 2
    for names in people:
        assert len({name for name, _ in names}) == 1
        assert min(share for _, share in names) > 0.97


def test_the_camera_on_which_nobody_met_is_left_whole():
    """Only the camera that looks along the line is cut, once a track, at the parting."""
    tracks, _ = seen()
    cut = cut_switched(exchanged(tracks, "along"), SITE)
    number = cut.groupby("camera_id")["track_id"].nunique()
    assert number.to_dict() == {"across": 2, "along": 4}
    begun = cut[cut["track_id"] >= PIECE].groupby("track_id")["t_utc"].min()
    at = (begun - pd.Timestamp(T0)).dt.total_seconds()
    assert at.to_numpy() == pytest.approx(PARTING, abs=1.0)


def test_tracks_that_agree_are_left_as_they_are():
    """Nobody was exchanged: the same table."""
    tracks, _ = seen()
    pd.testing.assert_frame_equal(cut_switched(tracks, SITE), tracks)


def test_somebody_whose_track_the_other_camera_lost_and_found_is_not_cut():
    """Two tracks of one person on the other camera, never at a time: one person goes on."""
    tracks, _ = seen()
    across = (tracks["camera_id"] == "across").to_numpy()
    later = (tracks["t_utc"] >= pd.Timestamp(T0) + pd.Timedelta(seconds=10)).to_numpy()
    number = np.where(across & later, tracks["track_id"] + 2, tracks["track_id"])
    broken = TRACKS.shape(tracks.assign(track_id=number))
    pd.testing.assert_frame_equal(cut_switched(broken, SITE), broken)


def test_one_camera_tells_nothing():
    """There is no other view: the same table, and an empty one stays empty."""
    tracks, _ = seen()
    one = tracks[tracks["camera_id"] == "along"].reset_index(drop=True)
    pd.testing.assert_frame_equal(cut_switched(one, SITE), one)
    assert cut_switched(TRACKS.empty(), SITE).empty


def test_where_boxes_met_on_neither_camera_nothing_is_cut():
    """Exchanged where two stand 2.5 m apart on both pictures: nobody knows who is who, and the
    contradiction stays for redaction to see.
    """
    tracks, _ = seen()
    later = pd.Timestamp(T0) + pd.Timedelta(seconds=30)
    number = tracks["track_id"].where(
        ~((tracks["t_utc"] >= later) & (tracks["camera_id"] == "along")), 3 - tracks["track_id"]
    )
    wrong = TRACKS.shape(tracks.assign(track_id=number))
    pd.testing.assert_frame_equal(cut_switched(wrong, SITE), wrong)
