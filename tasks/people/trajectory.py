"""The subject's trajectory from the persons that are probably the subject: positions and gaps."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from data_contracts.case import Visit
from data_contracts.gap import GapRow, gap_row
from data_contracts.policy import SearchSettings
from data_contracts.record import Record
from data_contracts.tables.contracts import GAPS, TRAJECTORY
from data_contracts.time import CLOCK_S, Interval, merge, seconds_of, subtract, utc_of

Array = NDArray[np.float64]


class TrajectorySettings(Record):
    """`gap_s`: a shorter stretch without a position is not a gap. `bridge_s`: a bridged stretch
    longer than this is left out. Both are as long as the occlusion that `tasks.people.join` bridges
    (`JoinSettings.link_s`).
    """

    gap_s: float = Field(default=3.0, ge=0)
    bridge_s: float = Field(default=3.0, ge=0)


def subject_ids(members: pd.DataFrame, search: SearchSettings) -> set[str]:
    """Persons that are proposed as the subject."""
    likely = members[members["subject_p"].fillna(0.0) >= search.propose_probability]
    return set(likely["person_id"].astype(str))


def trajectory(
    persons: pd.DataFrame,
    members: pd.DataFrame,
    sightings: pd.DataFrame,
    settings: TrajectorySettings | None = None,
) -> pd.DataFrame:
    """The subject's positions in time order (contract TRAJECTORY).

    Built from the persons that own a sighting. Where two of them have a position at one time (a
    track that was split), the likelier one counts. Stretches bridged for longer than `bridge_s` are
    left out.
    """
    settings = settings or TrajectorySettings()
    seen = sightings[["camera_id", "track_id", "probability"]].merge(
        members, on=["camera_id", "track_id"]
    )
    likely = seen.groupby("person_id")["probability"].max()
    own = persons[persons["person_id"].isin(likely.index)]
    if own.empty:
        return TRAJECTORY.empty()
    own = own.assign(probability=own["person_id"].map(likely).astype(float))
    own = own.sort_values(
        ["t_utc", "probability", "person_id"], ascending=[True, False, True], kind="stable"
    )
    own = own.drop_duplicates("t_utc").reset_index(drop=True)
    return TRAJECTORY.shape(own[~_long_bridge(own, settings)])


def _long_bridge(own: pd.DataFrame, settings: TrajectorySettings) -> NDArray[np.bool_]:
    """(n,) rows inside a stretch without being seen that is longer than `bridge_s`."""
    at = seconds_of(own["t_utc"])
    seen = own["seen"].to_numpy(bool)
    out = np.zeros(len(own), bool)
    run = np.cumsum(np.diff(np.r_[True, seen]) != 0)
    for k in np.unique(run[~seen]):
        rows = np.flatnonzero((run == k) & ~seen)
        out[rows] = at[rows[-1]] - at[rows[0]] > settings.bridge_s
    return out


def not_seen_gaps(
    found: pd.DataFrame, itinerary: Sequence[Visit], settings: TrajectorySettings | None = None
) -> pd.DataFrame:
    """Rows of GAPS: stretches between positions of the trajectory, and visits in which the subject
    was not seen at all.
    """
    settings = settings or TrajectorySettings()
    times = [utc_of(t) for t in found["t_utc"].sort_values()]
    rows = [
        _not_seen(Interval(before, after), "between two sightings the subject was not seen")
        for before, after in pairwise(times)
        if (after - before).total_seconds() > settings.gap_s
    ]
    instant = timedelta(seconds=CLOCK_S)
    seen = merge([Interval(t, t + instant) for t in times], settings.gap_s)
    for visit in itinerary:
        span = Interval(visit.from_utc, visit.to_utc)
        if subtract(span, seen) == [span]:
            rows.append(_not_seen(span, f"not seen during the claimed visit to {visit.place}"))
    rows.sort(key=lambda row: row["start_utc"])
    return GAPS.shape(rows)


def _not_seen(span: Interval, detail: str) -> GapRow:
    advice = "ask the subject about this time, or add footage of cameras nearby"
    return gap_row("not_seen", "", span, detail, advice)
