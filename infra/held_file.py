"""A file that a process holds while it lives: the kernel lets go of it when the process ends,
however it ends. So "does it live?" is never asked of a clock, a process id or a database.

Why it is so: docs/decisions/0013-dead-is-known.md.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def hold(path: Path) -> BinaryIO | None:
    """Make the file and hold it until the result is closed; None where another process holds it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = _opened(path, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


def hold_existing(path: Path) -> BinaryIO | None:
    """Hold a file that is there, waiting for whoever looks at it; None where it is gone, or goes
    meanwhile.
    """
    try:
        file = _opened(path, os.O_RDWR)
    except FileNotFoundError:
        return None
    fcntl.flock(file, fcntl.LOCK_EX)
    if os.fstat(file.fileno()).st_nlink == 0:
        file.close()
        return None
    return file


def make_durable(path: Path) -> None:
    """Make the file so that it is there after a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def alone(path: Path) -> Iterator[bool]:
    """Whether this block is the only one that holds the file; where it is, until its end."""
    file = hold(path)
    try:
        yield file is not None
    finally:
        if file is not None:
            file.close()


@contextmanager
def in_turn(path: Path) -> Iterator[None]:
    """This block after whoever else holds the file: one at a time, of all processes."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _opened(path, os.O_RDWR | os.O_CREAT) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _opened(path: Path, flags: int) -> BinaryIO:
    return os.fdopen(os.open(path, flags | os.O_CLOEXEC, 0o600), "r+b")
