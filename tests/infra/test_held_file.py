"""Who lives holds; who is killed lets go."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from infra.held_file import alone, hold, hold_existing

_HOLDER = """
import sys, time
from pathlib import Path
from infra.held_file import hold
held = hold(Path(sys.argv[1]))
print(held is not None, flush=True)
time.sleep(60)
"""


def _holder(path: Path) -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", _HOLDER, str(path)]
    child = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "True\n"
    return child


def test_a_killed_holder_lets_go(tmp_path: Path) -> None:
    """No word of its own is needed: SIGKILL frees the file at once."""
    path = tmp_path / "held" / "x"
    with _holder(path) as child:
        assert hold(path) is None
        with alone(path) as mine:
            assert not mine
        child.send_signal(signal.SIGKILL)
        child.wait()
        with alone(path) as mine:
            assert mine
        assert hold(path) is not None


def test_what_is_gone_is_not_held(tmp_path: Path) -> None:
    """A run whose file was taken away while it started does not begin; one that is there does."""
    path = tmp_path / "run"
    assert hold_existing(path) is None
    path.touch()
    judge = hold(path)
    assert judge is not None
    waiting = path.open("r+b")
    path.unlink()
    judge.close()
    waiting.close()
    assert hold_existing(path) is None
    path.touch()
    assert hold_existing(path) is not None
