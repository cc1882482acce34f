"""When the passes that run by themselves last succeeded: a file each in the home, whose time it is.

Written in place, so that it works on a full disk too.
"""

from __future__ import annotations

import time

from infra.held_file import make_durable
from infra.home import Home

PASSES = ("reconcile", "purge-expired")
# Later than this and nothing is started, or nothing goes, any more: three missed purges.
LATE_S = 900.0


def note_success(home: Home, name: str) -> None:
    """The pass has done all that it had to."""
    path = home.succeeded(name)
    make_durable(path)
    path.touch()


def age_s(home: Home, name: str) -> float | None:
    """Seconds since the pass last succeeded; None where it never did in this home."""
    try:
        return max(0.0, time.time() - home.succeeded(name).stat().st_mtime)
    except FileNotFoundError:
        return None


def late(home: Home) -> tuple[str, ...]:
    """The passes whose last success is too long ago; one that never ran here may run elsewhere."""
    ages = {name: age_s(home, name) for name in PASSES}
    return tuple(name for name, age in ages.items() if age is not None and age > LATE_S)
