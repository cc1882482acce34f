"""Room on the disks that the local stack writes to: how much is free, when that is worth a warning,
and the reserve.

A disk that is full keeps the stack from starting and stopping, and the store from deleting: each
deletion is written down. So a file without content takes up room while there is enough, and is
given up when there is none: then the stack starts, and what has to go goes. There is one on the
home's disk, and one on that of the store's data where it is another.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NamedTuple

from infra.settings import Settings
from infra.stack_record import read_record

_NAME = "reserve"
_MB = 1_000_000
# With less than this free the next start, stop or deletion may fail: the reserve is given up.
FULL_BELOW_BYTES = 16 * _MB
# It is made while there is ten times its size, and not on a disk that would soon ask for it again.
_SHARE = 10
_MADE_ABOVE_BYTES = 8 * FULL_BELOW_BYTES


class Room(NamedTuple):
    """One disk: a folder on it, what is free without the reserve, and the reserve's size."""

    folder: Path
    free_bytes: int
    total_bytes: int
    reserve_bytes: int
    low: bool
    full: bool

    def told(self, warn_below_bytes: int) -> str:
        """In words, with what to do where it is low."""
        free = f"{_size(self.free_bytes)} of {_size(self.total_bytes)} free at {self.folder}"
        if self.full:
            return f"{free}: full, no case is started; free some room, then run encounter up"
        if self.low:
            return f"{free}: low (below {_size(warn_below_bytes)}); free some room"
        return free


def rooms(settings: Settings, data_dir: Path | None = None) -> tuple[Room, ...]:
    """The disk of the home, and that of the local store's data where it is another."""
    return tuple(_room(folder, settings) for folder in _folders(settings, data_dir))


def warn_below_bytes(settings: Settings) -> int:
    """What is free below which a disk is low."""
    return settings.stack.low_disk_mb * _MB


def any_full(settings: Settings) -> bool:
    """Whether a disk is so full that nothing more should be begun."""
    return any(room.full for room in rooms(settings))


def give_up_reserves(settings: Settings, data_dir: Path | None = None) -> bool:
    """Give up the reserve of each disk that is full; whether one was."""
    full = [room for room in rooms(settings, data_dir) if room.full and room.reserve_bytes]
    for room in full:
        reserve(room.folder).unlink(missing_ok=True)
    return bool(full)


def give_up_reserve_at(settings: Settings, folder: Path) -> bool:
    """Give up the reserve of the disk that a folder lies on; whether there was one."""
    disk = folder.stat().st_dev
    there = [room for room in rooms(settings) if room.folder.stat().st_dev == disk]
    for room in there:
        reserve(room.folder).unlink(missing_ok=True)
    return any(room.reserve_bytes for room in there)


def keep_reserves(settings: Settings, data_dir: Path | None = None) -> None:
    """Make the reserves where there is room for them, and nothing where there is not."""
    for room in rooms(settings, data_dir):
        room_there = room.free_bytes + room.reserve_bytes
        wanted = min(settings.stack.reserve_mb * _MB, room_there // _SHARE)
        # One that was made while there was less is made larger only where that is worth it.
        if room.free_bytes > _MADE_ABOVE_BYTES and room.reserve_bytes < wanted / 2:
            _make(reserve(room.folder), wanted)


def free_bytes(folder: Path) -> int:
    """What is free on the folder's disk for this user."""
    return shutil.disk_usage(folder).free


def reserve(folder: Path) -> Path:
    """The file that takes up the room."""
    return folder / _NAME


def _make(path: Path, size: int) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.posix_fallocate(handle, 0, size)
    except OSError:  # somebody else was quicker, or the file system knows no such thing
        path.unlink(missing_ok=True)
    finally:
        os.close(handle)


def _folders(settings: Settings, data_dir: Path | None) -> list[Path]:
    record = read_record(settings.paths)
    own = record is not None and settings.s3.endpoint in (None, record.s3_endpoint)
    data = data_dir or (Path(record.data_dir) if record and own and record.data_dir else None)
    there = [folder for folder in (settings.home, data) if folder is not None and folder.is_dir()]
    return list({folder.stat().st_dev: folder for folder in reversed(there)}.values())[::-1]


def _room(folder: Path, settings: Settings) -> Room:
    usage = shutil.disk_usage(folder)
    path = reserve(folder)
    kept = path.stat().st_blocks * 512 if path.exists() else 0
    low = usage.free < warn_below_bytes(settings)
    return Room(folder, usage.free, usage.total, kept, low, usage.free < FULL_BELOW_BYTES)


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
