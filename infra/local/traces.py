"""What this machine keeps of a case outside store and orchestrator: log lines, scratch files,
fetched copies.
"""

from __future__ import annotations

import json
import mmap
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from data_contracts.errors import BadInput
from data_contracts.mention import mention, named_at
from infra.home import Home
from infra.stack_record import replace_private


def overwrite_mentions(home: Home, case_id: str) -> int:
    """Overwrite a case's id in this home's logs with x, byte by byte, in place; returns how many
    there were.

    In place, since the programs that write the logs keep them open, and append.
    """
    count = 0
    for path, spots in _mentions_in_logs(home, case_id):
        with path.open("r+b") as file:
            for start, end in spots:
                file.seek(start)
                file.write(b"x" * (end - start))
        count += len(spots)
    return count


def count_mentions(home: Home, case_id: str) -> int:
    """How often the logs name the case."""
    return sum(len(spots) for _, spots in _mentions_in_logs(home, case_id))


def _mentions_in_logs(home: Home, case_id: str) -> Iterator[tuple[Path, list[tuple[int, int]]]]:
    pattern = mention(case_id)
    for path in sorted(home.logs.glob("*.log*")):
        if path.is_file() and path.stat().st_size:
            with (
                path.open("rb") as file,
                mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
            ):
                spots = [named_at(found) for found in pattern.finditer(data)]
            if spots:
                yield path, spots


def scratch_files(home: Home) -> list[Path]:
    """Files with content in the workers' scratch folder. There should be none: nothing is
    spilled.
    """
    return [
        p
        for p in home.dask.rglob("*")
        if p.is_file() and not p.name.endswith("lock") and p.stat().st_size
    ]


def clear_scratch(home: Home) -> int:
    """Delete what is in the workers' scratch folder; returns how many files."""
    found = scratch_files(home)
    for path in found:
        path.unlink(missing_ok=True)
    return len(found)


def remember_fetched(home: Home, case_id: str, files: list[Path]) -> None:
    """Write down where decrypted copies of a case were put on this machine, so that its purge can
    delete them.
    """
    known = {*fetched_files(home, case_id, gone_too=True), *(p.absolute() for p in files)}
    path = home.fetched(case_id)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    replace_private(path, json.dumps(sorted(str(p) for p in known), indent=0))


def fetched_files(home: Home, case_id: str, gone_too: bool = False) -> list[Path]:
    """Decrypted copies of a case on this machine that are still there (or `gone_too`, all that ever
    were). Raises BadInput where the list of them is damaged: then a person must look for them.
    """
    path = home.fetched(case_id)
    try:
        known = [Path(p) for p in json.loads(path.read_text(encoding="utf-8"))]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, RecursionError):
        raise BadInput(
            f"{path}: expected a list of the copies that were fetched here, and it cannot be read: "
            "delete the copies of the case that you find on this machine, then this file"
        ) from None
    return [p for p in known if gone_too or p.is_file()]


def delete_fetched(home: Home, case_id: str) -> int:
    """Delete the copies and the folders that they leave empty; returns how many files."""
    found = fetched_files(home, case_id)
    for path in found:
        path.unlink(missing_ok=True)
    folders = {
        folder
        for p in fetched_files(home, case_id, gone_too=True)
        for folder in (p.parent, p.parent.parent)
    }
    for folder in sorted(folders, key=lambda f: len(f.parts), reverse=True):
        with suppress(OSError):  # something else lies in it
            folder.rmdir()
    home.fetched(case_id).unlink(missing_ok=True)
    return len(found)
