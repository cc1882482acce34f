"""From rows of the itinerary as people type them to visits: what is wrong is told field by field,
all of it at once.
"""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import Literal, NamedTuple

from data_contracts.case import Visit
from data_contracts.errors import BadInput
from data_contracts.filing_draft import TypedVisit
from data_contracts.number import read_number
from tasks.footage.local_time import instant
from tasks.search.typed_time import TimeFault, read_time

Field = Literal["place", "start", "end", "tolerance_min", "repeated"]
# `skipped`: clocks go forward over it; `twice`: they go back, and it is not said which is meant.
Code = TimeFault | Literal["skipped", "twice", "not_after", "future", "tolerance"]
_LARGEST_TOLERANCE_MIN = 360.0


class Fault(NamedTuple):
    """A field, and what is wrong with it."""

    field: Field
    code: Code


def visit_of(typed: TypedVisit, zone: tzinfo, now: datetime) -> Visit | tuple[Fault, ...]:
    """The visit that a row says, its times in `zone`; or all that is wrong with it."""
    faults: list[Fault] = []
    place = " ".join(typed.place.split())
    if not place:
        faults.append(Fault("place", "missing"))
    start = _instant(typed, "start", zone, now, faults)
    end = _instant(typed, "end", zone, now, faults)
    if start and end and end <= start:
        faults.append(Fault("end", "not_after"))
    tolerance = _minutes(typed.tolerance_min)
    if tolerance is None:
        faults.append(Fault("tolerance_min", "tolerance"))
    if faults or start is None or end is None or tolerance is None:
        return tuple(dict.fromkeys(faults))
    return Visit(place=place, from_utc=start, to_utc=end, tolerance_s=60.0 * tolerance)


def _instant(
    typed: TypedVisit,
    field: Literal["start", "end"],
    zone: tzinfo,
    now: datetime,
    faults: list[Fault],
) -> datetime | None:
    found = instant_of(getattr(typed, field), zone, typed.repeated)
    if isinstance(found, datetime):
        if found <= now:
            return found
        found = "future"
    faults.append(Fault("repeated" if found == "twice" else field, found))
    return None


def instant_of(
    text: str, zone: tzinfo, repeated: Literal["", "first", "second"]
) -> datetime | Code:
    """The instant of a day and a time that were typed, or what is wrong with them."""
    read = read_time(text)
    if isinstance(read, str):
        return read
    if read.at is not None:
        return read.at
    if read.day is None or read.clock is None:
        return "no_time"
    try:
        return instant(datetime.combine(read.day, read.clock), zone, repeated)
    except BadInput:
        return "skipped" if _skipped(datetime.combine(read.day, read.clock), zone) else "twice"


def _skipped(local: datetime, zone: tzinfo) -> bool:
    """Whether clocks go forward over a local time: it comes back as another from any instant."""
    back = local.replace(tzinfo=zone).astimezone(UTC).astimezone(zone)
    return back.replace(tzinfo=None) != local


def _minutes(text: str) -> float | None:
    try:
        found = read_number(text.strip())
    except ValueError:
        return None
    return found if 0 <= found <= _LARGEST_TOLERANCE_MIN else None
