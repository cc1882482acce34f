"""A small disk of a test's own: a file system in a file."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

needs_mounts = pytest.mark.skipif(
    os.geteuid() != 0 or not Path("/dev/loop-control").exists(),
    reason="needs root and loop devices",
)


def make_disk(image: Path, mib: int) -> None:
    """An empty file system of that size, without room kept for root."""
    with image.open("wb") as file:
        file.truncate(mib * 1024 * 1024)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", image], check=True)


@contextmanager
def mounted(image: Path) -> Iterator[Path]:
    """The file system in a file."""
    folder = image.with_suffix("")
    folder.mkdir(exist_ok=True)
    done = subprocess.run(["mount", "-o", "loop", image, folder], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"cannot mount: {done.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def fill(disk: Path, leave_bytes: int = 0) -> Path:
    """A file that takes all room but so much."""
    path = disk / "filler"
    with path.open("ab", buffering=0) as file:
        taken = path.stat().st_size
        step = 1 << 24
        while step >= 1 << 10:
            if _free(disk) - leave_bytes < step:
                step //= 2
                continue
            try:
                os.posix_fallocate(file.fileno(), taken, step)
                taken += step
            except OSError:
                step //= 2
    return path


def _free(disk: Path) -> int:
    found = os.statvfs(disk)
    return found.f_bavail * found.f_frsize
