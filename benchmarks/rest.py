"""`python -m benchmarks.rest [--seconds 120] [--trace]`: what an idle stack takes, by its parts.

Starts a stack in a home of its own, lets it settle, and counts the CPU time of all its processes,
those that ended meanwhile too, for some minutes; `--trace` traces the demo first, and prints what
the Dask workers keep. Shares are of one core, memory is resident and in MiB.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil

from infra.local.process import process_tree
from infra.settings import HOME_VARIABLE, load_settings
from infra.stack_record import StackRecord, read_record

_SETTLE_S = 75.0


def encounter(home: Path, *words: str) -> None:
    """Run a command of the program in a home. Raises CalledProcessError."""
    subprocess.run(
        [sys.executable, "-m", "flows.cli.main", *words],
        env={**os.environ, HOME_VARIABLE: str(home)},
        check=True,
        stdout=subprocess.DEVNULL,
    )


def spent_s(record: StackRecord) -> dict[str, float]:
    """CPU seconds so far by part, with those of children that ended."""
    out = {}
    for entry in record.processes:
        total = 0.0
        for one in process_tree(entry):
            with suppress(psutil.NoSuchProcess):
                times = one.cpu_times()
                total += times.user + times.system + times.children_user + times.children_system
        out[entry.name] = total
    return out


def memory_mib(record: StackRecord) -> dict[str, list[int]]:
    """Resident memory of each process by part, largest first."""
    out: dict[str, list[int]] = {}
    for entry in record.processes:
        sizes = []
        for one in process_tree(entry):
            with suppress(psutil.NoSuchProcess):
                sizes.append(one.memory_info().rss >> 20)
        out[entry.name] = sorted(sizes, reverse=True)
    return out


def main() -> None:
    """Print a line a part, and the sum."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--trace", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        try:
            encounter(home, "up")
            if given.trace:
                encounter(home, "demo", "--out", str(Path(folder) / "out"))
            time.sleep(_SETTLE_S)
            _measure(home, given.seconds)
        finally:
            encounter(home, "down")


def _measure(home: Path, seconds: float) -> None:
    record = read_record(load_settings(home=home).paths)
    assert record is not None
    began = time.monotonic()
    before = spent_s(record)
    time.sleep(seconds)
    taken_s = time.monotonic() - began
    after = spent_s(record)
    memory = memory_mib(record)
    print(f"{'part':12} {'of a core':>10}  memory of its processes, MiB")
    for name, total in after.items():
        print(f"{name:12} {(total - before[name]) / taken_s:>10.4f}  {memory[name]}")
    print(f"{'all':12} {(sum(after.values()) - sum(before.values())) / taken_s:>10.4f}")


if __name__ == "__main__":
    main()
