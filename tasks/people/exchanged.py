"""Tracks of one camera that went over from one person to another where people met.

Where boxes meet, a tracker that goes by overlap may leave with the other person: somebody who walks
past another stands still at once, and who stood there walks on. Here the tracks of such a meeting
are cut at one moment, and the pieces before it are matched with those after it by what a body
cannot change at once: where it is and how fast it goes, and how tall it is. Where another matching
is clearly likelier than the tracker's, the pieces are named by it. A piece that was named so has
a number from `PIECE` on, as those of `tasks.people.switched`: pictures do not rely on it. Within
one camera's continuous view, seconds before and after, and of no longer use; nothing about
anyone's looks.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data_contracts.tables.contracts import TRACKS
from tasks.ground.position import Locator
from tasks.people.matching import Matching, likeliest
from tasks.people.meeting import CameraRows, ExchangeSettings, camera_rows, meetings
from tasks.people.other_view import hidden_share
from tasks.people.piece import PIECE
from tasks.people.track_position import placed

Array = NDArray[np.float64]
Ints = NDArray[np.int64]


def uncross(
    tracks: pd.DataFrame,
    locator: Locator | None,
    settings: ExchangeSettings | None = None,
    told: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """TRACKS of one camera in which those that were exchanged where people met are mended. Without
    a `locator` nothing is known of places, and nothing is changed.

    `told`: what is known of who is the subject (`tasks.people.told`).
    """
    settings = settings or ExchangeSettings()
    if locator is None or tracks["track_id"].nunique() < 2:
        return tracks
    ordered = tracks.sort_values("t_utc", kind="stable").reset_index(drop=True)
    hidden = hidden_share(ordered)
    rows = camera_rows(ordered, hidden, locator, told)
    cuts = np.zeros(len(ordered), np.int64)
    for meeting in meetings(rows, settings):
        found = likeliest(rows, meeting, settings)
        if found is not None and found.ratio >= _least(found, settings):
            _rename(rows, cuts, found)
    return _numbered(ordered, rows.person, cuts, hidden, locator) if cuts.any() else tracks


def _least(found: Matching, settings: ExchangeSettings) -> float:
    """What must be said for a matching: more where it only says that somebody is somebody else."""
    cut = all(was is None for was in found.before.values())
    return settings.least_cut if cut else settings.least


def _rename(rows: CameraRows, cuts: Ints, found: Matching) -> None:
    """Give the rows from the matching's tick on to whom they are of, and what is said of them."""
    fresh = int(rows.person.max())
    names = {}
    for person, was in found.before.items():
        fresh += was is None
        names[person] = fresh if was is None else was
    everybody = {*names, *names.values()}
    later = {p: np.flatnonzero((rows.person == p) & (rows.tick >= found.tick)) for p in everybody}
    sooner = {p: np.flatnonzero((rows.person == p) & (rows.tick < found.tick)) for p in everybody}
    before = {p: rows.told[own[-1], 0] if len(own) else 0.0 for p, own in sooner.items()}
    after = {p: rows.told[own[0], 1] if len(own) else 0.0 for p, own in later.items()}
    goes_on = {was: person for person, was in names.items()}
    for person, was in names.items():
        own = later[person]
        rows.person[own] = was
        rows.told[own, 0] += before[was] - before[person]
        cuts[own] += 1
    for person, own in sooner.items():
        then = goes_on.get(person)
        rows.told[own, 1] += (0.0 if then is None else after[then]) - after[person]


def _numbered(
    tracks: pd.DataFrame, person: Ints, cuts: Ints, hidden: Array, locator: Locator
) -> pd.DataFrame:
    """TRACKS of whom they are said to be, placed anew; what follows an exchange has a number from
    `PIECE` on.
    """
    touched = np.isin(person, person[cuts > 0])
    parts = [tracks[~touched]]
    rows = tracks.assign(hidden_share=hidden, measured=tracks["score"] > 0)
    for base in np.unique(person[touched]):
        own = person == base
        since = np.maximum.accumulate(cuts[own])
        part = placed(rows[own], locator)
        parts.append(part.assign(track_id=base + PIECE * since))
    return TRACKS.shape(pd.concat(parts).sort_values(["track_id", "t_utc"], kind="stable"))
