"""The subject's way: the sum over all chains of people who were seen, with "not seen" between.

One person is at one place at a time, and goes on as one of those who come into view later
(`tasks.people.step`). The subject was seen in visits: in each of them somebody is tied to the
subject by a face or by pointing, and those before and after are who came to be them and who they
went on as. A chain without anyone tied is nobody's: clothes alone state nothing, and take nothing
from a face. A person's probability is the sum over the chains that hold them over the sum over all
chains, by forward and backward sums: two who fit alike share it.

Clothes are one thing that a person wears, or not, through all of a chain: of everybody the chance
that they wear clothes like the subject's is carried along their steps. So somebody else in like
clothes is always possible, as often as `_ALIKE`; the same clothes seen again on the same person
say nothing new; and who follows somebody in like clothes is likely the same somebody.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.people.step import Bools, Crowd, Matched, Presence, match_steps, weigh_steps

Array = NDArray[np.float64]

# Of people other than the subject, the share in clothes like the subject's: e^-3.1, beside the
# bound of e^3 of a ratio (`tasks.observe.looks`), with which it was measured.
_ALIKE = 0.045
# The same where the subject's looks were learnt from them.
_SURE = 0.99
# Share of steps in which a coat is put on or off, and of visits. Chosen.
_CHANGED = 0.03
_CHANGED_AWAY = 0.1
# The subject comes into view again, with nothing to say how they came there. Chosen.
_RETURNS = 0.2
# Rounds in which clothes and steps inform each other; they change little after the second.
_ROUNDS = 3


@dataclass(frozen=True)
class _Links:
    """Logarithms: `after`, `before` (n, n) of going from row to column, given the row, and given
    the column; `begin`, `end` (n,) of a visit; `again` (n, n) whether another may follow.
    """

    after: Array
    before: Array
    begin: Array
    end: Array
    again: Array


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
    if not order:
        return {}
    steps = weigh_steps(order, apart, crowd, max_speed_mps)
    like = np.array([_SURE if p.sure else likeness(p.clothes) for p in order])
    matched = _dressed(steps.weight, like, np.array([p.sure for p in order]))
    return _sums(order, _links(order, matched, like, steps.possible))


def likeness(ratio: float) -> float:
    """The chance that a body wears clothes like the subject's, were it anybody's."""
    return float(min(_ALIKE * np.exp(ratio), 0.9))


def _agreement(worn: Array, like: Array) -> Array:
    """How much likelier a body is that looks so (`like`: the chance that it wears such clothes,
    were it anybody's) where such clothes are expected with the chance `worn`.
    """
    return worn * like / _ALIKE + (1 - worn) * (1 - like) / (1 - _ALIKE)


def _dressed(weight: Array, like: Array, sure: Bools) -> Matched:
    """Steps, with the clothes: the chance of wearing the subject's is carried along the steps."""
    worn = np.where(sure, 1.0, like)
    for _ in range(_ROUNDS):
        kept = worn * (1 - _CHANGED)
        matched = match_steps(weight * _agreement(kept[:, None], like[None, :]))
        for i in range(len(like)):
            kept = worn * (1 - _CHANGED)
            then = kept * like[i] / _ALIKE / _agreement(kept, like[i])
            own = matched.first[i] * like[i] + matched.step[:, i] @ then
            worn[i] = 1.0 if sure[i] else float(np.clip(own, 0.0, 1.0))
    return matched


def _links(order: Sequence[Presence], matched: Matched, like: Array, possible: Bools) -> _Links:
    """What goes from one person to the next within a visit: a step, or coming into view again."""
    tied = np.array([p.tied for p in order])
    odds = np.array([p.log_odds for p in order])
    away = _agreement(np.asarray(1 - _CHANGED_AWAY), like)
    # Whose face speaks against them is likelier passed by.
    away_odds = np.where(tied, 1.0, np.exp(np.minimum(odds, 0.0)))
    free = _RETURNS * possible * matched.last[:, None] * matched.first[None, :]
    # Of all who come later, or went before, each may be the one; clothes say which.
    later = np.maximum((possible * matched.first).sum(1), 1.0)
    sooner = np.maximum(matched.last @ possible, 1.0)
    after = (matched.step + free * away / later[:, None]) * away_odds
    before = (matched.step + free * away[:, None] / sooner) * away_odds[:, None]
    rest = np.maximum(after.sum(1) + matched.last, 1e-12)
    past = np.maximum(before.sum(0) + matched.first, 1e-12)
    # Somebody tied who was not gone to from another: their own clothes speak for themselves.
    sure = np.array([p.sure for p in order])
    own = np.where(tied & ~sure, np.log(away), 0.0)
    with np.errstate(divide="ignore"):
        return _Links(
            np.log(after / rest[:, None]),
            np.log(before / past) + own,
            np.log(matched.first / past) + own,
            np.log(matched.last / rest),
            np.log(possible),
        )


def _sums(order: Sequence[Presence], links: _Links) -> dict[str, float]:
    """Forward and backward sums over chains of visits. The second index says whether somebody in
    this visit was tied to the subject so far; a visit ends only so.
    """
    n = len(order)
    tied = np.array([p.tied for p in order])
    odds = np.array([p.log_odds if p.tied else 0.0 for p in order])
    forward = np.full((n, 2), -np.inf)
    for i in range(n):
        untied, so_far = forward[:i].T
        began = links.begin[i] + _log_sum(np.r_[0.0, so_far + links.end[:i] + links.again[:i, i]])
        came = _log_sum(np.r_[began, untied + links.before[:i, i]])
        went = _log_sum(so_far + links.after[:i, i])
        forward[i] = (-np.inf, odds[i] + _log_sum(np.r_[came, went])) if tied[i] else (came, went)
    backward = np.full((n, 2), -np.inf)
    for i in reversed(range(n)):
        on = slice(i + 1, n)
        entered = odds[on] + np.where(tied[on], backward[on, 1], backward[on, 0])
        anew = links.end[i] + links.again[i, on] + links.begin[on] + entered
        went_on = links.after[i, on] + odds[on] + backward[on, 1]
        backward[i, 0] = _log_sum(links.before[i, on] + entered)
        backward[i, 1] = _log_sum(np.r_[links.end[i], anew, went_on])
    total = _log_sum(np.r_[0.0, forward[:, 1] + links.end])
    held = [_log_sum(f + b) for f, b in zip(forward, backward, strict=True)]
    return {p.name: float(np.exp(min(h - total, 0.0))) for p, h in zip(order, held, strict=True)}


def _log_sum(values: Array) -> float:
    top = float(values.max(initial=-np.inf))
    if top == -np.inf:
        return top
    return top + float(np.log(np.exp(values - top).sum()))
