"""Which true person a reported encounter is about: by position and time alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.truth import Truth

# Nearer than this in the median is the same person: positions are off by decimetres, people stand
# further apart.
MATCH_M = 1.0
# A person who was not there for most of the encounter is not whom it is about.
MATCH_SHARE = 0.5
SUBJECT = "(the subject itself)"


def true_at(truth: Truth, person: str, times: pd.Series) -> NDArray[np.float64]:
    """(n, 2) true positions in metres at the given times, nearest within a step; NaN where the
    person was not there.
    """
    path = truth.path.get(person)
    if path is None or times.empty:
        return np.full((len(times), 2), np.nan)
    at = pd.DatetimeIndex(times).as_unit("us")
    index = (
        pd.DatetimeIndex(path.index)
        .as_unit("us")
        .get_indexer(at, method="nearest", tolerance=pd.Timedelta(seconds=truth.step_s))
    )
    xy = path[["x_m", "y_m"]].to_numpy(float)[index]
    xy[index < 0] = np.nan
    return xy


def match_encounters(
    truth: Truth, subject: str, trajectory: pd.DataFrame, points: pd.DataFrame
) -> dict[str, str | None]:
    """True person by encounter id; SUBJECT where it is the subject seen twice; None where nobody
    was there.

    A reported person's position is the reported subject's plus the reported difference.
    """
    base = (
        trajectory.sort_values("t_utc").drop_duplicates("t_utc").set_index("t_utc")[["x_m", "y_m"]]
    )
    out: dict[str, str | None] = {}
    for encounter, rows in points.groupby("encounter_id"):
        xy = _subject_at(base, rows["t_utc"]) + rows[["dx_m", "dy_m"]].to_numpy(float)
        out[str(encounter)] = _nearest(truth, subject, rows["t_utc"], xy)
    return out


def _subject_at(base: pd.DataFrame, times: pd.Series) -> NDArray[np.float64]:
    t0 = base.index[0]
    known = (base.index - t0).total_seconds().to_numpy()
    asked = (times - t0).dt.total_seconds().to_numpy()
    return np.stack(
        [np.interp(asked, known, base[c].to_numpy(float)) for c in ("x_m", "y_m")], axis=1
    )


def _nearest(truth: Truth, subject: str, times: pd.Series, xy: NDArray[np.float64]) -> str | None:
    best = None
    best_m = MATCH_M
    for person in truth.path:
        off = np.hypot(*(true_at(truth, person, times) - xy).T)
        there = ~np.isnan(off)
        if there.mean() < MATCH_SHARE:
            continue
        median = float(np.median(off[there]))
        if median < best_m:
            best = SUBJECT if person == subject else person
            best_m = median
    return best
