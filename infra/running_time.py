"""How long this machine has been running: a clock that nobody can set."""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class RunningTime(NamedTuple):
    """Seconds since the machine was started, sleep included, and which start it was."""

    start_id: str
    seconds: float


def running_time() -> RunningTime | None:
    """Now; None on a system that does not tell (other than Linux)."""
    try:
        start_id = _BOOT_ID.read_text(encoding="ascii").strip()
        return RunningTime(start_id, time.clock_gettime(time.CLOCK_BOOTTIME))
    except (OSError, AttributeError, UnicodeDecodeError):
        return None
