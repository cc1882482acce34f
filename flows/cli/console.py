"""What the commands print with."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console

from data_contracts.errors import BadInput

console = Console(highlight=False)
_errors = Console(stderr=True, highlight=False)


def say(text: str) -> None:
    """A line for the user."""
    console.print(text, markup=True, soft_wrap=True)


def fail(text: str) -> None:
    """An error for the user, in one line."""
    _errors.print(f"[bold red]error:[/] {text}", markup=True, soft_wrap=True)


def read_file(path: Path) -> bytes:
    """A file's bytes. Raises BadInput when it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror})") from error


def read_text(path: Path) -> str:
    """A text file. Raises BadInput when it cannot be read or is no UTF-8."""
    try:
        return read_file(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(
            f"{path}: expected text in UTF-8, got byte {error.start} as "
            f"{error.object[error.start]:#x}"
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
