"""Keeping a process's memory out of files: no core dump, and no other process that reads it.

A core dump of a process that holds keys or faces would lie on a disk, readable, long after the case
is destroyed.
"""

from __future__ import annotations

import ctypes
import resource

_PR_SET_DUMPABLE = 4  # linux/prctl.h


def no_dumps() -> None:
    """Let the kernel write no dump of this process and let no other user's process attach to it.

    What it starts inherits the limit, but must call this again for the second half: Linux resets
    that at exec. Where there is no prctl (macOS) the limit alone holds.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        # Also stops a dump that is piped to a program, which does not ask for the limit.
        prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
