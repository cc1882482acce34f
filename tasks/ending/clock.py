"""Whether this machine's clock may be believed when it says that cases have expired. Pure.

A clock that was set to next year would end every case; one that was set back would end none. Times
that the clock is held against: the object store's, the audit log's last entry, and how long by the
machine's own running time it is since the last pass.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from data_contracts.record import Record
from data_contracts.time import Utc


class Witnesses(Record):
    """What the clock is held against; None where there is nothing to ask.

    `store_utc` is the store's time, `store_is_apart` whether it has a clock of its own (it is not
    on this machine). `since_pass_s` is how long the last pass is ago by the machine's running time,
    where the machine was not started anew since.
    """

    store_utc: Utc | None = None
    store_is_apart: bool = False
    last_entry_utc: Utc | None = None
    last_pass_utc: Utc | None = None
    since_pass_s: float | None = None


def clock_doubt(now: datetime, seen: Witnesses, jump: timedelta, quiet: timedelta) -> str | None:
    """Why the clock is not believed, or None.

    `jump`: by how much it may differ from the store's, be behind the audit log, or differ from the
    machine's running time. `quiet`: how long nothing may have been heard, where nothing else
    vouches for the time that went by.
    """
    if seen.store_utc is not None and abs(now - seen.store_utc) > jump:
        return f"this clock says {_time(now)}, the object store's {_time(seen.store_utc)}"
    if seen.store_utc is not None and seen.store_is_apart:
        # Two clocks agree: an entry from their future was put there by who writes to the bucket,
        # and must not keep cases from their end.
        return None
    if seen.last_entry_utc is not None and now < seen.last_entry_utc - jump:
        return f"this clock says {_time(now)}, before the audit log's last entry"
    return _doubt_of_own(now, seen, jump, quiet)


def _doubt_of_own(now: datetime, seen: Witnesses, jump: timedelta, quiet: timedelta) -> str | None:
    """Nobody else has told the time: what this machine knows by itself."""
    if seen.last_pass_utc is not None and seen.since_pass_s is not None:
        went = now - seen.last_pass_utc
        ran = timedelta(seconds=seen.since_pass_s)
        if abs(went - ran) > jump:
            return f"this clock went {_hours(went)} while the machine ran {_hours(ran)}"
        return None
    heard = [at for at in (seen.last_entry_utc, seen.last_pass_utc) if at is not None]
    if heard and now - max(heard) > quiet:
        return f"this clock says {_time(now)}, {_hours(now - max(heard))} after the last entry"
    return None


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _hours(length: timedelta) -> str:
    return f"{length.total_seconds() / 3600:.1f} h"
