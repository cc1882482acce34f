"""The subject's trajectory from the persons that are probably the subject: positions, stays and
moves, and gaps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
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
    """`stay_m`, `stay_s`: a stay keeps within this radius for at least this long (a stop to talk or
    to queue).

    `gap_s`: shorter stretches without a position are no gap. `bridge_s`: bridged stretches longer
    than this are left out.
    """

    stay_m: float = Field(default=0.6, gt=0)
    stay_s: float = Field(default=5.0, gt=0)
    gap_s: float = Field(default=3.0, ge=0)
    bridge_s: float = Field(default=3.0, ge=0)


@dataclass(frozen=True)
class Episode:
    """A stay or a move: `kind`, times, mean position for a stay (end position for a move) and path
    length in m.
    """

    kind: str
    start_utc: datetime
    end_utc: datetime
    x_m: float
    y_m: float
    length_m: float


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


def episodes(found: pd.DataFrame, settings: TrajectorySettings | None = None) -> list[Episode]:
    """Stays and moves of a trajectory in time order; a gap longer than `gap_s` ends an episode.

    A stay grows while every position keeps within `stay_m` of the stay's median position.
    """
    settings = settings or TrajectorySettings()
    if found.empty:
        return []
    found = found.sort_values("t_utc").reset_index(drop=True)
    at = seconds_of(found["t_utc"])
    xy = found[["x_m", "y_m"]].to_numpy(float)
    breaks = np.flatnonzero(np.diff(at) > settings.gap_s) + 1
    out: list[Episode] = []
    for rows in np.split(np.arange(len(found)), breaks):
        out += _split(found, at, xy, rows, settings)
    return out


def _split(
    found: pd.DataFrame, at: Array, xy: Array, rows: NDArray[np.intp], settings: TrajectorySettings
) -> list[Episode]:
    out: list[Episode] = []
    first = i = int(rows[0])
    last = int(rows[-1])
    while i <= last:
        end = _stay_end(at, xy, i, last, settings)
        if end is None:
            i += 1
            continue
        if i > first:
            out.append(_episode("move", found, xy, first, i))
        out.append(_episode("stay", found, xy, i, end))
        first = i = end + 1
    if first < last:
        out.append(_episode("move", found, xy, first, last))
    return out


def _stay_end(
    at: Array, xy: Array, start: int, last: int, settings: TrajectorySettings
) -> int | None:
    """The last row of a stay that begins at `start`, or None where it is no stay."""
    least = int(np.searchsorted(at, at[start] + settings.stay_s))
    if least > last or not _still(xy[start : least + 1], settings.stay_m):
        return None
    end = least
    while (
        end < last
        and np.hypot(*(xy[end + 1] - np.median(xy[start : end + 1], axis=0))) <= settings.stay_m
    ):
        end += 1
    return end


def _still(xy: Array, radius_m: float) -> bool:
    return bool(np.hypot(*(xy - np.median(xy, axis=0)).T).max() <= radius_m)


def _episode(kind: str, found: pd.DataFrame, xy: Array, start: int, end: int) -> Episode:
    steps = np.hypot(*np.diff(xy[start : end + 1], axis=0).T)
    place = xy[start : end + 1].mean(0) if kind == "stay" else xy[end]
    times = found["t_utc"]
    return Episode(
        kind,
        times.iloc[start].to_pydatetime(),
        times.iloc[end].to_pydatetime(),
        float(place[0]),
        float(place[1]),
        float(steps.sum()),
    )


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
