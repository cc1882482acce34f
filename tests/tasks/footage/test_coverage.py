"""What of a file was seen: every stretch of it once, each hole with its cause."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.footage.coverage import stretches
from tasks.footage.stamps import Left, Stamps


def of(times, step_s=0.2, damaged=(), stated_s=0.0, left=()):
    """The stretches of a file whose pictures were all seen but the damaged ones."""
    every = sorted({*times, *damaged})
    stamps = Stamps({i: at for i, at in enumerate(every)}, step_s, tuple(left))
    parts = stretches(stamps, set(times), set(damaged), stated_s)
    return [(round(p.start_s, 2), round(p.end_s, 2), p.kind) for p in parts]


FIVE = [i / 5 for i in range(50)]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"times": FIVE}, [(0, 10, None)]),
        ({"times": FIVE[:10] + FIVE[20:]}, [(0, 2, None), (2, 4, "no_pictures"), (4, 10, None)]),
        ({"times": FIVE[:10] + FIVE[16:]}, [(0, 10, None)]),  # 1.4 s
        ({"times": [0.0]}, [(0, 0.2, None)]),
        ({"times": [float(i) for i in range(10)], "step_s": 1.0}, [(0, 10, None)]),
        ({"times": FIVE, "stated_s": 15.0}, [(0, 10, None), (10, 15, "unreadable")]),
        ({"times": FIVE, "stated_s": 10.5}, [(0, 10, None)]),
        ({"times": FIVE, "left": [Left(5.0, "back")]}, [(0, 10, None), (10, 15, "unreadable")]),
        ({"times": FIVE, "left": [Left(0.2, "ahead")]}, [(0, 10, None)]),
        (
            {"times": FIVE[25:], "damaged": FIVE[:25]},
            [(0, 5, "unreadable"), (5, 10, None)],
        ),
        ({"times": [2.5 * i for i in range(5)], "step_s": 2.5}, [(0, 10, "few_pictures")]),
    ],
)
def test_stretches(given, wanted):
    """Holes of more than 1.5 s and three steps, damage, and what should have come after."""
    assert of(**given)[: len(wanted)] == wanted


def test_a_second_between_dense_pictures_is_no_hole():
    """A camera that records 10 pictures a second while something moves and 1 otherwise."""
    times = [*map(float, range(10)), *(10 + i / 10 for i in range(50)), *range(15, 30)]
    assert of(times, step_s=0.1) == [(0, 30, None)]


@given(
    st.lists(st.floats(0.04, 20), min_size=0, max_size=60),
    st.sets(st.integers(0, 60), max_size=20),
    st.floats(0, 100),
    st.lists(st.floats(0, 30), max_size=2),
)
def test_every_moment_of_a_file_once(steps, broken, stated_s, left_s):
    """Whatever the holes and the damage: the stretches follow one another from the file's start,
    and every picture seen lies in one that was seen or has too few.
    """
    times = [0.0]
    for step in steps:
        times.append(times[-1] + step)
    damaged = {at for i, at in enumerate(times) if i in broken}
    seen = set(times) - damaged
    if not seen:
        return
    stamps = Stamps(dict(enumerate(times)), 0.2, tuple(Left(s, "left") for s in left_s))
    parts = stretches(stamps, seen, damaged, stated_s)
    assert parts[0].start_s == 0
    for before, after in pairwise(parts):
        assert before.end_s == after.start_s
    for at in seen:
        (own,) = [p for p in parts if p.start_s <= at < p.end_s]
        assert own.kind in (None, "few_pictures")
    for part in parts:
        assert part.end_s > part.start_s
        assert bool(part.kind) == bool(part.fault) == bool(part.advice)
