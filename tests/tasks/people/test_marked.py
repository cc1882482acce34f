"""Who was asked about is found again in another run, by camera, time and place in the picture."""

from __future__ import annotations

import numpy as np
import pandas as pd
from reviewed_run import T0, track

from data_contracts.tables.contracts import TRACKS
from tasks.people.marked import mark_of, marked_tracks

MINE = track(1, 100)
MARK = mark_of(MINE)


def again(rows: pd.DataFrame, number: int, jitter_px: float = 4.0) -> pd.DataFrame:
    """The same as another run has it: another number, boxes a little off, frames a little later."""
    rng = np.random.default_rng(3)
    moved = {c: rows[c] + rng.normal(0, jitter_px, len(rows)) for c in ("x0", "y0", "x1", "y1")}
    at = rows["t_utc"] + pd.Timedelta(milliseconds=70)
    return TRACKS.shape(rows.assign(track_id=number, t_utc=at, **moved))


def test_a_mark_holds_some_boxes_and_the_whole_time() -> None:
    """From the first to the last, and not every frame."""
    assert (MARK.start_utc, MARK.end_utc) == (T0, T0 + pd.Timedelta(seconds=19.8))
    assert 10 < len(MARK.glimpses) < len(MINE)
    assert len(mark_of(MINE.head(1)).glimpses) == 1


def test_found_again_under_another_number() -> None:
    """With other boxes beside, in front and at another time."""
    beside = track(8, 180)
    later = track(9, 100, start=40)
    tracks = pd.concat([again(MINE, 7), beside, later, track(10, 100, camera="lobby-a")])
    assert marked_tracks(tracks, [MARK]) == {("entrance", 7)}
    assert marked_tracks(TRACKS.empty(), [MARK]) == set()
    assert marked_tracks(beside, [MARK]) == set()


def test_a_track_that_was_cut_is_found_in_both_parts() -> None:
    """Whoever was asked about is in both."""
    tracks = pd.concat([again(MINE.head(40), 7), again(MINE.tail(60), 8)])
    assert marked_tracks(tracks, [MARK]) == {("entrance", 7), ("entrance", 8)}


def test_who_goes_on_as_somebody_else_is_not_covered() -> None:
    """A track of a minute of which a third was asked about."""
    long = track(7, 100, seconds=60)
    assert marked_tracks(long, [MARK]) == {("entrance", 7)}
    assert marked_tracks(long, [MARK], covered=0.5) == set()
    assert marked_tracks(again(MINE, 7), [MARK], covered=0.5) == {("entrance", 7)}


def test_who_only_crosses_is_somebody_else() -> None:
    """A walker against the marked one's way shares the box for a moment."""
    against = MINE.assign(track_id=7, x0=MINE["x0"].iloc[::-1].to_numpy())
    against = against.assign(x1=against["x0"] + 60)
    assert marked_tracks(against, [MARK]) == set()
