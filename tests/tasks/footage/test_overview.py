"""What a folder holds, told: spans, holes, overlaps, clocks."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tasks.footage.overview import Measured, overview

T0 = datetime(2026, 11, 16, tzinfo=UTC)


def at(seconds):
    """T0 plus seconds."""
    return T0 + timedelta(seconds=seconds)


@given(st.lists(st.tuples(st.integers(0, 3600), st.integers(0, 900)), min_size=1, max_size=12))
def test_holes_and_what_was_recorded_fill_the_span(files):
    """Whatever files overlap or lack: recorded and holes together last from first to last; what two
    files show is counted apart.
    """
    (row,) = overview([Measured("a", at(start), float(length)) for start, length in files])
    readable = [(s, n) for s, n in files if n]
    holes = sum(hole.seconds for hole in row.holes)
    if readable:
        first = min(s for s, _ in readable)
        last = max(s + n for s, n in readable)
        short = len(readable) * 1.5  # holes that names may make
        assert row.recorded_s + holes <= last - first <= row.recorded_s + holes + short
    assert row.files == len(files)
    assert row.unreadable == len(files) - len(readable)
    assert abs(sum(n for _, n in readable) - row.recorded_s - row.overlap_s) < 1e-6


def test_a_clock_that_contradicts_the_names_is_told():
    """Files made an hour after their names: the zone; made when they end: nothing odd."""
    late = [Measured("a", at(i * 60), 60.0, at(i * 60 + 3600)) for i in range(5)]
    usual = [Measured("b", at(i * 60), 60.0, at(i * 60 + 60)) for i in range(5)]
    first, second = overview([*late, *usual])
    assert "3,600 s after" in first.clock
    assert second.clock == ""
