"""Counts and times by stage, written beside the run as it goes; no personal data."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from data_contracts import object_key
from data_contracts.time import now_utc
from flows.runtime.environment import environment
from flows.runtime.results import Run, UnitRef
from infra.case_store import CaseVault

P = ParamSpec("P")
T = TypeVar("T")


def _put(vault: CaseVault, run: Run, name: str, row: dict[str, object]) -> None:
    vault.put(
        object_key.run(run.case_id, run.run_id, "stats", f"{name}.json"), json.dumps(row).encode()
    )


def add_stat(vault: CaseVault, run: Run, stage: str, unit: UnitRef) -> None:
    """Write down what one unit cost. Idempotent: the unit's digest names it."""
    row = {
        "stage": stage,
        "wall_s": unit.wall_s,
        "cpu_s": unit.cpu_s,
        "video_s": unit.video_s,
        "rows": unit.rows,
    }
    _put(vault, run, f"unit-{stage}-{unit.digest}", {**row, "unit": True})


def recorded(stage: str, function: Callable[P, T]) -> Callable[P, T]:
    """A stage (its first argument is the run) that writes down how long it took in the flow's own
    process.
    """

    @functools.wraps(function)
    def timed(*args: P.args, **kwargs: P.kwargs) -> T:
        wall = time.perf_counter()
        cpu = time.process_time()
        result = function(*args, **kwargs)
        row = {
            "stage": stage,
            "wall_s": time.perf_counter() - wall,
            "cpu_s": time.process_time() - cpu,
            "unit": False,
        }
        run = args[0]
        assert isinstance(run, Run)
        _put(
            environment().cases.open(run.case_id),
            run,
            f"stage-{now_utc():%H%M%S%f}-{stage.replace(' ', '-')}",
            row,
        )
        return result

    return timed
