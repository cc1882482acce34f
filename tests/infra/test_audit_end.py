"""The log's end is found by what leads to it, with a few listings, whatever else lies there."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from infra.audit_end import last_entry


def end_of(numbers: Iterable[int], known: int = 0) -> tuple[int, int]:
    """The end of a log with these entries, and how many folders were listed."""
    there = set(numbers)
    listed: list[int] = []

    def numbers_of(folder: int) -> set[int]:
        listed.append(folder)
        return {n for n in there if n // 1000 == folder}

    return last_entry({n // 1000 for n in there}, numbers_of, known), len(listed)


@pytest.mark.parametrize(
    ("numbers", "known", "end"),
    [
        ([], 0, 0),
        (range(1, 4), 0, 3),
        (range(1, 1000), 0, 999),
        (range(1, 1001), 0, 1000),
        (range(1, 5300), 0, 5299),
        (range(1, 5300), 5296, 5299),
        ([*range(1, 300), 999_999_999_999], 0, 299),
        ([*range(1, 300), 301], 0, 299),
        ([*range(1, 300), 1000], 0, 299),
        ([*range(1, 300), *range(1000, 1400)], 0, 299),
        ([*range(1, 1999), 2000, 3000], 0, 1998),
        ([*range(1, 200), *range(201, 300)], 250, 299),
        ([*range(3000, 3300)], 3200, 3299),
        (range(1, 4), 500, 3),
        ([10**12], 0, 10**12),
    ],
)
def test_the_end_is_what_is_reached_without_a_hole(
    numbers: Iterable[int], known: int, end: int
) -> None:
    """A far number, a hole, a folder filled ahead: none is followed. What this home signed stands,
    whatever was deleted before it; a checkpoint of another store does not count.
    """
    assert end_of(numbers, known)[0] == end


def test_few_folders_are_listed() -> None:
    """However long the log is."""
    assert end_of(range(1, 9000)) == (8999, 2)
    assert end_of(range(1, 9000), 8990) == (8999, 2)
