"""The bytes of deleted objects leave the local store's disk: asked for, and checked.

SeaweedFS keeps the bytes of a deleted object until its volume is compacted: of a case, the
ciphertext and the wrapped key. It answers the question to compact with success where it did
nothing: without free room for a whole volume, or while another compaction is at work. So what
counts is what became of the volumes' files.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any, NamedTuple

import urllib3
import urllib3.exceptions

from data_contracts.errors import StackError
from infra.local import disk_room, process, store_locks
from infra.local.weed import NAME
from infra.settings import Settings
from infra.stack_record import StackRecord

# Any share of deleted bytes is worth a compaction; 0 would mean the program's default of 0.3.
_ANY_GARBAGE = 0.000001
_WAIT_S = 120.0
_POLL_S = 1.0
# What a volume's file has beside the objects' bytes: its own head, and of each entry a head, a
# checksum, a time and padding (SeaweedFS's needle, version 3).
_HEAD_BYTES = 1024
_ENTRY_BYTES = 64


class _Volume(NamedTuple):
    """`revision` counts its compactions; `content_bytes` has the deleted ones in it."""

    number: int
    revision: int
    deleted_bytes: int
    content_bytes: int
    entries: int
    file: Path

    @property
    def file_bytes(self) -> int:
        """On the disk; 0 where the volume is gone."""
        return self.file.stat().st_size if self.file.exists() else 0

    @property
    def needed_bytes(self) -> int:
        """Room that its compaction asks for: a second volume with its index."""
        return self.file_bytes + 16 * self.entries


def compact(settings: Settings, record: StackRecord) -> bool:
    """Make the local store rewrite its volumes without deleted objects, and check that the bytes
    came free. False where no local store runs.

    Where room is missing the disk's reserve is given up for it. Raises StackError where bytes of
    deleted objects are left.
    """
    if not any(entry.name == NAME and process.find(entry) for entry in record.processes):
        return False
    before = {v.number: v for v in _volumes(settings, record) if v.deleted_bytes}
    folder = Path(record.data_dir or "")
    deadline = time.monotonic() + _WAIT_S
    while left := _asked(settings, record, before):
        needed = max(volume.needed_bytes for volume in left)
        free = disk_room.free_bytes(folder)
        short = free < needed
        if short and disk_room.give_up_reserve_at(settings, folder):
            continue
        if short or time.monotonic() > deadline:
            raise StackError(_what_is_left(left, needed, free, folder))
        time.sleep(_POLL_S)
    # The old volumes would be there again after a power cut.
    os.sync()
    return True


def _what_is_left(left: list[_Volume], needed: int, free: int, folder: Path) -> str:
    count = sum(volume.deleted_bytes for volume in left)
    why = (
        f"that takes {needed / 1e6:.0f} MB of room and {free / 1e6:.0f} are free at {folder}: "
        "free some"
        if free < needed
        else "it did not do it in time: see its log"
    )
    return f"the object store still holds {count} bytes of deleted objects; {why}"


def _asked(settings: Settings, record: StackRecord, before: dict[int, _Volume]) -> list[_Volume]:
    """Ask once; the volumes from which what was deleted before is not gone."""
    _get(settings, record, "master", f"/vol/vacuum?garbageThreshold={_ANY_GARBAGE}")
    now = [v for v in _volumes(settings, record) if v.number in before]
    return [v for v in now if not _is_rid(v, before[v.number])]


def _is_rid(now: _Volume, before: _Volume) -> bool:
    """By the program's own count, and by the size of the file: no longer than what it holds."""
    longest = _HEAD_BYTES + now.content_bytes + _ENTRY_BYTES * now.entries
    return now.revision != before.revision and now.file_bytes <= longest


def _volumes(settings: Settings, record: StackRecord) -> list[_Volume]:
    told = json.loads(_get(settings, record, "volume", "/status"))
    return [_volume(row, Path(record.data_dir or "")) for row in told.get("Volumes") or []]


def _volume(row: dict[str, Any], folder: Path) -> _Volume:
    name = f"{row['Collection']}_{row['Id']}" if row["Collection"] else str(row["Id"])
    return _Volume(
        row["Id"],
        row["CompactRevision"],
        row["DeletedByteCount"],
        row["Size"],
        row["FileCount"] + row["DeleteCount"],
        folder / f"{name}.dat",
    )


def _get(settings: Settings, record: StackRecord, server: str, path: str) -> bytes:
    url = f"https://127.0.0.1:{record.ports[server]}{path}"
    try:
        with store_locks.client(settings.paths, _WAIT_S) as http:
            answer = http.request("GET", url)
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise StackError(
            f"the object store did not compact its volumes ({type(error).__name__})"
        ) from None
    if answer.status != 200:
        raise StackError(f"the object store did not compact its volumes (status {answer.status})")
    return bytes(answer.data)
