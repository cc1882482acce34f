"""Times as people and spreadsheets write them: ISO 8601, with the year, the day or the month first,
in Korean, with AM and PM, as Excel's number of a day.

What can be read in two ways is not guessed: 3/4/2026 is refused, 13/4/2026 is not.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from typing import Literal, NamedTuple

TimeFault = Literal["missing", "unreadable", "ambiguous_day", "no_time"]

# Excel's day 1 is 1900-01-01, and it counts a 29 February 1900 that never was: from 1 March 1900 on
# days count from here.
_EXCEL_EPOCH = date(1899, 12, 30)
# The years 2000 to 2099: other numbers are not days of a case.
_EXCEL_DAYS = (36_526, 73_050)
_DAY_S = 86_400
_NUMBER = re.compile(r"^(\d{1,5})(?:[.,](\d{1,12}))?\Z", re.ASCII)
_YEAR_FIRST = re.compile(
    r"^(\d{4})\s?[-./년]\s?(\d{1,2})\s?[-./월]\s?(\d{1,2})\s?[.일]?(?:[T\s]\s*|\Z)", re.ASCII
)
_YEAR_LAST = re.compile(r"^(\d{1,2})([-./])\s?(\d{1,2})\2\s?(\d{4})\.?(?:,?\s+|\Z)", re.ASCII)
_WEEKDAY = re.compile(r"\s*\([^)]{1,9}\)\s*|\s+[월화수목금토일]요일\s*")
_CLOCK = re.compile(
    r"^(?P<before>오전|오후|AM|PM)?\s*(?P<h>\d{1,2})(?:\s?시|[:.])?\s?"
    r"(?:(?P<m>\d{1,2})(?:\s?분|[:.])?\s?(?:(?P<s>\d{1,2})(?:[.,]\d+)?\s?초?)?)?\s*"
    r"(?P<after>AM|PM)?\Z",
    re.ASCII | re.IGNORECASE,
)
_AFTERNOON = ("오후", "PM")


class TypedTime(NamedTuple):
    """What was read: a day, a time of day, or both; `at` with its offset where one was written."""

    day: date | None = None
    clock: time | None = None
    at: datetime | None = None


def read_time(text: str) -> TypedTime | TimeFault:
    """The day, the time of day, or both that a text says."""
    text = " ".join(text.replace("\u00a0", " ").split())
    if not text:
        return "missing"
    number = _NUMBER.match(text)
    if number:
        return _of_number(float(f"{number[1]}.{number[2] or 0}"))
    try:
        if "T" in text or re.search(r"\d{2}:\d{2}.*([+-]\d{2}:?\d{2}|Z)\Z", text):
            at = datetime.fromisoformat(text)
            given = at if at.tzinfo else None
            return TypedTime(at.date(), at.time().replace(microsecond=0), given)
    except ValueError:
        return "unreadable"
    return _of_words(_WEEKDAY.sub(" ", text))


def _of_number(number: float) -> TypedTime | TimeFault:
    """Excel's number: whole days, and the time of day as a share of one."""
    days, seconds = divmod(round(number * _DAY_S), _DAY_S)
    clock = time(seconds // 3600, seconds // 60 % 60, seconds % 60)
    if not days and number:
        return TypedTime(clock=clock)
    if not _EXCEL_DAYS[0] <= days <= _EXCEL_DAYS[1]:
        return "unreadable"
    return TypedTime(_EXCEL_EPOCH + timedelta(days=days), clock if seconds else None)


def _of_words(text: str) -> TypedTime | TimeFault:
    day: date | None = None
    rest = text
    first = _YEAR_FIRST.match(text)
    last = _YEAR_LAST.match(text)
    try:
        if first:
            day = date(int(first[1]), int(first[2]), int(first[3]))
            rest = text[first.end() :]
        elif last:
            found = _day_and_month(int(last[1]), int(last[3]), last[2])
            if found is None:
                return "ambiguous_day"
            day = date(int(last[4]), found[1], found[0])
            rest = text[last.end() :]
        clock = _clock(rest) if rest.strip() else None
    except ValueError:
        return "unreadable"
    return TypedTime(day, clock) if day or clock else "unreadable"


def _day_and_month(a: int, b: int, separator: str) -> tuple[int, int] | None:
    """Day and month of two numbers before a year. Dots are written with the day first; of strokes
    nobody knows.
    """
    if separator == "." or a > 12 or a == b:
        return a, b
    return (b, a) if b > 12 else None


def _clock(text: str) -> time:
    found = _CLOCK.match(text.strip())
    half = (found["before"] or found["after"] or "").upper() if found else ""
    # A bare number is no time of day: 9 may be anything.
    if found is None or (found["m"] is None and not half and "시" not in text):
        raise ValueError("no time of day")
    hour = int(found["h"])
    if half:
        if not 1 <= hour <= 12:
            raise ValueError("no hour of a half day")
        hour = hour % 12 + (12 if half in _AFTERNOON else 0)
    return time(hour, int(found["m"] or 0), int(found["s"] or 0))
