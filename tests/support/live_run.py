"""A run that is under way, as stages and workers write it, without a worker."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from data_contracts.run import Run, StageResult, table_ref
from data_contracts.tables.contracts import GAPS, SEGMENT_REPORTS, WINDOWS
from data_contracts.tables.table import TableContract
from flows.runtime.results import store_result, table_key
from flows.runtime.stats import write_stat
from flows.stages.claim import begin
from infra.case_store import CaseVault

FLOW_RUN = "11111111-0000-0000-0000-000000000000"
START = datetime(2026, 11, 16, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """Seconds after the start of the footage."""
    return START + timedelta(seconds=seconds)


def store_stage(
    vault: CaseVault, stage: str, digest: str, **tables: tuple[TableContract, list[dict]]
) -> StageResult:
    """A stage's result with its tables, as a stage stores it."""
    refs = {}
    for name, (contract, rows) in tables.items():
        frame = contract.shape(rows)
        refs[name] = table_ref(stage, digest, name, contract, len(frame))
        vault.put_table(table_key(vault.case_id, refs[name]), frame, contract)
    result = StageResult(stage=stage, digest=digest, tables=refs)
    store_result(vault, result)
    return result


def window(camera: str, start: float, end: float) -> dict:
    """A row of WINDOWS."""
    row = {"window_id": f"W-{camera}-{start}", "camera_id": camera, "reason": "claimed"}
    return row | {"start_utc": at(start), "end_utc": at(end), "anchor": "visit 1", "round": 0}


def report(camera: str, start: float, end: float, kind: str = "", fault: str = "") -> dict:
    """A row of SEGMENT_REPORTS."""
    row = {"key": f"{camera}/x.mp4", "etag": "e", "camera_id": camera, "n_frames": 1}
    row |= {"start_utc": at(start), "end_utc": at(end), "advice": ""}
    return row | {"kind": kind, "fault": fault}


def begun(vault: CaseVault) -> Run:
    """A run that has planned two minutes on two cameras each."""
    run = begin(vault.case_id, FLOW_RUN)
    assert run is not None
    windows = [window("entrance", 0, 120), window("entrance", 60, 120), window("lobby-a", 0, 120)]
    gap = {"kind": "no_footage", "camera_id": "lobby-a", "start_utc": at(90), "end_utc": at(120)}
    gap |= {"detail": "no segment in the store", "advice": "ask"}
    made = store_stage(
        vault,
        "plan search",
        "p1",
        windows=(WINDOWS, windows),
        fresh=(WINDOWS, []),
        gaps=(GAPS, [gap]),
    )
    write_stat(vault, run, "plan search", made, {"wall_s": 2.0, "cpu_s": 1.0}, {})
    return run


def add_unit(vault: CaseVault, digest: str, *rows: dict) -> None:
    """The result of a segment, as a worker stores it."""
    store_stage(vault, "scan", digest, reports=(SEGMENT_REPORTS, list(rows)))
