"""Add up time within a distance as policies do: in one continuous episode, or over a sliding
window.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Exposure(NamedTuple):
    """The largest exposure of each path (k,) seconds, and the first and last instant of it (k,)
    indices.
    """

    seconds: Floats
    first: NDArray[np.intp]
    last: NDArray[np.intp]


def largest(
    counted: NDArray[np.bool_],
    t_s: Floats,
    dt_s: Floats,
    accumulate_over_s: float,
    episode_gap_s: float,
) -> Exposure:
    """The largest exposure of each path.

    `counted` (k, n): the instant counts in that path; `t_s`, `dt_s` (n,) seconds, sorted.
    `accumulate_over_s` 0: one episode, in which breaks up to `episode_gap_s` are tolerated and not
    counted as time; otherwise everything within a window of that length is summed. Where nothing
    counts: 0 s, first and last 0.
    """
    if counted.shape[1] == 0:
        none = np.zeros(len(counted), np.intp)
        return Exposure(np.zeros(len(counted)), none, none)
    total = np.cumsum(counted * dt_s, axis=1)
    if accumulate_over_s > 0:
        begin = np.searchsorted(t_s, t_s - accumulate_over_s, side="right")
        before = np.where(begin > 0, total[:, begin - 1], 0.0)
    else:
        before = _before_episode(counted, total, t_s, dt_s, episode_gap_s)
    exposure = np.where(counted, total - before, 0.0)
    last = exposure.argmax(axis=1)
    rows = np.arange(len(counted))
    # First counted instant after the time that was there before: where the running total first
    # exceeds it.
    first = (total > before[rows, last][:, None] + 1e-9).argmax(axis=1)
    return Exposure(exposure[rows, last], first, last)


def _before_episode(
    counted: NDArray[np.bool_], total: Floats, t_s: Floats, dt_s: Floats, episode_gap_s: float
) -> Floats:
    """Time counted before the episode that each instant belongs to, (k, n)."""
    k, n = counted.shape
    index = np.maximum.accumulate(np.where(counted, np.arange(n), -1), axis=1)
    previous = np.concatenate([np.full((k, 1), -1), index[:, :-1]], axis=1)
    gap = t_s[None, :] - np.where(previous >= 0, t_s[np.maximum(previous, 0)], -np.inf) - dt_s
    starts = counted & (gap > episode_gap_s)
    return np.maximum.accumulate(np.where(starts, total - dt_s, 0.0), axis=1)
