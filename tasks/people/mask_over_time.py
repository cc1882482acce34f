"""A person's mask over time from single looks: people put masks on and take them off, but seldom.

A two-state hidden Markov model (bare, masked) with forward-backward smoothing (Rabiner, Proc. IEEE
1989). What looks said is forgotten with time: without a new one half of it is left after 208 s (ln
2 / 2 of _CHANGES_PER_S), and what is less sure than _SURE is not said at all.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data_contracts.time import seconds_of

Array = NDArray[np.float64]

# One change in ten minutes, an assumption: people change it once or twice in a visit, if at all.
_CHANGES_PER_S = 1 / 600
# Looks at one face within a second share pose and light: they count as one, and none says more than
# this (log odds, 20 to 1: one look in twenty may be wrong). Both chosen.
_LOOK_S = 1.0
_STRONGEST = 3.0
# Chosen after trials on the demo's footage: further than this from any look nothing is said, unless
# the looks before and after agree and are not too far apart.
_FORGET_S = 20.0
_AGREE_S = 240.0
# One look decides nothing: so many seconds with a look must lie within _FORGET_S. 3 of 372 looks
# were wrong on the demo's footage, and one of them, alone, had called a bare person masked.
_MIN_LOOKS = 2
# Less sure than 4 to 1 is unknown. On plaza, where few faces are large enough, a state of .7 was
# wrong as often as right.
_SURE = 0.8


def mask_over_time(rows: pd.DataFrame, origin: pd.Timestamp, at_s: Array) -> Array:
    """(n,) probability of a mask at `at_s` (n,) seconds after `origin`, NaN where no look is near.

    `rows` have `t_utc` and `mask_p` (null where no face was judged), as in TRACKS.
    """
    looks = rows[rows["mask_p"].notna()]
    if looks.empty or not len(at_s):
        return np.full(len(at_s), np.nan)
    t = seconds_of(looks["t_utc"], origin)
    p = np.clip(looks["mask_p"].to_numpy(float), 1e-6, 1 - 1e-6)
    order = np.argsort(t, kind="stable")
    index = _one_look(t[order])
    size = np.bincount(index)
    mean = np.bincount(index, np.log(p / (1 - p))[order]) / size
    times = np.bincount(index, t[order]) / size
    evidence = np.clip(mean, -_STRONGEST, _STRONGEST)
    every = np.unique(np.r_[times, at_s])
    odds = np.zeros(len(every))
    odds[np.searchsorted(every, times)] = evidence
    state_p = _two_state(every, odds)
    posterior = state_p[np.searchsorted(every, at_s)]
    known = _known(times, state_p[np.searchsorted(every, times)], at_s) & _sure(posterior)
    return np.where(known, posterior, np.nan)


def _one_look(t_s: Array) -> NDArray[np.intp]:
    """(n,) which look each belongs to, of times in order: a new one begins _LOOK_S after the first
    of the one before.
    """
    out = np.zeros(len(t_s), np.intp)
    first_s = t_s[0]
    for i in range(1, len(t_s)):
        begins = t_s[i] - first_s >= _LOOK_S
        first_s = t_s[i] if begins else first_s
        out[i] = out[i - 1] + begins
    return out


def _sure(state_p: Array) -> NDArray[np.bool_]:
    return np.maximum(state_p, 1 - state_p) >= _SURE


def _known(times: Array, state_p: Array, at_s: Array) -> NDArray[np.bool_]:
    """(n,) whether enough looks are near, or one lies on each side with the same sure answer."""
    right = np.searchsorted(times, at_s)
    before = np.clip(right - 1, 0, None)
    after = np.clip(right, None, len(times) - 1)
    within = np.searchsorted(times, at_s + _FORGET_S, side="right") - np.searchsorted(
        times, at_s - _FORGET_S
    )
    near = within >= _MIN_LOOKS
    agree = (state_p[before] > 0.5) == (state_p[after] > 0.5)
    agree &= _sure(state_p[before]) & _sure(state_p[after])
    inside = (
        (before < after)
        & (times[before] <= at_s)
        & (at_s <= times[after])
        & (times[after] - times[before] <= _AGREE_S)
    )
    return near | (agree & inside)


def _two_state(t_s: Array, odds: Array) -> Array:
    """Posterior of the second state at each time, with evidence as log odds (0: none)."""
    n = len(t_s)
    like = np.c_[1 / (1 + np.exp(odds)), 1 / (1 + np.exp(-odds))]
    stay = 0.5 * (1 + np.exp(-2 * _CHANGES_PER_S * np.diff(t_s)))
    forward = np.empty((n, 2))
    backward = np.ones((n, 2))
    forward[0] = 0.5 * like[0]
    for i in range(1, n):
        forward[i] = _moved(forward[i - 1], stay[i - 1]) * like[i]
        forward[i] /= forward[i].sum()
    for i in range(n - 2, -1, -1):
        backward[i] = _moved(backward[i + 1] * like[i + 1], stay[i])
        backward[i] /= backward[i].sum()
    both = forward * backward
    return both[:, 1] / both.sum(1)


def _moved(state: Array, stay: float) -> Array:
    return stay * state + (1 - stay) * state[::-1]
