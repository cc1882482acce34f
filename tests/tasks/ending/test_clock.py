"""When the clock says that cases have expired, is it believed?"""

from __future__ import annotations

from datetime import timedelta

import pytest
from audit_scene import NOW

from tasks.ending.clock import Witnesses, clock_doubt

JUMP = timedelta(minutes=15)
QUIET = timedelta(days=7)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("seen", "doubted"),
    [
        ({}, ""),
        ({"store_utc": NOW - 14 * MINUTE}, ""),
        ({"store_utc": NOW - 16 * MINUTE}, "the object store's"),
        ({"store_utc": NOW + 16 * MINUTE}, "the object store's"),
        ({"last_entry_utc": NOW + 14 * MINUTE}, ""),
        ({"last_entry_utc": NOW + 16 * MINUTE}, "before the audit log's"),
        ({"last_entry_utc": NOW - 6 * DAY}, ""),
        ({"last_entry_utc": NOW - 8 * DAY}, "192.0 h after"),
        ({"last_entry_utc": NOW - 8 * DAY, "last_pass_utc": NOW - DAY}, ""),
        ({"last_entry_utc": NOW - 8 * DAY, "store_utc": NOW}, "192.0 h after"),
        ({"last_entry_utc": NOW - 8 * DAY, "store_utc": NOW, "store_is_apart": True}, ""),
        ({"last_entry_utc": NOW + 900 * DAY, "store_utc": NOW}, "before the audit log's"),
        ({"last_entry_utc": NOW + 900 * DAY, "store_utc": NOW, "store_is_apart": True}, ""),
        ({"last_pass_utc": NOW - 5 * MINUTE, "since_pass_s": 300.0}, ""),
        ({"last_pass_utc": NOW - 60 * DAY, "since_pass_s": 60 * 86400.0}, ""),
        ({"last_pass_utc": NOW - 60 * DAY, "since_pass_s": 300.0}, "went 1440.0 h while"),
        ({"last_pass_utc": NOW + 60 * DAY, "since_pass_s": 300.0}, "went -1440.0 h while"),
        (
            {
                "last_pass_utc": NOW - 60 * DAY,
                "since_pass_s": 300.0,
                "last_entry_utc": NOW,
                "store_utc": NOW,
            },
            "went 1440.0 h while",
        ),
    ],
)
def test_what_is_believed(seen: dict, doubted: str) -> None:
    """A jump against the store, the log or the machine's running time is doubted; so is a long
    silence after a new start, unless a store with a clock of its own vouches for the time; then a
    forged entry from the future keeps no case either. Entries written after the jump do not vouch
    for it.
    """
    doubt = clock_doubt(NOW, Witnesses(**seen), JUMP, QUIET)
    assert (doubted in doubt) if doubt and doubted else (doubt is None and not doubted)
