"""Looking at footage: find the segments of fresh windows, fan the units out, gather what they
found.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from data_contracts import object_key
from data_contracts.errors import EncounterError, FootageGone, VideoUnreadable
from data_contracts.gap import FAILED_ADVICE, GapRow, gap_row
from data_contracts.run import ObservationKind, SegmentJob
from data_contracts.tables.contracts import (
    CANDIDATES,
    DETECTIONS,
    GAPS,
    SEGMENT_REPORTS,
    SEGMENTS,
    WINDOWS,
)
from data_contracts.tables.table import TableContract
from data_contracts.time import Interval
from flows.runtime.fan_out import in_order
from flows.runtime.results import load
from flows.runtime.segment_job import UNITS, run_unit
from flows.runtime.stage import Stage, Work, stage
from flows.runtime.stats import write_unit_stat
from tasks.search.find_segments import (
    LONGEST_SEGMENT_S,
    NO_FOOTAGE_ADVICE,
    UNREADABLE_ADVICE,
    segments_for,
)

Progress = Callable[[int, int], None]
# What was found by looking is handed on from round to round: each round adds to it.
_SO_FAR = {"reports": SEGMENT_REPORTS, "segments": SEGMENTS, "gaps": GAPS}


def observation(name: str, kind: ObservationKind, output: str, contract: TableContract) -> Stage:
    """The stage that looks at the segments of `windows` that were not looked at before, in one of
    two ways.

    It takes what was seen so far and makes all that was seen by now.
    """
    tables = {output: contract, **_SO_FAR}

    @stage(
        name,
        takes={"windows": WINDOWS, **tables},
        makes=tables,
        settings=UNITS[kind].settings,
        uses_models=True,
        fresh=True,
    )
    def observe(
        work: Work,
        windows: pd.DataFrame,
        template: str,
        progress: Progress | None = None,
        **so_far: pd.DataFrame,
    ) -> tuple[pd.DataFrame, ...]:
        segments, gaps = segments_for(
            windows, lambda at: work.env.store.list(object_key.FOOTAGE, at)
        )
        fresh = segments[~segments["key"].isin(set(so_far["segments"]["key"]))]
        jobs = [_job(kind, work, template, row) for row in fresh.to_dict("records")]
        found, reports, failed = _gather(work, kind, output, jobs, segments, progress or _untold)
        return (
            _with(so_far[output], found),
            _with(so_far["reports"], reports),
            _with(so_far["segments"], [fresh]),
            _with(so_far["gaps"], [gaps, GAPS.shape(failed)]).drop_duplicates(),
        )

    return observe


scan_footage = observation("scan footage", "scan", "candidates", CANDIDATES)
follow_sightings = observation("follow around sightings", "follow", "detections", DETECTIONS)


def _job(
    kind: ObservationKind, work: Work, template: str, row: Mapping[Hashable, Any]
) -> SegmentJob:
    return SegmentJob(
        kind=kind,
        run=work.run,
        camera_id=str(row["camera_id"]),
        key=str(row["key"]),
        etag=str(row["etag"]),
        start_utc=pd.Timestamp(row["start_utc"]).to_pydatetime(),
        template=template,
    )


def _gather(
    work: Work,
    kind: ObservationKind,
    output: str,
    jobs: list[SegmentJob],
    segments: pd.DataFrame,
    progress: Progress,
) -> tuple[list[pd.DataFrame], list[pd.DataFrame], list[GapRow]]:
    found: list[pd.DataFrame] = []
    reports: list[pd.DataFrame] = []
    failed: list[GapRow] = []
    for job, result in in_order(run_unit, jobs, progress, work.allowed):
        if isinstance(result, EncounterError):
            failed.append(_failed_gap(job, result, _until(job, segments)))
            continue
        found.append(load(work.vault, result[output]))
        reports.append(load(work.vault, result["reports"]))
        write_unit_stat(work.vault, work.run, kind, result)
    return found, reports, failed


def _until(job: SegmentJob, segments: pd.DataFrame) -> datetime:
    """When the camera's next listed segment starts; the segment's own start where none follows:
    how long it was cannot be known.
    """
    starts = segments.loc[segments["camera_id"] == job.camera_id, "start_utc"]
    longest = job.start_utc + timedelta(seconds=LONGEST_SEGMENT_S)
    later = starts[(starts > job.start_utc) & (starts <= longest)]
    return later.min().to_pydatetime() if len(later) else job.start_utc


def _failed_gap(job: SegmentJob, error: EncounterError, until: datetime) -> GapRow:
    span = Interval(job.start_utc, until)
    if isinstance(error, FootageGone):
        detail = (
            f"the segment of {job.start_utc:%H:%M:%S} UTC was deleted in the store after it was "
            "listed and before it was read"
        )
        return gap_row("no_footage", job.camera_id, span, detail, NO_FOOTAGE_ADVICE)
    if isinstance(error, VideoUnreadable):
        return gap_row("unreadable", job.camera_id, span, str(error), UNREADABLE_ADVICE)
    detail = f"the segment could not be processed ({type(error).__name__})"
    return gap_row("failed", job.camera_id, span, detail, FAILED_ADVICE)


def _with(so_far: pd.DataFrame, frames: list[pd.DataFrame]) -> pd.DataFrame:
    parts = [frame for frame in (so_far, *frames) if len(frame)]
    return pd.concat(parts, ignore_index=True) if parts else so_far


def _untold(_finished: int, _total: int) -> None:
    """Nobody watches."""
