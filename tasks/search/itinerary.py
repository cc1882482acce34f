"""Read the subject's itinerary: a CSV of places and times, as an interviewer writes it."""

from __future__ import annotations

import csv
import difflib
import io

from pydantic import ValidationError

from data_contracts.case import Visit
from data_contracts.errors import BadInput
from data_contracts.number import read_number
from data_contracts.record import in_words
from data_contracts.time import parse_utc

REQUIRED = ("place", "from", "to", "tolerance_min")
OPTIONAL = ("source", "cameras", "subject", "person")
_COLUMN_OF_FIELD = {"from_utc": "from", "to_utc": "to", "tolerance_s": "tolerance_min"}


def read_itinerary(
    text: str, name: str = "itinerary.csv", subject: str | None = None
) -> tuple[Visit, ...]:
    """Read visits from a CSV with the columns place, from, to, tolerance_min; optional: source,
    cameras, subject.

    Cells are separated by commas or, as spreadsheets of some languages write them, by semicolons or
    tabs. Times are ISO 8601 with an offset; `cameras` is separated by semicolons; a `subject` (or
    `person`) column selects the rows of `subject`. Row numbers in messages count the header as row
    1, as a spreadsheet shows them. Raises BadInput with the row and the column that is wrong.
    """
    text = text.lstrip("\ufeff")
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=_separator(text),
        skipinitialspace=True,
        strict=True,
    )
    try:
        header = [column.strip() for column in next(reader, [])]
        _check_header(header, name)
        records = list(enumerate(reader, start=2))
    except csv.Error as error:
        raise BadInput(f"{name}: row {reader.line_num} is not CSV ({error})") from error
    rows = [
        (number, _row(header, cells, f"{name}: row {number}"))
        for number, cells in records
        if any(cell.strip() for cell in cells)
    ]
    rows = _of_subject(rows, header, name, subject)
    if not rows:
        raise BadInput(f"{name}: expected at least one visit, got none")
    return tuple(_visit(row, f"{name}: row {number}") for number, row in rows)


def _separator(text: str) -> str:
    """What separates the columns of the first line."""
    header = text.partition("\n")[0]
    return max(",;\t", key=header.count)


def _check_header(header: list[str], name: str) -> None:
    missing = [column for column in REQUIRED if column not in header]
    if missing:
        raise BadInput(
            f"{name}: row 1 lacks the column {', '.join(missing)}; expected {', '.join(REQUIRED)}"
        )
    if len(set(header)) != len(header):
        raise BadInput(f"{name}: row 1 names a column twice")
    for column in set(header) - set(REQUIRED) - set(OPTIONAL):
        # Another column is somebody's note; a misspelt one would silently drop what it says.
        near = difflib.get_close_matches(column.lower(), OPTIONAL, n=1, cutoff=0.8)
        if near:
            raise BadInput(
                f"{name}: row 1 has the unknown column {column[:40]!r}; is it {near[0]}?"
            )


def _row(header: list[str], cells: list[str], where: str) -> dict[str, str]:
    if len(cells) != len(header):
        raise BadInput(
            f"{where} has more or fewer cells than the header; quote a place that has a comma"
        )
    return {column: cell.strip() for column, cell in zip(header, cells, strict=True)}


def _of_subject(
    rows: list[tuple[int, dict[str, str]]], header: list[str], name: str, subject: str | None
) -> list[tuple[int, dict[str, str]]]:
    column = next((c for c in ("subject", "person") if c in header), None)
    if column is None:
        return rows
    people = {row[column] for _, row in rows}
    if subject is None:
        if len(people) > 1:
            raise BadInput(
                f"{name}: column {column} names {len(people)} people; say whose visits to read"
            )
        return rows
    chosen = [(number, row) for number, row in rows if row[column] == subject]
    if not chosen:
        raise BadInput(f"{name}: column {column} has no row of the subject asked for")
    return chosen


def _visit(cell: dict[str, str], where: str) -> Visit:
    if not cell["place"]:
        raise BadInput(f"{where}, column place: expected a place, got nothing")
    try:
        return Visit(
            place=cell["place"],
            from_utc=parse_utc(cell["from"], f"{where}, column from"),
            to_utc=parse_utc(cell["to"], f"{where}, column to"),
            tolerance_s=60.0 * _minutes(cell["tolerance_min"], where),
            cameras=tuple(
                part.strip() for part in cell.get("cameras", "").split(";") if part.strip()
            ),
            **({"source": cell["source"]} if cell.get("source") else {}),
        )
    except ValidationError as error:
        item = error.errors(include_url=False)[0]
        column = (
            _COLUMN_OF_FIELD.get(str(item["loc"][0]), str(item["loc"][0])) if item["loc"] else "to"
        )
        raise BadInput(f"{where}, column {column}: {in_words(item['msg'])}") from error


def _minutes(text: str, where: str) -> float:
    try:
        return read_number(text)
    except ValueError as error:
        raise BadInput(
            f"{where}, column tolerance_min: expected minutes, got {text[:40]!r}"
        ) from error
