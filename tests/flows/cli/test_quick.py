"""A quick command line: what a command does not need, it does not wait for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DEMO = ROOT / "demo"
HEAVY = ("prefect", "great_expectations", "distributed", "dask", "onnxruntime", "openvino", "cv2")
# Commands that need no orchestrator, no table and no store. {} is a folder of the test's own.
QUICK = {
    "help": ["--help"],
    "version": ["--version"],
    "case help": ["case", "--help"],
    "consent help": ["consent", "sign", "--help"],
    "approval help": ["approval", "sign", "--help"],
    "keys new": ["keys", "new", "officer-7", "--role", "consent", "--out", "{}/key.jwk"],
    "models list": ["models", "list"],
    "camera check": ["camera", "check", "--cameras", str(DEMO / "cameras.geojson")],
}
# Ways to measure: processor time of children, the least of a few, because a busy machine only adds.
_TRIES = 4


def cpu_seconds(words: list[str]) -> float:
    """Processor time of one program, user and system."""
    before = os.times()
    subprocess.run(words, check=True, capture_output=True, cwd=ROOT)
    after = os.times()
    used = after.children_user - before.children_user
    return used + after.children_system - before.children_system


def encounter(words: list[str], folder: Path) -> list[str]:
    """The command line of a command, in a folder of its own."""
    folder.mkdir()
    given = [word.format(folder) for word in words]
    return [sys.executable, "-m", "flows.cli.main", *given]


def test_help_and_keys_wait_for_nothing_heavy(tmp_path: Path) -> None:
    """At most 0.6 of the processor time of `import pandas` plus half a second, measured in one
    run.
    """
    used = {name: float("inf") for name in ("pandas", *QUICK)}
    for number in range(_TRIES):
        pandas = cpu_seconds([sys.executable, "-c", "import pandas"])
        used["pandas"] = min(used["pandas"], pandas)
        for name, words in QUICK.items():
            command = encounter(words, tmp_path / f"{number} {name}")
            used[name] = min(used[name], cpu_seconds(command))
    limit = 0.6 * used["pandas"] + 0.5
    slow = {name: seconds for name, seconds in used.items() if seconds > limit}
    slow.pop("pandas", None)
    assert not slow, f"limit {limit:.2f} s; {slow}"


@pytest.mark.parametrize("name", QUICK)
def test_what_is_not_needed_is_not_imported(name: str, tmp_path: Path) -> None:
    """Neither Prefect nor Great Expectations nor Dask; nor a network's runtime."""
    words = encounter(QUICK[name], tmp_path / "x")[3:]
    heavy = HEAVY[:-1] if name == "camera check" else HEAVY
    program = (
        "import sys, flows.cli.main as m\n"
        f"sys.argv = ['encounter', *{words!r}]\n"
        "try:\n    m.main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        f"found = [name for name in {heavy!r} if name in sys.modules]\n"
        "assert not found, found\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
