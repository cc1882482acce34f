"""Who went on as whom, of all people seen: the probability of each step from one to a later one.

A step is weighed by how well somebody who walks, waits or comes out of where they were hidden
explains when and where the later one comes into view, against somebody new who comes just then.
Each person goes on as at most one and comes from at most one: the probability of each step under
that is found by belief propagation (Williams and Lau 2014, "Approximate evaluation of marginal
association probabilities with belief propagation"). It is the same for everybody: a track that was
cut in pieces is one person in pieces, whoever that is, and the pieces say no more than the whole.

Numbers without another source are chosen for the reason beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]

# Walking people: 1.25 m/s on the average (Weidmann 1993: 1.34); a way is not straight.
_WALK_MPS = 1.25
# Deviation of the logarithm of the time that a walk takes. Chosen.
_WALK_SPREAD = 0.35
# Nobody's way is known better than this. Chosen.
_LEAST_WAY_M = 0.5
# Who leaves one view comes into the other as often as not. Chosen.
_COMES_HERE = 0.5
# One of four stops on the way, for two minutes in the mean. Chosen.
_STOPS = 0.25
_STOP_S = 120.0
# Somebody lost behind something comes out near there, after half a minute in the mean; as often a
# track is only cut and goes on within a second. Chosen.
_HIDDEN_S = 30.0
_CUT_S = 1.0
_HIDDEN_M = 0.5
_HIDDEN_MPS = 0.8
_HIDDEN_MOST_S = 10.0
# No step is weighed more than this, against somebody new. Chosen.
_MOST = float(np.exp(4.0))
# Two positions that are known to half a metre each.
_SLACK_M = 1.0
# One track may begin so long before the other of the same body ends, as views are left and entered;
# a step takes a frame at least.
_HANDED_S = 1.0
_FRAME_S = 0.2
# A track of somebody beside another's at the same time: of the same body as often as not. Chosen.
_BESIDE = 1.0
_ROUNDS = 40


@dataclass(frozen=True)
class Presence:
    """A person who was seen: from when to when (s), where first and last (2,) m (NaN: unknown).

    `log_odds`: what a face says of them, that it is the subject's. `tied`: by something of the
    subject alone: a face that was proposed, or pointing. `clothes`: log likelihood ratio (the
    subject : somebody else) of their looks. `sure`: the subject's looks are known from them.
    """

    name: str
    start_s: float
    end_s: float
    first_m: Array
    last_m: Array
    log_odds: float = 0.0
    tied: bool = False
    clothes: float = 0.0
    sure: bool = False


@dataclass(frozen=True)
class Crowd:
    """How often somebody new is seen: `per_s` by one camera, `per_s_m2` at one place."""

    per_s: float
    per_s_m2: float


@dataclass(frozen=True)
class Steps:
    """Of n people in order of time: `weight` (n, n) of a step from row to column against somebody
    new; `possible` (n, n): the two can be one person.
    """

    weight: Array
    possible: Bools


@dataclass(frozen=True)
class Matched:
    """Probabilities: `step` (n, n) that the row went on as the column; `first`, `last` (n,) that
    nobody went on as them, and that they went on as nobody.
    """

    step: Array
    first: Array
    last: Array


def weigh_steps(
    order: Sequence[Presence],
    apart: Callable[[str, str], bool],
    crowd: Crowd,
    max_speed_mps: float,
) -> Steps:
    """Weights of all steps. `apart(a, b)` says whether two who were seen at one time were at
    different places then.
    """
    start = np.array([p.start_s for p in order])
    end = np.array([p.end_s for p in order])
    gap_s = start[None, :] - end[:, None]
    first = np.array([p.first_m for p in order])
    last = np.array([p.last_m for p in order])
    way_m = np.hypot(*np.moveaxis(first[None, :] - last[:, None], 2, 0))
    later = np.triu(np.ones(gap_s.shape, np.bool_), 1)
    after = np.maximum(gap_s, _FRAME_S)
    handed = gap_s > -_HANDED_S
    reached = handed & (start[None, :] > start[:, None])
    reached &= (end[None, :] > end[:, None]) & ~(way_m > max_speed_mps * after + _SLACK_M)
    known = np.nan_to_num(way_m)
    walked = _COMES_HERE / (1 - _COMES_HERE) * _walk_density(after, known) / crowd.per_s
    hidden = _hidden_density(after, known) / crowd.per_s_m2
    weight = np.minimum(np.maximum(walked, hidden), _MOST) * (reached & np.isfinite(way_m))
    possible = reached & later
    for j, i in np.argwhere(later & (gap_s <= 0) & ~possible):
        if not apart(order[j].name, order[i].name):
            possible[j, i] = True
            weight[j, i] = _BESIDE
    return Steps(np.where(possible, weight, 0.0), possible)


def match_steps(weight: Array) -> Matched:
    """The probabilities of steps of `weight` (n, n), each person having one before and one after
    at most.
    """
    back = np.ones_like(weight)
    for _ in range(_ROUNDS):
        reach = weight * back
        on = weight / (1 + reach.sum(1, keepdims=True) - reach)
        new = 1 / (1 + on.sum(0, keepdims=True) - on)
        done = np.abs(new - back).max(initial=0.0) < 1e-6
        back = new
        if done:
            break
    reach = weight * back
    step = reach / (1 + reach.sum(1, keepdims=True))
    first = np.clip(1 - step.sum(0), 0.0, 1.0)
    last = np.clip(1 - step.sum(1), 0.0, 1.0)
    return Matched(step, first, last)


def _walk_density(gap_s: Array, way_m: Array) -> Array:
    """Density (1/s) of coming into view after `gap_s`, at a walk of `way_m`: log-normal; and where
    they stop on the way, exponential after the walk.
    """
    usual_s = np.maximum(way_m, _LEAST_WAY_M) / _WALK_MPS
    off = np.log(gap_s / usual_s) / _WALK_SPREAD
    straight = np.exp(-0.5 * off**2) / (gap_s * _WALK_SPREAD * np.sqrt(2 * np.pi))
    late_s = gap_s - usual_s
    stopped = np.exp(-np.maximum(late_s, 0) / _STOP_S) / _STOP_S * (late_s > 0)
    return np.asarray((1 - _STOPS) * straight + _STOPS * stopped)


def _hidden_density(gap_s: Array, way_m: Array) -> Array:
    """Density (1/(s m²)) of coming out `way_m` from where one was lost, after `gap_s`."""
    sd_m = _HIDDEN_M + _HIDDEN_MPS * np.minimum(gap_s, _HIDDEN_MOST_S)
    place = np.exp(-0.5 * (way_m / sd_m) ** 2) / (2 * np.pi * sd_m**2)
    hidden = np.exp(-gap_s / _HIDDEN_S) / _HIDDEN_S
    cut = np.exp(-gap_s / _CUT_S) / _CUT_S
    return np.asarray(place * (hidden + cut) / 2)
