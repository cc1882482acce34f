"""Looks are learnt near a face or an instant of pointing, and nowhere else on a track."""

import numpy as np
import pandas as pd
import pytest
from meeting_scene import PASSING, seen
from walk_scene import T0

from data_contracts.pointing import Pointing
from data_contracts.tables.contracts import SIGHTINGS, TRACKS
from tasks.people.tied import TIE_S, tied_rows


def sighting(track, basis, band="high"):
    """One sighting of a track of camera a."""
    return {
        "sighting_id": f"S-{track}",
        "camera_id": "a",
        "track_id": track,
        "start_utc": pd.Timestamp(T0),
        "end_utc": pd.Timestamp(T0) + pd.Timedelta(seconds=16),
        "probability": 0.99,
        "band": band,
        "n_faces": 1,
        "max_face_px": 60.0,
        "x_m": 5.0,
        "y_m": 4.5,
        "review": "unreviewed",
        "basis": basis,
        "rival": None,
    }


def seconds(rows):
    """Seconds from the beginning of the first and the last row."""
    at = (rows["t_utc"] - pd.Timestamp(T0)).dt.total_seconds()
    return at.min(), at.max()


@pytest.fixture
def tracks():
    """Who stands (1) and who walks past (2)."""
    return seen(PASSING)[0]


def test_only_rows_near_a_proposed_face_are_taken(tracks):
    """A face in the first second: rows of this track up to ten seconds after it."""
    begun = tracks.loc[tracks["track_id"] == 1, "t_utc"].min()
    first = (tracks["track_id"] == 1) & (tracks["t_utc"] == begun)
    faced = TRACKS.shape(tracks.assign(subject_p=np.where(first, 0.99, np.nan)))
    own = tied_rows(faced, SIGHTINGS.shape([sighting(1, "face")]))
    assert set(own["track_id"]) == {1}
    begin, end = seconds(own)
    assert end - begin == TIE_S


def test_pointing_ties_its_track_around_its_instant(tracks):
    """Pointed at after fifteen seconds: the first five are not learnt from."""
    row = tracks[tracks["track_id"] == 1].iloc[-5]
    x, y = (row["x0"] + row["x1"]) / 2, (row["y0"] + row["y1"]) / 2
    at = row["t_utc"].to_pydatetime()
    point = Pointing(camera_id="a", t_utc=at, x_px=x, y_px=y, pointed_by="account:t")
    own = tied_rows(tracks, SIGHTINGS.shape([sighting(1, "pointed")]), (point,))
    assert set(own["track_id"]) == {1}
    assert seconds(own)[0] == pytest.approx((at - T0).total_seconds() - TIE_S)


@pytest.mark.parametrize(("basis", "band"), [("position", "high"), ("face", "question")])
def test_nothing_is_learnt_from_what_is_not_tied_or_not_sure(tracks, basis, band):
    """A track that only a place ties to the subject, and one that is a question."""
    faced = TRACKS.shape(tracks.assign(subject_p=0.99))
    assert tied_rows(faced, SIGHTINGS.shape([sighting(1, basis, band)])).empty


def test_what_two_reviewers_confirmed_is_taken_whole(tracks):
    """They looked at all of it."""
    own = tied_rows(tracks, SIGHTINGS.shape([sighting(2, "confirmed")]))
    assert len(own) == (tracks["track_id"] == 2).sum()
