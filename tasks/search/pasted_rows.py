"""Rows of an itinerary as they are copied from a spreadsheet or saved from one: by tabs, semicolons
or commas, with or without a line of column names, in UTF-8, UTF-16 or CP949 (Excel in Korea).

What a cell says is kept as it was typed where it cannot be read: its row is shown with what is
wrong, beside the field.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import Literal

from data_contracts.filing_draft import MOST_ROWS, TypedVisit
from tasks.search.typed_time import TypedTime, read_time

PasteFault = Literal["nothing", "workbook", "encoding", "columns", "too_many", "quotes"]
Column = Literal["place", "date", "start", "end", "tolerance_min"]

_NAMES: dict[str, Column] = {
    **dict.fromkeys(("place", "where", "location", "장소", "위치", "방문장소", "방문지"), "place"),
    **dict.fromkeys(("date", "day", "날짜", "일자", "방문일", "방문일자"), "date"),
    **dict.fromkeys(
        ("from", "start", "begin", "arrival", "시작", "부터", "시작시간", "시작시각", "도착",
         "도착시간"),
        "start",
    ),
    **dict.fromkeys(
        ("to", "end", "until", "departure", "끝", "까지", "종료", "종료시간", "종료시각", "출발",
         "출발시간"),
        "end",
    ),
    **dict.fromkeys(
        ("tolerance_min", "tolerance", "tolerance(min)", "오차", "오차(분)", "허용오차"),
        "tolerance_min",
    ),
}  # fmt: skip
_PLAIN: tuple[Column, ...] = ("place", "start", "end", "tolerance_min")
_WITH_DATE: tuple[Column, ...] = ("place", "date", "start", "end", "tolerance_min")
_MOST_CHARS = 200
# A workbook is a ZIP (.xlsx) or a compound file (.xls).
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")


def decode(data: bytes) -> str | PasteFault:
    """The text of a file that a spreadsheet saved."""
    if data.startswith(_WORKBOOKS):
        return "workbook"
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ("utf-16",)
    else:
        encodings = ("utf-8-sig", "cp949")  # type: ignore[assignment]
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return "encoding"


def read_rows(text: str, zone: tzinfo) -> tuple[TypedVisit, ...] | PasteFault:
    """The rows, their times as local times of `zone` where they could be read."""
    lines = [line for line in text.lstrip("\ufeff").splitlines() if line.strip()]
    if not lines:
        return "nothing"
    separator = next((s for s in "\t;," if s in lines[0]), ",")
    try:
        reader = csv.reader(io.StringIO("\n".join(lines)), delimiter=separator, strict=True)
        cells = [[cell.strip() for cell in row] for row in reader]
    except csv.Error:
        return "quotes"
    named = [_NAMES.get(cell.casefold().replace(" ", "")) for cell in cells[0]]
    has_names = "place" in named and len({c for c in named if c}) >= 3
    rows = cells[1:] if has_names else cells
    if not rows:
        return "nothing"
    if len(rows) > MOST_ROWS:
        return "too_many"
    columns = named if has_names else _columns_of(rows)
    if columns is None or not {"place", "start", "end"} <= set(columns):
        return "columns"
    return tuple(_typed(dict(zip(columns, row, strict=False)), zone) for row in rows)


def _columns_of(rows: Sequence[Sequence[str]]) -> tuple[Column, ...] | None:
    """Which columns rows without names have: a day of its own stands in the second."""
    width = max(len(row) for row in rows)
    second = read_time(rows[0][1]) if len(rows[0]) > 1 else "missing"
    day_alone = isinstance(second, TypedTime) and second.day is not None and second.clock is None
    columns = _WITH_DATE if day_alone else _PLAIN
    return columns if 3 + day_alone <= width <= len(columns) else None


def _typed(cell: dict[Column | None, str], zone: tzinfo) -> TypedVisit:
    day = cell.get("date", "")
    start, start_twice = _local(cell.get("start", ""), day, zone)
    end, end_twice = _local(cell.get("end", ""), day or start[:10], zone)
    return TypedVisit(
        place=cell.get("place", "")[:_MOST_CHARS],
        start=start,
        end=end,
        tolerance_min=(cell.get("tolerance_min") or "5").replace(",", ".")[:_MOST_CHARS],
        repeated=start_twice or end_twice,
    )


def _local(text: str, day: str, zone: tzinfo) -> tuple[str, Literal["", "first", "second"]]:
    """A cell as a local time, such as 2026-11-16T09:00, with the day of its row where it has none;
    as it is where it cannot be read. And which of two such times an offset means.
    """
    read = read_time(text)
    if isinstance(read, TypedTime) and read.at is not None:
        local = read.at.astimezone(zone)
        twice = local.utcoffset() != local.replace(fold=1 - local.fold).utcoffset()
        return _iso(local), ("second" if local.fold else "first") if twice else ""
    if isinstance(read, TypedTime) and read.day is None and day:
        own = read_time(day)
        read = read._replace(day=own.day) if isinstance(own, TypedTime) else read
    if isinstance(read, TypedTime) and read.day and read.clock:
        return _iso(datetime.combine(read.day, read.clock)), ""
    return text[:_MOST_CHARS], ""


def _iso(local: datetime) -> str:
    return f"{local:%Y-%m-%dT%H:%M:%S}" if local.second else f"{local:%Y-%m-%dT%H:%M}"
