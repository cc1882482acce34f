"""How far the clocks of two overlapping cameras are apart, by people who walk through both views.

Who walks leaves one path on the ground. Two cameras whose clocks differ show it at different times:
the positions of one lie behind those of the other by the speed times the difference. What does not
change with the speed is the calibrations', and is estimated beside it.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data_contracts.camera import Site
from data_contracts.clock import span_of
from data_contracts.gap import gap_row
from data_contracts.tables.contracts import GAPS
from data_contracts.time import CLOCK_S, Interval, utc_of

Floats = NDArray[np.float64]

# Clocks farther apart than this are not found by people who pass: others are there by then.
MOST_APART_S = 5.0
# Only who walks says when: slower than this and the time is lost in the position's doubt.
_WALKS_MPS = 0.7
# Who stands in doubtful positions seems to walk, but comes nowhere.
_LEAST_WAY_M = 2.5
# Over so many ticks on both sides a speed is taken: positions err by 0.1 to 0.3 m.
_SPEED_TICKS = 5
# A position of another person, or none: no farther than this counts.
_FARTHEST_M = 1.5
# Deviation of what the calibrations of two cameras are apart on the ground (docs/accuracy.md).
_CALIBRATION_SD_M = 0.3
# Positions err alike for so long (docs/accuracy.md): so many ticks count as one.
_CORRELATED_TICKS = 2.0 / CLOCK_S
# A difference is said of this many people at least, with this deviation at most.
_FEWEST_PEOPLE = 2
_LARGEST_SD_S = 0.3
# The best shift must bring this share of the instants together.
_EXPLAINED = 0.5


class ClockDifference(NamedTuple):
    """`camera_id`'s clock is ahead of `other`'s by `ahead_s` (negative: behind), with deviation
    `sd_s`; by so many `people`, from when to when.
    """

    camera_id: str
    other: str
    ahead_s: float
    sd_s: float
    people: int
    start_utc: pd.Timestamp
    end_utc: pd.Timestamp

    @property
    def is_sure(self) -> bool:
        """Whether it is a difference at all: by three deviations, and more than half a step."""
        return abs(self.ahead_s) > max(3 * self.sd_s, CLOCK_S / 2)


def clock_differences(tracks: pd.DataFrame, site: Site) -> list[ClockDifference]:
    """What can be said of each pair of overlapping cameras from TRACKS; nothing of a pair through
    both of whose views too few people walked.
    """
    placed = tracks[tracks["x_m"].notna() & ~tracks["foot_hidden"].astype(bool)]
    if placed.empty:
        return []
    origin = placed["t_utc"].min()
    ticks = ((placed["t_utc"] - origin).dt.total_seconds() / CLOCK_S).round().astype(int)
    walks = {
        str(camera): _walks(rows)
        for camera, rows in placed.assign(tick=ticks).groupby("camera_id")
        if str(camera) in site.by_id
    }
    out = []
    for a, b in combinations(sorted(walks), 2):
        if site.overlapping(a, b):
            found = _difference(walks[a], walks[b])
            if found is not None:
                ahead_s, sd_s, people, first, last = found
                times = [origin + pd.Timedelta(seconds=k * CLOCK_S) for k in (first, last)]
                out.append(ClockDifference(b, a, ahead_s, sd_s, people, *times))
    return out


def clock_gaps(differences: Iterable[ClockDifference], site: Site) -> pd.DataFrame:
    """Clocks that are apart for certain, as rows of GAPS: the time was seen, but positions of the
    two cameras are not of one time. The proposal counts in what the site says of the clock already.
    """
    rows = []
    for found in differences:
        if not found.is_sure:
            continue
        way = "ahead of" if found.ahead_s > 0 else "behind"
        detail = (
            f"by {found.people} people who walked through both views the clock of "
            f"{found.camera_id} is {abs(found.ahead_s):.1f} s {way} that of {found.other} "
            f"(deviation {found.sd_s:.1f} s): somebody whom both see may count as two people, and "
            "be near themselves"
        )
        span = Interval(utc_of(found.start_utc), utc_of(found.end_utc))
        said = span_of(site.by_id[found.camera_id].clock, span.start_utc)
        advice = (
            f"if the clock of {found.other} is right: encounter camera clock --camera "
            f"{found.camera_id} --ahead {said.ahead_s + found.ahead_s:.1f} --sd {found.sd_s:.1f}; "
            "else correct the other one; publish the file, and run the case again"
        )
        rows.append(gap_row("doubtful_time", found.camera_id, span, detail, advice))
    return GAPS.shape(rows)


def _walks(rows: pd.DataFrame) -> pd.DataFrame:
    """One camera's positions by tick, with the speed of each (NaN where it is not known)."""
    parts = []
    for number, own in rows.groupby("track_id"):
        own = own.drop_duplicates("tick").sort_values("tick")
        at = own["tick"].to_numpy(float)
        place = own[["x_m", "y_m"]].to_numpy(float)
        speed = np.full(place.shape, np.nan)
        k = 2 * _SPEED_TICKS
        if len(own) > k and float(np.hypot(*np.ptp(place, axis=0))) > _LEAST_WAY_M:
            steps_s = (at[k:] - at[:-k]) * CLOCK_S
            whole = np.isclose(steps_s, k * CLOCK_S)
            moved = (place[k:] - place[:-k]) / steps_s[:, None]
            speed[_SPEED_TICKS:-_SPEED_TICKS] = np.where(whole[:, None], moved, np.nan)
        columns = {"tick": own["tick"], "track": number, "x": place[:, 0], "y": place[:, 1]}
        parts.append(pd.DataFrame({**columns, "vx": speed[:, 0], "vy": speed[:, 1]}))
    return pd.concat(parts, ignore_index=True)


def _difference(a: pd.DataFrame, b: pd.DataFrame) -> tuple[float, float, int, int, int] | None:
    """(seconds by which b's clock is ahead, deviation, people, first and last tick), or None."""
    moving = a[np.hypot(a["vx"], a["vy"]) > _WALKS_MPS]
    if moving.empty or b.empty:
        return None
    most = round(MOST_APART_S / CLOCK_S)
    gained = 0.0
    best = None
    for shift in range(-most, most + 1):
        pairs = _pairs(moving, b, shift)
        if len(pairs) == 0:
            continue
        # What is left over where the place was off by as much for all of them.
        way = pairs[["dx", "dy"]].to_numpy(float)
        bias = np.median(way, axis=0)
        within = min(1.0, _CALIBRATION_SD_M / max(float(np.hypot(*bias)), 1e-9))
        left = ((way - within * bias) ** 2).sum(1)
        together = float((1 - np.minimum(left / _FARTHEST_M**2, 1)).sum())
        if together > gained:
            gained, best = together, (shift, pairs)
    if best is None or abs(best[0]) == most or gained < _EXPLAINED * len(best[1]):
        return None
    return _fitted(best[1], best[0])


def _pairs(a: pd.DataFrame, b: pd.DataFrame, shift: int) -> pd.DataFrame:
    """Each walking instant of a with the nearest position of b, whose stamps are `shift` ticks
    ahead.
    """
    near = a.merge(b.assign(tick=b["tick"] - shift), on="tick", suffixes=("", "_b"))
    near = near.assign(dx=near["x_b"] - near["x"], dy=near["y_b"] - near["y"])
    near["far"] = np.hypot(near["dx"], near["dy"])
    near = near[near["far"] < _FARTHEST_M].sort_values("far")
    return near.drop_duplicates(["track", "tick"]).drop_duplicates(["track_b", "tick"])


def _fitted(pairs: pd.DataFrame, shift: int) -> tuple[float, float, int, int, int] | None:
    """The rest of the difference by least squares: the way that is left is -v times it, plus what
    the calibrations are apart.
    """
    people = int(pairs["track"].nunique())
    if people < _FEWEST_PEOPLE:
        return None
    v = pairs[["vx", "vy"]].to_numpy()
    way = pairs[["dx", "dy"]].to_numpy().reshape(-1)
    n = len(pairs)
    design = np.zeros((2 * n, 3))
    design[:, 0] = -v.reshape(-1)
    design[0::2, 1] = 1.0
    design[1::2, 2] = 1.0
    keep = np.ones(2 * n, bool)
    found: Floats = np.zeros(3)
    noise = 0.1
    cov: Floats = np.eye(3)
    for _ in range(4):
        information = design[keep].T @ design[keep] / noise**2
        information /= _CORRELATED_TICKS
        prior = np.diag([1 / MOST_APART_S**2, *[1 / _CALIBRATION_SD_M**2] * 2])
        cov = np.asarray(np.linalg.inv(information + prior), np.float64)
        pull = design[keep].T @ way[keep] / noise**2 / _CORRELATED_TICKS
        found = np.asarray(cov @ pull, np.float64)
        left = way - np.asarray(design @ found, np.float64)
        noise = max(1.4826 * float(np.median(np.abs(left))), 0.02)
        keep = np.abs(left) < 3 * noise
    sd_s = float(np.sqrt(cov[0, 0]))
    if sd_s > _LARGEST_SD_S:
        return None
    ahead_s = shift * CLOCK_S + float(found[0])
    ticks = pairs["tick"].to_numpy()
    return ahead_s, sd_s, people, int(ticks.min()), int(ticks.max())
