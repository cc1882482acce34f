"""What a run was made from, so that it can be repeated and questioned. Holds nothing personal."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

import pandas as pd

from data_contracts.policy import Policy
from data_contracts.tables import contracts
from data_contracts.time import now_utc

# What decides the numbers in the result.
_SOFTWARE_PARTS = (
    "encounter",
    "numpy",
    "scipy",
    "pandas",
    "pyarrow",
    "shapely",
    "opencv-python-headless",
    "av",
    "onnxruntime",
    "openvino",
    "trackers",
    "great-expectations",
    "prefect",
    "dask",
)


def provenance(
    *,
    run: Mapping[str, Any],
    segments: pd.DataFrame,
    digests: Mapping[str, str],
    policy: Policy,
    settings: Mapping[str, Any],
    model_digests: Mapping[str, str],
    runtimes: Mapping[str, str],
    counts: Mapping[str, int],
    stats: Sequence[Mapping[str, Any]],
) -> bytes:
    """The record as JSON: the run, its inputs' keys and ETags (SEGMENTS) and the SHA-256 that each
    had when it was loaded (`digests`, by key), models' digests, policy, settings, versions.

    `run` and `settings` must hold no secrets (the caller leaves them out); `stats` are the stages'
    rows with `stage`, `wall_s`, `cpu_s` and so on, and are summed by stage.
    """
    inputs = [
        {"key": key, "etag": etag, "sha256": digests.get(key, "")}
        for key, etag in sorted(set(zip(segments["key"], segments["etag"], strict=True)))
    ]
    record = {
        "format": "encounter-provenance@1",
        "created_utc": now_utc().isoformat(timespec="seconds"),
        "run": dict(run),
        "policy": policy.model_dump(mode="json"),
        "inputs": inputs,
        "inputs_sha256": digest_of_inputs(inputs),
        "models": dict(sorted(model_digests.items())),
        "runtimes": dict(sorted(runtimes.items())),
        "decided": decided(stats),
        "contracts": {c.name: c.version for c in contracts.ALL},
        "settings": dict(settings),
        "software": versions(),
        "counts": dict(counts),
        "stages": stages(stats),
    }
    return (json.dumps(record, indent=1, sort_keys=True, default=str) + "\n").encode()


def digest_of_inputs(inputs: Sequence[Mapping[str, str]]) -> str:
    """SHA-256 over the inputs, a line each: its own SHA-256, or its ETag where none was taken, and
    its key, as `sha256sum` writes them.
    """
    lines = [f"{item['sha256'] or item['etag']}  {item['key']}\n" for item in inputs]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide the result; a package that is not
    installed is left out.
    """
    found = {"python": platform.python_version()}
    for name in _SOFTWARE_PARTS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def decided(stats: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """By stage, what decided its last result: settings, models, runtimes, contract versions."""
    return {str(row["stage"]): row["decided"] for row in stats if row.get("decided")}


def stages(stats: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """The stages' numbers summed by stage, and `records`: how many rows were summed."""
    out: dict[str, dict[str, float]] = {}
    for row in stats:
        # What the workers spent is kept apart from the flow's own time, which includes the waiting
        # for them.
        name = f"{row.get('stage', '')}{' (workers)' if row.get('unit') else ''}"
        total = out.setdefault(name, {"records": 0})
        total["records"] += 1
        for key, value in row.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                total[key] = round(total.get(key, 0.0) + value, 3)
    return out
