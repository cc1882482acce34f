"""How far a camera's clock is from the true time, as the administrator states it.

A recorder names its files and stamps its pictures by its own clock. Everywhere else times are true:
what is read from a name is corrected once, where the file is found.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from pydantic import Field, model_validator

from data_contracts.record import Record
from data_contracts.time import Utc

# A clock that was never set is years off: its footage needs other names, not a correction.
_MOST_S = 2 * 86_400.0


class ClockSpan(Record):
    """The camera's clock is ahead of the true time by `ahead_s` (negative: behind) with deviation
    `sd_s`, while it shows from `from_utc` until `until_utc` (UTC; open where not given).
    """

    ahead_s: float = Field(ge=-_MOST_S, le=_MOST_S)
    sd_s: float = Field(default=0.0, ge=0, le=3600)
    from_utc: Utc | None = None
    until_utc: Utc | None = None

    @model_validator(mode="after")
    def _in_order(self) -> ClockSpan:
        if self.from_utc and self.until_utc and self.from_utc >= self.until_utc:
            raise ValueError("from_utc must come before until_utc")
        return self

    def shows(self, stamp_utc: datetime) -> bool:
        """Whether the span holds for this time of the camera's clock."""
        after = self.from_utc is None or self.from_utc <= stamp_utc
        return after and (self.until_utc is None or stamp_utc < self.until_utc)


_RIGHT = ClockSpan(ahead_s=0.0)
Clock = Sequence[ClockSpan]


def span_of(clock: Clock, stamp_utc: datetime) -> ClockSpan:
    """The first span that holds for a time of the camera's clock; a right clock where none does."""
    return next((span for span in clock if span.shows(stamp_utc)), _RIGHT)


def true_time(clock: Clock, stamp_utc: datetime) -> datetime:
    """The true time (UTC) of what the camera's clock shows."""
    return stamp_utc - timedelta(seconds=span_of(clock, stamp_utc).ahead_s)


def clock_sd_s(clock: Clock, true_utc: datetime) -> float:
    """The deviation of the correction at a true time, s."""
    for span in clock:
        if span.shows(true_utc + timedelta(seconds=span.ahead_s)):
            return span.sd_s
    return 0.0


def shown_between(
    clock: Clock, start_utc: datetime, end_utc: datetime
) -> tuple[datetime, datetime]:
    """From when to when the camera's clock can show what happened in [start, end)."""
    ahead = [0.0, *(span.ahead_s for span in clock)]
    return start_utc + timedelta(seconds=min(ahead)), end_utc + timedelta(seconds=max(ahead))
