"""Stamps that lie: what is believed of a file, and what is told of the rest."""

from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tasks.footage.stamps import believed

UNIT = Fraction(1, 1000)
STEP = 200
EVEN = [i * STEP for i in range(150)]
DAY_S = 86_400.0


def kept(stamps):
    """Seconds that are believed, in order, and the faults."""
    found = believed(stamps, UNIT, min(stamps), DAY_S)
    return sorted(found.seconds.values()), [left.fault for left in found.left]


def test_even_stamps_are_believed():
    """All of them, from the first picture on."""
    seconds, faults = kept([5000 + s for s in EVEN])
    assert seconds == [i / 5 for i in range(150)]
    assert faults == []


def test_b_pictures_are_in_no_order():
    """Pictures in the order of decoding: each is believed."""
    seconds, faults = kept([0, 800, 400, 200, 600, 1600, 1200, 1000, 1400])
    assert seconds == [i / 5 for i in range(9)]
    assert faults == []


@pytest.mark.parametrize(
    ("stamps", "count", "says"),
    [
        ([EVEN[0] + 10_800_000, *EVEN[1:]], 149, "ahead by 10,800 s (3 h): 1 picture was"),
        ([*EVEN[:75], EVEN[75] - 9000, *EVEN[76:]], 149, "back by 9.0 s: 1 picture was"),
        ([*EVEN[:149], EVEN[149] + 100_000], 149, "ahead by 100.0 s: 1 picture was"),
        ([*EVEN[:75], *EVEN[:75]], 75, "back by 15.0 s: 75 pictures were"),
        ([*EVEN[:50], *(s + 10_800_000 for s in EVEN[50:])], 50, "(3 h): 100 pictures were"),
        ([s - s % 400 for s in EVEN], 75, "75 pictures carry the stamp of another"),
    ],
)
def test_what_is_left_out_is_told(stamps, count, says):
    """How many pictures, and by how much their stamps are off."""
    seconds, (fault, *more) = kept(stamps)
    assert len(seconds) == count
    assert says in fault
    assert not more


def test_noise_is_told_in_few_words():
    """Stamps without any order: few lines, whatever there is."""
    random = [(7919 * i * i) % 10_000_019 for i in range(3000)]
    _, faults = kept(random)
    assert len(faults) <= 12
    assert "more pictures were left out alike" in faults[10]


@given(
    st.lists(st.integers(1, 400), min_size=40, max_size=80),
    st.dictionaries(st.integers(0, 39), st.integers(10**6, 10**8), max_size=3),
)
def test_outliers_cost_nothing_but_themselves(steps, outliers):
    """Whatever the rate: of stamps that run on, some set far ahead are left out, and no other."""
    true = [sum(steps[:i]) for i in range(len(steps))]
    stamps = [at + outliers.get(i, 0) for i, at in enumerate(true)]
    # Outliers one after the other that run on themselves are a jump, not outliers.
    if any(i + 1 in outliers for i in outliers):
        return
    found = believed(stamps, UNIT, 0, DAY_S)
    assert set(found.seconds) == {at for i, at in enumerate(true) if i not in outliers}


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=60))
@example([0, 5_000_001, 5_000_002])
def test_what_is_believed_runs_on(stamps):
    """Of any stamps: none is believed twice or made up, and all lie in the file."""
    found = believed(stamps, UNIT, min(stamps), 5000.0)
    assert found.seconds
    assert set(found.seconds) <= set(stamps)
    assert len(set(found.seconds.values())) == len(found.seconds)
    assert all(0 <= at <= 5000 for at in found.seconds.values())
