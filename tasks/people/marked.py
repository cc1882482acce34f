"""People as reviewers were asked about them, found again in another run's tracks: by camera, time
and place in the picture.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from supervision import box_iou_batch

from data_contracts.review import Glimpse, Mark
from data_contracts.time import CLOCK_S, seconds_of, utc_of

Array = NDArray[np.float64]
TrackKey = tuple[str, int]

# Glimpses are as many as these, spread over the time that was asked about.
_GLIMPSES = 24
# Boxes that share so much of their union are of one person (the same as redaction's `match_iou`);
# a frame of another run is at most this far away in time.
_OVERLAP = 0.5
_WITHIN_S = 1.5 * CLOCK_S
# Of the glimpses during a track at least this share lies on it: two who walk side by side share a
# box now and then.
_SHARE = 0.6
_BOX = ["x0", "y0", "x1", "y1"]


def mark_of(rows: pd.DataFrame) -> Mark:
    """The mark of one track's rows (TRACKS): some of its detected boxes."""
    seen = rows[rows["score"] > 0].sort_values("t_utc")
    seen = seen if len(seen) else rows.sort_values("t_utc")
    at = np.unique(np.linspace(0, len(seen) - 1, _GLIMPSES).round().astype(int))
    glimpses = tuple(
        Glimpse(t_utc=utc_of(row["t_utc"]), **{c: round(float(row[c]), 1) for c in _BOX})
        for row in seen.iloc[at].to_dict("records")
    )
    return Mark(camera_id=str(rows["camera_id"].iloc[0]), glimpses=glimpses)


def marked_tracks(
    tracks: pd.DataFrame, marks: Iterable[Mark], covered: float = 0.0
) -> set[TrackKey]:
    """(camera, track) of everybody in TRACKS whom the marks are of.

    A track that was cut in two is found in both parts. With `covered` only tracks of which at
    least this share of their time lies within the mark: a longer one may go on as somebody else,
    whom nobody was asked about.
    """
    found: set[TrackKey] = set()
    for mark in marks:
        near = pd.Timedelta(seconds=_WITHIN_S)
        of_camera = tracks[tracks["camera_id"] == mark.camera_id]
        rows = of_camera[of_camera["t_utc"].between(mark.start_utc - near, mark.end_utc + near)]
        for number in sorted(set(rows["track_id"])):
            whole = of_camera[of_camera["track_id"] == number]
            if _is_marked(whole, mark) and _within(whole, mark) >= covered:
                found.add((mark.camera_id, int(number)))
    return found


def lying_on(places: pd.DataFrame, marks: Iterable[Mark]) -> NDArray[np.bool_]:
    """(n,) whether each place (camera_id, t_utc, x, y in pixels) lies on somebody marked, then."""
    at = places[["x", "y"]].to_numpy(float)
    out = np.zeros(len(places), bool)
    for mark in marks:
        origin = pd.Timestamp(mark.start_utc)
        t = (places["t_utc"] - origin).dt.total_seconds().to_numpy(float)
        known = np.array([(g.t_utc - mark.start_utc).total_seconds() for g in mark.glimpses])
        boxes = np.array([[g.x0, g.y0, g.x1, g.y1] for g in mark.glimpses])
        x0, y0, x1, y1 = (np.interp(t, known, boxes[:, i]) for i in range(4))
        here = (places["camera_id"] == mark.camera_id).to_numpy(bool)
        here &= (t >= known[0] - _WITHIN_S) & (t <= known[-1] + _WITHIN_S)
        out |= here & (x0 <= at[:, 0]) & (at[:, 0] <= x1) & (y0 <= at[:, 1]) & (at[:, 1] <= y1)
    return out


def _is_marked(rows: pd.DataFrame, mark: Mark) -> bool:
    """Whether most glimpses during a track lie on it."""
    rows = rows.sort_values("t_utc")
    origin = rows["t_utc"].iloc[0]
    at = seconds_of(rows["t_utc"], origin)
    asked = np.array([(pd.Timestamp(g.t_utc) - origin).total_seconds() for g in mark.glimpses])
    nearest = np.abs(at[None, :] - asked[:, None]).argmin(axis=1)
    near = np.abs(at[nearest] - asked) <= _WITHIN_S
    if not near.any():
        return False
    own = np.array([[g.x0, g.y0, g.x1, g.y1] for g in mark.glimpses])[near]
    boxes = rows[_BOX].to_numpy(float)[nearest[near]]
    shared = np.diag(box_iou_batch(own, boxes))
    return bool(np.mean(shared >= _OVERLAP) >= _SHARE)


def _within(rows: pd.DataFrame, mark: Mark) -> float:
    """The share of a track's rows within the mark's time."""
    near = pd.Timedelta(seconds=_WITHIN_S)
    return float(rows["t_utc"].between(mark.start_utc - near, mark.end_utc + near).mean())
