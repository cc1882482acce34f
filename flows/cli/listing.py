"""Tables of the command line: for a person as a table, for a program as JSON with stable keys.

docs/command-line.md names the keys of every listing; a test holds the two together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple

import typer

from flows.cli.console import print_json, print_table

Json = Annotated[bool, typer.Option("--json", help="As JSON; keys in docs/command-line.md.")]


def _cell_text(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


class Column(NamedTuple):
    """A value of each row: its key in JSON; its heading and how a person reads it. Without a
    heading it is in JSON only.
    """

    key: str
    heading: str = ""
    show: Callable[[Any], str] = _cell_text


class Listing(NamedTuple):
    """A kind of table."""

    command: str
    columns: tuple[Column, ...]

    def tell(self, rows: Iterable[Mapping[str, Any]], as_json: bool) -> None:
        """Print the rows; each has a value for each key."""
        if as_json:
            print_json(self.records(rows))
        else:
            self.table(rows)

    def table(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """The rows for a person."""
        shown = [c for c in self.columns if c.heading]
        cells = [[column.show(row[column.key]) for column in shown] for row in rows]
        print_table([c.heading for c in shown], cells)

    def records(self, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The rows for a program."""
        return [{c.key: json_value(row[c.key]) for c in self.columns} for row in rows]


def json_value(value: Any) -> Any:
    """A value as JSON has it: times as ISO 8601 in UTC, what is not known as null."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, (list, tuple)):
        return [json_value(item) for item in value]
    return value
