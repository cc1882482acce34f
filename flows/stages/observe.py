"""Looking at footage: find the segments of fresh windows, fan the units out, gather their
tables.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from datetime import datetime, timedelta
from importlib import metadata

import pandas as pd

from data_contracts import object_key
from data_contracts.errors import EncounterError, FootageGone
from data_contracts.gap import FAILED_ADVICE, GapRow, gap_row
from data_contracts.record import Record
from data_contracts.tables.contracts import GAPS, SEGMENT_REPORTS, SEGMENTS
from data_contracts.time import Interval
from flows.runtime.environment import environment, models
from flows.runtime.fan_out import each
from flows.runtime.open_case import OpenCase, open_case
from flows.runtime.results import Run, TableRef, digest, load, save
from flows.runtime.segment_job import CONTRACTS, Job, ObservationKind, read_unit, run_unit
from flows.runtime.stats import add_stat
from flows.runtime.still_allowed import StillAllowed
from tasks.search.find_segments import LONGEST_SEGMENT_S, NO_FOOTAGE_ADVICE, segments_for


class Observations(Record):
    """Everything looked at so far in one way (scan or follow)."""

    kind: ObservationKind
    table: TableRef
    reports: TableRef
    segments: TableRef
    gaps: TableRef


def look(
    kind: ObservationKind,
    run: Run,
    windows: TableRef,
    template: str,
    before: Observations | None,
    done: Callable[[int, int], None],
) -> Observations:
    """Look at the segments of `windows` that were not looked at before; returns all looks so
    far.
    """
    case = open_case(run.case_id, policy=run.policy)
    segments, gaps = _find(case, load(case.vault, windows))
    known = _frame(case, before.segments) if before else SEGMENTS.empty()
    fresh = segments[~segments["key"].isin(set(known["key"]))]
    inputs = _inputs(case, kind)
    jobs = [_job(kind, run, template, inputs, row) for row in fresh.to_dict("records")]
    tables, reports, failed = _gather(case, kind, jobs, run, done, segments)
    merged = {
        CONTRACTS[kind].name: _join(_frame(case, before.table) if before else None, tables),
        SEGMENT_REPORTS.name: _join(
            _frame(case, before.reports) if before else None, [SEGMENT_REPORTS.shape(reports)]
        ),
        SEGMENTS.name: _join(known, [fresh]),
        GAPS.name: _join(
            _frame(case, before.gaps) if before else None, [gaps, GAPS.shape(failed)]
        ).drop_duplicates(),
    }
    key = digest(
        kind=kind,
        before=before and before.table.digest,
        keys=sorted(j.digest for j in jobs),
        run=run.run_id,
    )
    contracts = {c.name: c for c in (CONTRACTS[kind], SEGMENT_REPORTS, SEGMENTS, GAPS)}
    refs = {
        name: save(case.vault, f"{kind}-all", key, frame, contracts[name])
        for name, frame in merged.items()
    }
    return Observations(
        kind=kind,
        table=refs[CONTRACTS[kind].name],
        reports=refs[SEGMENT_REPORTS.name],
        segments=refs[SEGMENTS.name],
        gaps=refs[GAPS.name],
    )


def _find(case: OpenCase, windows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    store = environment().store
    return segments_for(windows, lambda prefix: store.list(object_key.FOOTAGE, prefix))


def _inputs(case: OpenCase, kind: ObservationKind) -> str:
    """Digest of what decides a unit's result beside its segment and the template: another of these,
    another result.
    """
    grants = (case.authorised.consent.token_id, case.authorised.approval.token_id)
    return digest(
        models=models(environment()).digests,
        contract=CONTRACTS[kind].version,
        search=case.policy.search.model_dump(),
        grants=grants,
        cameras=case.site.model_dump_json(),
        version=metadata.version("encounter"),
    )


def _job(
    kind: ObservationKind, run: Run, template: str, inputs: str, row: Mapping[Hashable, object]
) -> Job:
    return Job(
        kind=kind,
        case_id=run.case_id,
        policy=run.policy,
        camera_id=str(row["camera_id"]),
        key=str(row["key"]),
        etag=str(row["etag"]),
        start_utc=pd.Timestamp(str(row["start_utc"])).to_pydatetime(),
        template=template,
        inputs=inputs,
    )


def _gather(
    case: OpenCase,
    kind: ObservationKind,
    jobs: list[Job],
    run: Run,
    done: Callable[[int, int], None],
    segments: pd.DataFrame,
) -> tuple[list[pd.DataFrame], list[dict[str, object]], list[GapRow]]:
    tables = []
    reports = []
    failed = []
    for job, result in each(run_unit, jobs, done, StillAllowed(environment(), run.case_id)):
        if isinstance(result, EncounterError):
            failed.append(_failed_gap(job, result, _until(job, segments)))
            continue
        looked = read_unit(case, job)
        tables.append(looked.table)
        reports.append(looked.report)
        add_stat(case.vault, run, f"{kind} (workers)", result)
    return tables, reports, failed


def _until(job: Job, segments: pd.DataFrame) -> datetime:
    """When the camera's next listed segment starts; the segment's own start where none follows:
    how long it was cannot be known.
    """
    starts = segments.loc[segments["camera_id"] == job.camera_id, "start_utc"]
    longest = job.start_utc + timedelta(seconds=LONGEST_SEGMENT_S)
    later = starts[(starts > job.start_utc) & (starts <= longest)]
    return later.min().to_pydatetime() if len(later) else job.start_utc


def _failed_gap(job: Job, error: EncounterError, until: datetime) -> GapRow:
    span = Interval(job.start_utc, until)
    if isinstance(error, FootageGone):
        detail = (
            f"the segment of {job.start_utc:%H:%M:%S} UTC was deleted in the store after it was "
            "listed and before it was read"
        )
        return gap_row("no_footage", job.camera_id, span, detail, NO_FOOTAGE_ADVICE)
    detail = f"the segment could not be processed ({type(error).__name__})"
    return gap_row("failed", job.camera_id, span, detail, FAILED_ADVICE)


def _frame(case: OpenCase, ref: TableRef) -> pd.DataFrame:
    return load(case.vault, ref)


def _join(before: pd.DataFrame | None, frames: list[pd.DataFrame]) -> pd.DataFrame:
    parts = [f for f in ([before] if before is not None else []) + frames if len(f)]
    if parts:
        return pd.concat(parts, ignore_index=True)
    return before if before is not None else (frames[0] if frames else pd.DataFrame())
