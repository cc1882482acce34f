"""What a running stack wrote about itself: addresses, ports, processes. The settings read it, the
stack writes it.
"""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

from pydantic import Field, ValidationError

from data_contracts.errors import BadInput, KeyMissing
from data_contracts.record import Record
from infra.home import Home


class ProcessRecord(Record):
    """One process. Its start tells it from another that later got the same id: in seconds since the
    start of the machine that `boot` names, which no change of the clock moves. Where the system
    does not tell (other than Linux) `boot` is empty, and `started` by the clock.
    """

    name: str
    pid: int
    started: float
    log: str
    boot: str = ""


class StackRecord(Record):
    """`<home>/stack.json`. Kept after `down`, without processes, so that the next `up` takes the
    same ports.
    """

    s3_endpoint: str | None = None
    filer_address: str | None = None
    prefect_api_url: str | None = None
    dask_scheduler: str | None = None
    desk_url: str | None = None
    ports: dict[str, int] = Field(default_factory=dict)
    data_dir: str | None = None
    processes: tuple[ProcessRecord, ...] = ()
    s3_credentials: dict[str, str] = Field(default_factory=dict)


def read_record(home: Home) -> StackRecord | None:
    """The record of a home, or None where no stack was ever started. Raises BadInput when it cannot
    be read.
    """
    path = home.stack_file
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadInput(
            f"{path}: cannot be read ({error.strerror}); check who owns the home folder"
        ) from None
    try:
        return StackRecord.model_validate_json(text)
    except ValidationError as error:
        raise BadInput(
            f"{path}: expected a stack's record, {error.error_count()} fields are wrong; delete it"
        ) from None


def write_record(home: Home, record: StackRecord) -> None:
    """Replace the record atomically (mode 0600: it holds the local store's credentials)."""
    replace_private(home.stack_file, json.dumps(record.model_dump(mode="json"), indent=1))


def replace_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, and make it appear whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def read_private(path: Path, what: str) -> str:
    """The text of a key's file; `what` names the key in errors.

    Raises KeyMissing where there is none, BadInput where it cannot be read, or can be read by other
    users.
    """
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="ascii")
    except FileNotFoundError:
        raise KeyMissing(
            f"no {what} at {path}: `encounter up` makes one, or restore it from your backup"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"the {what} {path} cannot be read ({error})") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise BadInput(
            f"the {what} {path} can be read by other users (mode {mode & 0o777:o}): run  chmod 600 "
            f"{path}"
        )
    return text
