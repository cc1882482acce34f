"""Rows as people type and paste them: every way of writing a time, and what cannot be told."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import pytest

from data_contracts.case import Visit
from data_contracts.filing_draft import MOST_ROWS, TypedVisit
from tasks.search.pasted_rows import decode, read_rows
from tasks.search.typed_time import TypedTime, read_time
from tasks.search.typed_visit import visit_of

SEOUL = ZoneInfo("Asia/Seoul")
BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 30, tzinfo=UTC)
DAY = date(2026, 11, 16)
NINE = time(9, 0)


@pytest.mark.parametrize(
    ("text", "day", "clock"),
    [
        ("2026-11-16 09:00", DAY, NINE),
        ("2026-11-16T09:00:13", DAY, time(9, 0, 13)),
        ("2026.11.16 9:00", DAY, NINE),
        ("2026. 11. 16. 오전 9:00", DAY, NINE),
        ("2026년 11월 16일 오후 9시 30분", DAY, time(21, 30)),
        ("2026-11-16 (월) 09:00", DAY, NINE),
        ("16.11.2026 09:00", DAY, NINE),
        ("16/11/2026 9:00 AM", DAY, NINE),
        ("11/16/2026 12:05 AM", DAY, time(0, 5)),
        ("46342.375", DAY, NINE),
        ("46342,375", DAY, NINE),
        ("46342", DAY, None),
        ("0.375", None, NINE),
        ("2026-11-16", DAY, None),
        ("오후 12시", None, time(12, 0)),
    ],
)
def test_ways_of_writing_a_time(text: str, day: date | None, clock: time | None) -> None:
    """Spreadsheets of Korea, of Germany, of the United States, and Excel's own numbers."""
    assert read_time(text) == TypedTime(day, clock)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "missing"),
        ("3/4/2026 9:00", "ambiguous_day"),
        ("03-04-2026", "ambiguous_day"),
        ("9", "unreadable"),
        ("soon", "unreadable"),
        ("2026-13-01 09:00", "unreadable"),
        ("2026-11-16 25:00", "unreadable"),
        ("2026-11-16 13:00 PM", "unreadable"),
        ("99999", "unreadable"),
        ("20261116", "unreadable"),
    ],
)
def test_what_can_be_read_in_two_ways_is_not_guessed(text: str, fault: str) -> None:
    """Day and month in the wrong order would search another day."""
    assert read_time(text) == fault


def row(**given: str) -> TypedVisit:
    """A row that is right, but for what is given."""
    right = {"place": "lobby", "start": "2026-11-16 09:00", "end": "2026-11-16 09:30"}
    return TypedVisit.model_validate({**right, **given})


def test_a_row_becomes_a_visit_in_the_sites_zone() -> None:
    """Nine in Seoul is midnight in UTC; an offset that was written counts."""
    found = visit_of(row(), SEOUL, NOW)
    assert isinstance(found, Visit)
    assert found.from_utc == datetime(2026, 11, 16, tzinfo=UTC)
    assert found.tolerance_s == 300
    other = visit_of(row(start="2026-11-16T01:00+01:00"), SEOUL, NOW)
    assert isinstance(other, Visit)
    assert other.from_utc == found.from_utc


def test_the_hour_that_comes_twice_is_asked() -> None:
    """In the night of 25 October clocks in Berlin go back at three; on 29 March they skip an
    hour.
    """
    twice = {"start": "2026-10-25 02:30", "end": "2026-10-25 04:00"}
    assert visit_of(row(**twice), BERLIN, NOW) == (("repeated", "twice"),)
    for repeated, hour in (("first", 0), ("second", 1)):
        found = visit_of(row(**twice, repeated=repeated), BERLIN, NOW)
        assert isinstance(found, Visit)
        assert found.from_utc == datetime(2026, 10, 25, hour, 30, tzinfo=UTC)
    skipped = {"start": "2026-03-29 02:30", "end": "2026-03-29 04:00"}
    assert visit_of(row(**skipped), BERLIN, NOW) == (("start", "skipped"),)


def test_every_fault_of_a_row_is_told() -> None:
    """All fields at once, each by its own name."""
    wrong = row(place=" ", start="x", end="2999-01-01 09:00", tolerance_min="1e9")
    assert visit_of(wrong, SEOUL, NOW) == (
        ("place", "missing"),
        ("start", "unreadable"),
        ("end", "future"),
        ("tolerance_min", "tolerance"),
    )
    assert visit_of(row(end="2026-11-16 08:00"), SEOUL, NOW) == (("end", "not_after"),)
    assert visit_of(row(start="09:00"), SEOUL, NOW) == (("start", "no_time"),)


@pytest.mark.parametrize(
    "text",
    [
        "lobby\t2026-11-16 09:00\t2026-11-16 09:30\t5\n",
        "place;from;to;tolerance_min\nlobby;2026-11-16 09:00;9:30;5\n",
        "Tolerance (min),To,Date,From,Place\n5,9:30 AM,2026-11-16,9:00,lobby\n",
        "장소\t날짜\t시작\t종료\t오차(분)\nlobby\t46342\t0.375\t오전 9:30\t\n",
        '"lobby",46342.375,46342.3958333\n\n',
        "lobby;16.11.2026;9:00;9:30;5",
        "lobby,2026-11-16T00:00Z,2026-11-16T09:30+09:00",
    ],
)
def test_one_row_however_it_is_written(text: str) -> None:
    """Tabs, semicolons, commas; with and without names; a day of its own; an offset."""
    assert read_rows(text, SEOUL) == (
        TypedVisit(place="lobby", start="2026-11-16T09:00", end="2026-11-16T09:30"),
    )


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "nothing"),
        ("place;from;to\n", "nothing"),
        ("lobby;9:00", "columns"),
        ('lobby;"9:00;x\n', "quotes"),
        ("a;1;2\n" * (MOST_ROWS + 1), "too_many"),
    ],
)
def test_what_is_no_table(text: str, fault: str) -> None:
    """One word for what is wrong with the whole."""
    assert read_rows(text, SEOUL) == fault


def test_letters_of_a_file() -> None:
    """UTF-8 with and without a mark, UTF-16, CP949; a workbook and other bytes are none."""
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "cp949"):
        assert decode("로비;9:00".encode(encoding)).lstrip("\ufeff") == "로비;9:00", encoding
    assert decode(b"PK\x03\x04") == "workbook"
    assert decode(b"\xff\x81\xff") == "encoding"
