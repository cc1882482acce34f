"""Tracks that went over to somebody else on one camera are named again by how people move, how tall
they are, and what is known of the subject.
"""

import pandas as pd
import pytest
from meeting_scene import CAMERA, MEET, MEETING, PASSING, SITE, exchanged, rng, seen, wrong_share
from walk_scene import T0

from data_contracts.tables.contracts import TRACKS
from data_contracts.tables.validate import validate
from tasks.ground.position import Locator
from tasks.people.exchanged import uncross
from tasks.people.join import join
from tasks.people.piece import PIECE, base_of


def test_who_walks_past_somebody_walks_on():
    """The tracks were exchanged where they met: each goes on as who they were, from a cut on."""
    truth, _ = seen(PASSING)
    wrong = exchanged(truth, MEET)
    assert wrong_share(wrong, truth) > 0.3
    mended = uncross(wrong, Locator(CAMERA))
    validate(mended, TRACKS)
    assert wrong_share(mended, truth) < 0.03
    assert len(mended) == len(wrong)
    begun = mended[mended["track_id"] >= PIECE].groupby("track_id")["t_utc"].min()
    at = (begun - pd.Timestamp(T0)).dt.total_seconds()
    assert sorted(begun.index) == [PIECE + 1, PIECE + 2]
    assert at.to_numpy() == pytest.approx(MEET, abs=0.8)


def test_tracks_that_were_not_exchanged_are_left():
    """Who walks past keeps their number, and so do two who stop beside each other."""
    for ways in (PASSING, MEETING):
        tracks, _ = seen(ways)
        pd.testing.assert_frame_equal(uncross(tracks, Locator(CAMERA)), tracks)


def test_a_body_does_not_change_its_height():
    """Two who stood together part: motion says nothing, 20 cm of height do."""
    truth, _ = seen(MEETING, (1.6, 1.8))
    mended = uncross(exchanged(truth, 7.0), Locator(CAMERA))
    assert wrong_share(mended, truth) < 0.1


def test_pieces_of_one_person_are_one_person():
    """Mended tracks are joined over the cut, whatever the gap says."""
    truth, _ = seen(PASSING)
    mended = uncross(exchanged(truth, MEET), Locator(CAMERA))
    _, members = join(mended, SITE, rng(0))
    people = members.groupby("person_id")["track_id"].apply(lambda t: sorted(base_of(t)))
    assert sorted(people) == [[1, 1], [2, 2]]


def test_who_takes_over_a_lost_track_is_told_from_whose_it_was():
    """The one who stood is lost where the other passes, and the other's track stays with them."""
    truth, _ = seen(PASSING)
    later = truth["t_utc"] >= pd.Timestamp(T0) + pd.Timedelta(seconds=MEET)
    stands = truth["track_id"] == 1
    wrong = truth[~(later & ~stands)].assign(track_id=lambda r: r["track_id"].where(~later, 2))
    mended = uncross(TRACKS.shape(wrong), Locator(CAMERA))
    assert wrong_share(mended, truth) < 0.03


def test_what_is_known_of_the_subject_decides_where_nothing_else_does():
    """Equal heights, a long stand, both leave: a face before on the one and after on the other says
    that they were exchanged; the same face on one of them all the time says that they were not.
    """
    truth, _ = seen(MEETING)
    wrong = exchanged(truth, 7.0)
    assert wrong_share(uncross(wrong, Locator(CAMERA)), truth) > 0.3
    mended = uncross(wrong, Locator(CAMERA), told=told(wrong, truth["track_id"] == 1))
    assert wrong_share(mended, truth) < 0.2
    kept = uncross(truth, Locator(CAMERA), told=told(truth, truth["track_id"] == 1))
    pd.testing.assert_frame_equal(kept, truth)


def told(tracks, subject, odds=9.0):
    """What faces say, seen in the first and the last two seconds: (camera, box) with before and
    after of the tracks as they are named.
    """
    at = (tracks["t_utc"] - pd.Timestamp(T0)).dt.total_seconds()
    rows = tracks.assign(before=0.0, after=0.0)
    for number in (1, 2):
        own = tracks["track_id"] == number
        first = odds if (subject & own & (at < 2)).any() else -odds
        last = odds if (subject & own & (at > 12)).any() else -odds
        rows.loc[own, "before"] = first
        rows.loc[own, "after"] = last
    return rows[["camera_id", "t_utc", "x0", "y0", "x1", "y1", "before", "after"]]


def test_without_a_calibration_nothing_is_changed():
    """No place, no motion: the same table."""
    wrong = exchanged(seen(PASSING)[0], MEET)
    pd.testing.assert_frame_equal(uncross(wrong, None), wrong)
