"""The subject's way: the best chain through people who were seen, with "not seen" between.

Each person (joined tracks) is a node whose weight is what was seen of them; a step from one to the
next counts by how well somebody who walks explains it, against somebody else who comes into view
just then. One person is at one place at a time: those who are at different places at one time, or
too far apart to walk, are never in one chain. A node's probability is the sum over all chains that
hold it over the sum over all chains, by the forward-backward sums: two who fit alike share it.

Numbers without another source are chosen for the reason beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Walking people: 1.25 m/s on the average (Weidmann 1993: 1.34); a way is not straight.
_WALK_MPS = 1.25
# Deviation of the logarithm of the time that a walk takes. Chosen.
_WALK_SPREAD = 0.35
# Who leaves one view comes into this next one as often as not. Chosen.
_COMES_HERE = 0.5
# Somebody lost behind something comes out near there, after half a minute in the mean. Chosen.
_HIDDEN_S = 30.0
_HIDDEN_M = 0.5
_HIDDEN_MPS = 0.8
_HIDDEN_MOST_S = 10.0
# No step says more than this for or against. Chosen.
_LEAST = -2.0
_MOST = 4.0
# Two positions that are known to half a metre each.
_SLACK_M = 1.0


@dataclass(frozen=True)
class Presence:
    """A person who was seen: from when to when (s), where first and last (2,) m (NaN: unknown).

    `log_odds`: what was seen of them; that it is the subject, against somebody else. `tied`: that
    is by something of the subject alone, such as a face, and not by clothes only.
    """

    name: str
    start_s: float
    end_s: float
    first_m: Array
    last_m: Array
    log_odds: float
    tied: bool


@dataclass(frozen=True)
class Crowd:
    """The people seen: how many, and how often somebody new is: `per_s` by one camera, `per_s_m2`
    at one place.
    """

    n: int
    per_s: float
    per_s_m2: float


def chances(
    people: Sequence[Presence],
    apart: Callable[[str, str], bool],
    crowd: Crowd,
    max_speed_mps: float,
) -> dict[str, float]:
    """Probability of each person that they are the subject. `apart(a, b)` says whether two who were
    seen at one time were at different places then.
    """
    order = sorted(people, key=lambda p: (p.start_s, p.end_s, p.name))
    n = len(order)
    step = np.full((n, n), -np.inf)
    for i, then in enumerate(order):
        for j, before in enumerate(order[:i]):
            step[j, i] = _step(before, then, apart, crowd, max_speed_mps)
    return _marginals(order, step, -float(np.log(crowd.n)))


def _marginals(order: Sequence[Presence], step: Array, untied: float) -> dict[str, float]:
    """Forward-backward sums. A chain of which nobody is tied to the subject counts `untied` (log)
    less: any of the people could begin it. The second index says whether the chain is tied so far.
    """
    n = len(order)
    weight = np.array([p.log_odds for p in order])
    end = np.array([untied, 0.0])
    forward = np.full((n, 2), -np.inf)
    for i, person in enumerate(order):
        into = forward[:i] + step[:i, i, None]
        if person.tied:
            forward[i, 1] = weight[i] + _log_sum(np.r_[0.0, into.ravel()])
        else:
            forward[i, 0] = weight[i] + _log_sum(np.r_[0.0, into[:, 0]])
            forward[i, 1] = weight[i] + _log_sum(into[:, 1])
    backward = np.full((n, 2), -np.inf)
    tied = np.array([p.tied for p in order], dtype=np.bool_)
    for i in reversed(range(n)):
        on = np.arange(i + 1, n)
        for state in (0, 1):
            then = np.where(tied[on], backward[on, 1], backward[on, state])
            backward[i, state] = _log_sum(np.r_[end[state], weight[on] + step[i, on] + then])
    total = _log_sum(np.r_[0.0, (forward + end).ravel()])
    share = [
        np.exp(min(_log_sum(f + b) - total, 0.0)) for f, b in zip(forward, backward, strict=True)
    ]
    return {p.name: float(s) for p, s in zip(order, share, strict=True)}


def _step(
    before: Presence,
    then: Presence,
    apart: Callable[[str, str], bool],
    crowd: Crowd,
    max_speed_mps: float,
) -> float:
    """Log likelihood ratio that the subject went on from the one as the other; -inf: impossible."""
    gap_s = then.start_s - before.end_s
    if gap_s <= 0:
        return -np.inf if apart(before.name, then.name) else 0.0
    way_m = float(np.hypot(*(then.first_m - before.last_m)))
    if np.isnan(way_m):
        return 0.0
    if way_m > max_speed_mps * gap_s + _SLACK_M:
        return -np.inf
    walked = _COMES_HERE * _walk_density(gap_s, way_m) / crowd.per_s
    hidden = _hidden_density(gap_s, way_m) / crowd.per_s_m2
    return float(np.clip(np.log(max(walked, hidden, 1e-9)), _LEAST, _MOST))


def _walk_density(gap_s: float, way_m: float) -> float:
    """Density (1/s) of coming into view after `gap_s`, at a walk of `way_m`: log-normal."""
    usual_s = max(way_m, _HIDDEN_M) / _WALK_MPS
    off = np.log(gap_s / usual_s) / _WALK_SPREAD
    return float(np.exp(-0.5 * off**2) / (gap_s * _WALK_SPREAD * np.sqrt(2 * np.pi)))


def _hidden_density(gap_s: float, way_m: float) -> float:
    """Density (1/(s m²)) of coming out `way_m` from where one was lost, after `gap_s`."""
    sd_m = _HIDDEN_M + _HIDDEN_MPS * min(gap_s, _HIDDEN_MOST_S)
    place = np.exp(-0.5 * (way_m / sd_m) ** 2) / (2 * np.pi * sd_m**2)
    return float(place * np.exp(-gap_s / _HIDDEN_S) / _HIDDEN_S)


def _log_sum(values: Array) -> float:
    top = float(values.max(initial=-np.inf))
    if top == -np.inf:
        return top
    return top + float(np.log(np.exp(values - top).sum()))
