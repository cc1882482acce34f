"""Counts, times and what decided the result, by stage, written beside the run; no personal data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from data_contracts import object_key
from data_contracts.run import Run, StageResult
from data_contracts.time import now_utc
from infra.case_store import CaseVault

# What of a stage's digest is written into the provenance: the rest is there already or is personal
# (a run's salt, the parameters).
_TOLD_FIELDS = ("settings", "models", "runtimes", "contracts")


def write_stat(
    vault: CaseVault,
    run: Run,
    stage: str,
    result: StageResult,
    costs: Mapping[str, float],
    decided: Mapping[str, Any],
) -> None:
    """Write down what a stage cost in the flow's own process, what it made and what decided it."""
    told = {name: decided[name] for name in _TOLD_FIELDS if decided.get(name)}
    row = {
        "stage": stage,
        **costs,
        "unit": False,
        "rows": sum(result.counts().values()),
        "digest": result.digest,
        "decided": told,
    }
    _put_row(vault, run, f"stage-{now_utc():%H%M%S%f}-{stage.replace(' ', '-')}", row)


def write_unit_stat(vault: CaseVault, run: Run, stage: str, unit: StageResult) -> None:
    """Write down what one unit cost in a worker. Idempotent: the unit's digest names it."""
    row = {
        "stage": stage,
        "wall_s": unit.wall_s,
        "cpu_s": unit.cpu_s,
        "video_s": unit.video_s,
        "rows": sum(unit.counts().values()),
        "unit": True,
    }
    _put_row(vault, run, f"unit-{stage}-{unit.digest}", row)


def read_stats(vault: CaseVault, run: Run) -> list[dict[str, Any]]:
    """Counts and times that the run's stages wrote down."""
    found: dict[str, dict[str, Any]] = {}
    read_new_stats(vault, run, found)
    return list(found.values())


def read_new_stats(vault: CaseVault, run: Run, known: dict[str, dict[str, Any]]) -> None:
    """Add to `known`, by key, what the run's stages have written down since."""
    prefix = object_key.run(run.case_id, run.run_id, "stats")
    for item in vault.list(prefix + "/"):
        if item.key not in known:
            known[item.key] = json.loads(vault.get(item.key))


def _put_row(vault: CaseVault, run: Run, name: str, row: Mapping[str, Any]) -> None:
    key = object_key.run(run.case_id, run.run_id, "stats", f"{name}.json")
    vault.put(key, json.dumps(row).encode())
