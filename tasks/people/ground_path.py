"""Paths on the ground, on a common grid of time, and how likely two of them are one person's.

Numbers without another source are chosen for the reason beside them and were not varied one by one;
what they give together is measured in docs/accuracy.md (joined persons).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data_contracts.time import CLOCK_S, seconds_of
from tasks.ground.kalman import SPEED_SD_MPS, predict, smooth, with_lasting

Array = NDArray[np.float64]

# Chosen: errors of one pose last a few seconds, so this much common path is one independent look.
_LOOK_S = 2.0
# Of a look that is cut short this share counts at least, the more the longer it is. Chosen.
_LEAST_LOOK = 0.3
# Chosen: no stretch speaks more strongly against one person, because smoothing errs at path's ends.
_WORST = -12.0
# Deviations at which two positions are not one person's: a chance of exp(-5² / 2), 4 in a million,
# for a normal error in the plane. More than this share of instants beyond it decides; fewer may be
# wrong boxes. The share is chosen.
_GATE = 5.0
_BEYOND_SHARE = 0.2
# A path has its own position up to half a tick from a detection, with a tenth for rounded times;
# in slower footage up to half a frame, down to a frame in three ticks.
_HALF_TICK = 0.55
_SLOWEST_TICKS = 3.0
# Speed of a straight line through a second of a smoothed path: chosen for the few centimetres of
# jitter that smoothing leaves, and for people who brake or start.
_SPEED_JITTER_MPS = 0.15


@dataclass(frozen=True)
class GroundPath:
    """A path at whole `ticks` (n,) of CLOCK_S: `xy` (n, 2) m, `cov` (n, 2, 2) m², `seen` (n,) False
    where bridged.

    `tracks` names the (camera, track) pairs that it is made of; `camera` is the first one's.
    """

    camera: str
    tracks: tuple[tuple[str, int], ...]
    ticks: NDArray[np.intp]
    xy: Array
    cov: Array
    seen: NDArray[np.bool_]

    @property
    def start(self) -> int:
        """First tick."""
        return int(self.ticks[0])

    @property
    def end(self) -> int:
        """Last tick."""
        return int(self.ticks[-1])

    def common(self, other: GroundPath) -> int:
        """Number of ticks at which both were seen."""
        return len(
            np.intersect1d(self.ticks[self.seen], other.ticks[other.seen], assume_unique=True)
        )


def path_of(rows: pd.DataFrame, origin: pd.Timestamp) -> GroundPath:
    """The path of one track's located rows (contract TRACKS), interpolated to the grid; ticks count
    from `origin`.
    """
    rows = rows.sort_values("t_utc")
    at = seconds_of(rows["t_utc"], origin) / CLOCK_S
    ticks = np.arange(int(np.ceil(at[0] - 0.5)), int(np.floor(at[-1] + 0.5)) + 1)
    columns = rows[["x_m", "y_m", "cov_xx", "cov_xy", "cov_yy"]].to_numpy(float)
    v = np.stack([np.interp(ticks, at, column) for column in columns.T], 1)
    real = at[rows["score"].to_numpy(float) > 0]
    gap = np.abs(real[:, None] - ticks[None]).min(0) if len(real) else np.full(len(ticks), np.inf)
    step = float(np.median(np.diff(at))) if len(at) > 1 else 1.0
    key = (str(rows["camera_id"].iloc[0]), int(rows["track_id"].iloc[0]))
    cov = np.stack([v[:, [2, 3]], v[:, [3, 4]]], 1)
    return GroundPath(
        key[0],
        (key,),
        ticks,
        v[:, :2],
        cov,
        gap <= _HALF_TICK * min(max(step, 1.0), _SLOWEST_TICKS),
    )


def fuse(paths: list[GroundPath], smoothed: bool = False) -> GroundPath:
    """One path of several of the same person: inverse-covariance mean; gaps bridged by the walking
    model.

    With `smoothed` False the gaps stay gaps (ticks are then not contiguous).
    """
    ticks = np.unique(np.concatenate([p.ticks for p in paths]))
    weight: Array = np.zeros((len(ticks), 2, 2))
    mix: Array = np.zeros((len(ticks), 2))
    seen = np.zeros(len(ticks), bool)
    for p in paths:
        at = np.searchsorted(ticks, p.ticks)
        information = np.linalg.inv(p.cov)
        weight[at] += information
        mix[at] += np.einsum("nij,nj->ni", information, p.xy)
        seen[at] |= p.seen
    cov: Array = np.linalg.inv(weight).astype(np.float64)
    xy = np.einsum("nij,nj->ni", cov, mix)
    tracks = tuple(key for p in paths for key in p.tracks)
    path = GroundPath(paths[0].camera, tracks, ticks, xy, cov, seen)
    return _bridged_path(path) if smoothed else path


def _bridged_path(path: GroundPath) -> GroundPath:
    """Every tick from first to last, smoothed once more: at handovers the cameras' errors
    differ.
    """
    ticks = np.arange(path.start, path.end + 1)
    xy = np.full((len(ticks), 2), np.nan)
    cov = np.full((len(ticks), 2, 2), np.nan)
    seen = np.zeros(len(ticks), bool)
    at = path.ticks - path.start
    xy[at] = path.xy
    cov[at] = path.cov
    seen[at] = path.seen
    state, spread = smooth((ticks * CLOCK_S).astype(np.float64), xy, cov)
    return GroundPath(
        path.camera, path.tracks, ticks, state[:, :2], with_lasting(spread[:, :2, :2], cov), seen
    )


def overlap_ratio(
    a: GroundPath, b: GroundPath, density_per_m2: float, min_common_s: float
) -> tuple[float, bool]:
    """Log likelihood ratio (one person : two) of the common stretch, and whether it is long enough
    to judge.

    One person: the difference is normal about 0 with the sum of the covariances. Two: anywhere,
    `density_per_m2`. Blocks of _LOOK_S count as independent looks.
    """
    common, ia, ib = np.intersect1d(a.ticks, b.ticks, assume_unique=True, return_indices=True)
    if len(common) * CLOCK_S < min_common_s:
        return 0.0, False
    gap = a.xy[ia] - b.xy[ib]
    cov = a.cov[ia] + b.cov[ib]
    off = np.einsum("ni,nij,nj->n", gap, np.linalg.inv(cov), gap)
    if np.mean(off > _GATE**2) > _BEYOND_SHARE:
        return _WORST, True
    each = (
        -0.5 * np.minimum(off, _GATE**2)
        - 0.5 * np.log(np.linalg.det(2 * np.pi * cov))
        - np.log(density_per_m2)
    )
    blocks = common // max(1, round(_LOOK_S / CLOCK_S))
    total = 0.0
    for block in np.unique(blocks):
        inside = blocks == block
        whole = min(1.0, _LEAST_LOOK + inside.sum() * CLOCK_S / _LOOK_S)
        total += max(_WORST, float(each[inside].mean())) * whole
    return total, True


def link_ratio(
    a: GroundPath, b: GroundPath, density_per_m2: float, link_s: float, max_speed_mps: float
) -> float | None:
    """Log likelihood ratio (one person : two) that the one path goes on as the other after a gap of
    at most `link_s`.

    None where neither ends near the other's start. Position and velocity at both ends, carried over
    the gap.
    """
    worst: float | None = None
    for first, then in ((a, b), (b, a)):
        for stop, start in _handovers(first, then, link_s):
            value = _carried_ratio(first, stop, then, start, density_per_m2, max_speed_mps)
            worst = value if worst is None else min(worst, value)
    return worst


def _handovers(first: GroundPath, then: GroundPath, link_s: float) -> list[tuple[int, int]]:
    """Rows (end of a run of `first`, start of a run of `then`) between which neither path has a
    position.
    """
    reach = round(link_s / CLOCK_S)
    starts = np.r_[0, np.flatnonzero(np.diff(then.ticks) > 1) + 1]
    out = []
    for s in starts:
        tick = then.ticks[s]
        e = int(np.searchsorted(first.ticks, tick)) - 1
        # Only where `first` had a position last: not if it goes on at this tick, nor if `then` had
        # one in between.
        goes_on = e + 1 < len(first.ticks) and first.ticks[e + 1] <= tick + 1
        if (
            e < 0
            or goes_on
            or tick - first.ticks[e] > reach
            or (s > 0 and then.ticks[s - 1] >= first.ticks[e])
        ):
            continue
        out.append((e, int(s)))
    return out


def _carried_ratio(
    first: GroundPath,
    stop: int,
    then: GroundPath,
    start: int,
    density_per_m2: float,
    max_speed_mps: float,
) -> float:
    state, spread = _end_state(first, stop, backwards=True)
    goal, doubt = _end_state(then, start, backwards=False)
    gap_s = max(float(then.ticks[start] - first.ticks[stop]) * CLOCK_S, 0.0)
    away = float(np.hypot(*(goal[:2] - state[:2])))
    sd = float(np.sqrt(np.trace(spread[:2, :2] + doubt[:2, :2])))
    if away > max_speed_mps * gap_s + 3 * sd:
        return _WORST
    ahead, ahead_cov = predict(state, spread, gap_s)
    off = goal - ahead
    cov = ahead_cov + doubt
    same = -0.5 * off @ np.linalg.solve(cov, off) - 0.5 * np.linalg.slogdet(2 * np.pi * cov)[1]
    speed_cov = doubt[2:, 2:] + np.eye(2) * SPEED_SD_MPS**2
    other = (
        -0.5 * goal[2:] @ np.linalg.solve(speed_cov, goal[2:])
        - 0.5 * np.linalg.slogdet(2 * np.pi * speed_cov)[1]
    )
    return float(max(_WORST, same - other - np.log(density_per_m2)))


def _end_state(
    path: GroundPath, row: int, backwards: bool, within_s: float = 1.0
) -> tuple[Array, Array]:
    """Position and velocity (4,) with covariance (4, 4) at a path's end, from a straight line
    through its last second.
    """
    n = round(within_s / CLOCK_S)
    rows = (
        np.arange(max(0, row - n), row + 1)
        if backwards
        else np.arange(row, min(len(path.ticks), row + n + 1))
    )
    rows = rows[np.abs(path.ticks[rows] - path.ticks[row]) <= n]
    t = (path.ticks[rows] - path.ticks[row]) * CLOCK_S
    position = path.cov[row]
    if len(rows) < 3:
        state = np.r_[path.xy[row], 0.0, 0.0]
        speed_var = SPEED_SD_MPS**2
    else:
        slope = np.polyfit(t, path.xy[rows], 1)[0]
        state = np.r_[path.xy[row], slope]
        # Half of a position's deviation in the plane, over the time of the line.
        tilt = 0.25 * float(np.trace(position)) / 2 / max(np.ptp(t), CLOCK_S) ** 2
        speed_var = _SPEED_JITTER_MPS**2 + tilt
    spread = np.zeros((4, 4))
    spread[:2, :2] = position
    spread[2:, 2:] = np.eye(2) * speed_var
    return state, spread
