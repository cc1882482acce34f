"""Where the audit log ends: the last number that is reached from the log's beginning, or from what
this home knows of it, without a hole.

Numbers are in the entries' keys, and who may write to the bucket can write any number. One that
nothing leads to (999999999999) is not the end, and is never followed: the log would stand still
behind it. Garbage in the very next place is stepped over, one place a garbage.
"""

from __future__ import annotations

from collections.abc import Callable

from data_contracts.object_key import ENTRIES_A_FOLDER


def last_entry(folders: set[int], numbers_of: Callable[[int], set[int]], known: int) -> int:
    """The number of the last entry, 0 in an empty log.

    `folders` are the numbers of the folders that have entries, `numbers_of` lists one folder, and
    `known` is an entry that this home has signed behind (0: none), which is where to begin if it is
    there. Of the folders only the last few are listed, never all.
    """
    if not known or known not in numbers_of(_folder(known)):
        known = 0
    if not folders:
        return 0
    first = _folder(known) if known else min(folders)
    last = first
    while last + 1 in folders:
        last += 1
    for folder in range(last, first - 1, -1):
        start = known if known and folder == first else max(1, folder * ENTRIES_A_FOLDER)
        end = _unbroken(start, numbers_of(folder))
        if end >= start and (folder == first or _full(folder - 1, known, numbers_of)):
            return end
    return known


def _full(folder: int, known: int, numbers_of: Callable[[int], set[int]]) -> bool:
    start = max(1, known if _folder(known) == folder else 0, folder * ENTRIES_A_FOLDER)
    end = (folder + 1) * ENTRIES_A_FOLDER - 1
    return _unbroken(start, numbers_of(folder)) == end


def _unbroken(start: int, numbers: set[int]) -> int:
    """The last number of the run that begins at `start`; `start` - 1 where it does not."""
    at = start
    while at in numbers:
        at += 1
    return at - 1


def _folder(number: int) -> int:
    return number // ENTRIES_A_FOLDER
