"""Steps between people: each goes on as one at most, whoever they are."""

from itertools import permutations

import numpy as np
import pytest

from tasks.people.step import Crowd, Presence, match_steps, weigh_steps

CROWD = Crowd(0.05, 0.0001)


def by_listing(weight):
    """The probabilities of steps by listing all matchings."""
    n = len(weight)
    total = 0.0
    step = np.zeros((n, n))
    seen = set()
    for order in permutations([*range(n), *[None] * n], n):
        if order in seen:
            continue
        seen.add(order)
        pairs = [(j, i) for j, i in enumerate(order) if i is not None]
        w = np.prod([weight[j, i] for j, i in pairs]) if pairs else 1.0
        total += w
        for j, i in pairs:
            step[j, i] += w
    return step / total


def test_matching_is_near_that_by_listing() -> None:
    """Belief propagation against all matchings of four people listed; exact where nothing loops."""
    rng = np.random.default_rng(1)
    weight = np.triu(rng.exponential(3.0, (4, 4)), 1)
    made = match_steps(weight)
    assert made.step == pytest.approx(by_listing(weight), abs=0.05)
    line = np.diag([5.0, 20.0, 0.3], 1)
    assert match_steps(line).step == pytest.approx(by_listing(line), abs=1e-6)


def test_each_has_one_before_and_one_after() -> None:
    """Rows and columns add up to one at most, with those who have nobody."""
    weight = np.triu(np.random.default_rng(2).exponential(30.0, (30, 30)), 1)
    made = match_steps(weight)
    assert made.step.sum(1) + made.last == pytest.approx(np.ones(30), abs=1e-3)
    assert made.step.sum(0) + made.first == pytest.approx(np.ones(30), abs=1e-3)


def test_a_track_is_handed_over_while_both_are_seen() -> None:
    """A body whose next track begins half a second before the last one ends, a metre off: one
    person; ten metres off, two; and two who stand beside each other for long are asked about.
    """
    for x, overlap, apart, one in (
        (1.0, 0.5, True, True),
        (10.0, 0.5, True, False),
        (1.0, 5.0, True, False),
        (1.0, 5.0, False, True),
    ):
        face = Presence("a", 0, 10, np.zeros(2), np.zeros(2))
        there = np.array([x, 0.0])
        then = Presence("b", 10 - overlap, 60, there, there)
        made = weigh_steps([face, then], lambda _a, _b, apart=apart: apart, CROWD, 2.5)
        assert made.possible[0, 1] == one
        assert (made.weight[0, 1] > 0) == one


def test_a_walk_that_fits_weighs_more_than_one_that_does_not() -> None:
    """Eighteen metres after fifteen seconds, after two minutes, after two seconds."""
    face = Presence("a", 0, 10, np.zeros(2), np.zeros(2))
    steps = {}
    for after in (15, 120, 2):
        there = np.array([18.0, 0.0])
        then = Presence("b", 10 + after, 90 + after, there, there)
        made = weigh_steps([face, then], lambda _a, _b: True, CROWD, 2.5)
        steps[after] = (made.weight[0, 1], made.possible[0, 1])
    assert steps[15][0] > 1
    assert 0 < steps[120][0] < steps[15][0] / 5
    assert steps[2] == (0.0, False)
