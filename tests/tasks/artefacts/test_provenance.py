"""Provenance says what a run was made from, and nothing about people."""

import hashlib
import json

from data_contracts.policies import load_policy
from data_contracts.tables import contracts
from data_contracts.tables.contracts import SEGMENTS
from tasks.artefacts.provenance import provenance


def record() -> dict:
    """A run's record."""
    rows = [
        {"camera_id": "b", "key": f"b/2026-11-16/00/0{i}.00.mp4", "etag": f"e{i}", "size_bytes": 1}
        for i in (2, 1)
    ]
    segments = SEGMENTS.shape([r | {"start_utc": "2026-11-16T00:00:00Z"} for r in rows])
    stats = [
        {"stage": "scan", "wall_s": 1.5, "cpu_s": 1.0, "unit": True},
        {"stage": "scan", "wall_s": 2.0, "cpu_s": 1.25, "unit": True},
        {"stage": "scan", "wall_s": 4.0, "cpu_s": 0.1, "unit": False},
    ]
    data = provenance(
        run={"run_id": "r1", "case_id": "K-1"},
        segments=segments,
        digests={"b/2026-11-16/00/01.00.mp4": "ab" * 32},
        policy=load_policy("who"),
        settings={"clip_fps": 5},
        model_digests={"nanodet": "95d8"},
        runtimes={"nanodet": "openvino f32"},
        counts={"contacts": 2},
        stats=stats,
    )
    return json.loads(data)


def test_inputs_models_policy_and_versions_are_there() -> None:
    """Inputs by key and ETag in order, model digests, the whole policy, contract and software
    versions.
    """
    found = record()
    assert [i["etag"] for i in found["inputs"]] == ["e1", "e2"]
    assert [i["sha256"] for i in found["inputs"]] == ["ab" * 32, ""]
    lines = f"{'ab' * 32}  b/2026-11-16/00/01.00.mp4\ne2  b/2026-11-16/00/02.00.mp4\n"
    assert found["inputs_sha256"] == hashlib.sha256(lines.encode()).hexdigest()
    assert found["models"] == {"nanodet": "95d8"}
    assert found["policy"]["name"] == "who"
    assert found["policy"]["tiers"]
    assert found["contracts"] == {c.name: c.version for c in contracts.ALL}
    assert {"python", "numpy", "onnxruntime"} <= set(found["software"])
    assert found["created_utc"].endswith("+00:00")


def test_stages_are_summed_apart_from_workers() -> None:
    """Workers' times are summed and not mixed with the flow's own."""
    found = record()["stages"]
    assert found["scan (workers)"] == {"records": 2, "wall_s": 3.5, "cpu_s": 2.25}
    assert found["scan"]["wall_s"] == 4.0
