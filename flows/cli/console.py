"""What the commands print with. Text of users is printed as it is: nothing here reads markup.

The only module that imports rich: a second one would bring its markup back (import-linter).
"""

from __future__ import annotations

import json
import os
import tempfile
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from data_contracts.errors import BadInput

_Item = TypeVar("_Item")
_stdout = Console(highlight=False, markup=False, emoji=False)
# Progress, warnings and errors: standard output holds the answer alone.
_stderr = Console(stderr=True, highlight=False, markup=False, emoji=False)


def visible(text: str) -> str:
    """The text with what a terminal would obey, and what cannot be encoded, written as escapes."""
    return "".join(c if c.isprintable() or c in "\n\t" else ascii(c)[1:-1] for c in text)


def say(text: str, label: str = "") -> None:
    """A line for the user on standard output, after a coloured label such as `note:`."""
    _stdout.print(_labelled_line(text, label, "yellow"), soft_wrap=True)


def warn(label: str, text: str) -> None:
    """A line beside the answer, on standard error."""
    _stderr.print(_labelled_line(text, label, "yellow"), soft_wrap=True)


def fail(text: str) -> None:
    """An error for the user, in one line."""
    _stderr.print(_labelled_line(text, "error:", "bold red"), soft_wrap=True)


def _labelled_line(text: str, label: str, style: str) -> Text:
    return Text.assemble((visible(label), style), " " if label else "", visible(text))


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table of texts. The first column names the row and is never broken."""
    table = Table(box=None)
    for number, heading in enumerate(headings):
        table.add_column(Text(heading), no_wrap=number == 0)
    for row in rows:
        table.add_row(*(Text(visible(cell)) for cell in row))
    _stdout.print(table)


def print_json(value: Any) -> None:
    """One JSON value on standard output."""
    print_as_written(json.dumps(value, indent=1))


def print_as_written(text: str) -> None:
    """A document for a file or another program: no line is broken, nothing is coloured."""
    _stdout.out(visible(text.removesuffix("\n")), highlight=False)


@contextmanager
def working(text: str, kept: bool = False) -> Iterator[Callable[[str], None]]:
    """A spinner with the time gone by; the callback changes its text. `kept`: it stays."""
    columns = SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn()
    with Progress(*columns, console=_stderr, transient=not kept, refresh_per_second=4) as progress:
        shown = progress.add_task(visible(text))
        yield lambda now: progress.update(shown, description=visible(now))


def counted(items: Iterable[_Item], text: str) -> Iterator[_Item]:
    """The items, with a bar where a person watches."""
    columns = TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn()
    watched = _stderr.is_terminal
    with Progress(*columns, console=_stderr, transient=True, disable=not watched) as progress:
        yield from progress.track(items, description=visible(text))


def read_file(path: Path) -> bytes:
    """A file's bytes. Raises BadInput when it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror})") from error


def read_text(path: Path) -> str:
    """A text file in UTF-8, or in UTF-16 where it says so at its start. Raises BadInput when it
    cannot be read or is in another encoding.
    """
    data = read_file(path)
    encoding = "utf-16" if data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise BadInput(
            f"{path}: expected text in UTF-8, got byte {error.start} as "
            f"{error.object[error.start]:#x}: it is in another encoding (such as CP949 or another "
            "of a spreadsheet's); save it as UTF-8, in a spreadsheet as CSV UTF-8"
        ) from None


def read_json(path: Path) -> Any:
    """A JSON file. Raises BadInput when it is none."""
    try:
        return json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path}: expected JSON ({str(error)[:200]})") from None


def write_private(path: Path, data: bytes) -> None:
    """Write a file that only its owner can read; an existing one is not overwritten. Raises
    BadInput.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise BadInput(f"{path} exists already: name another file, or remove it first") from error
    with os.fdopen(handle, "wb") as out:
        out.write(data)


def write_whole(path: Path, data: bytes) -> None:
    """Replace a file at once: it is written aside and renamed, so that nobody sees half of it.
    Raises BadInput.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
        handle, aside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as out:
                out.write(data)
                out.flush()
                os.fsync(out.fileno())
            Path(aside).chmod(mode)
            Path(aside).replace(path)
        except BaseException:
            Path(aside).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise BadInput(f"{path}: cannot be written ({error.strerror})") from error
