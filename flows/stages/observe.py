"""Looking at footage: find the segments of fresh windows, and of long ones the parts, fan the units
out, gather what they found.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from data_contracts.errors import (
    EncounterError,
    FootageChanged,
    FootageGone,
    VideoUnreadable,
)
from data_contracts.gap import FAILED_ADVICE, UNREADABLE_ADVICE, GapKind
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
from flows.runtime.fan_out import in_order
from flows.runtime.results import load
from flows.runtime.segment_job import (
    FOLLOW_PART_S,
    SCAN_PART_S,
    UNITS,
    lengths,
    listed,
    run_unit,
    segment_job,
)
from flows.runtime.stage import Stage, Work, stage
from flows.runtime.stats import write_unit_stat
from tasks.search.coverage_gaps import NO_FOOTAGE_ADVICE
from tasks.search.find_segments import not_asked, segments_for
from tasks.search.time_line import one_source, taken_from

CHANGED_ADVICE = "run the case again: it looks at the file that is there now"
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
            windows,
            listed(work.env),
            lengths(work.env),
            clocks=work.case.site.clocks,
            part_s=FOLLOW_PART_S if kind == "follow" else SCAN_PART_S,
        )
        fresh = not_asked(segments, so_far["segments"])
        jobs = [segment_job(kind, work, template, row) for row in fresh.to_dict("records")]
        found, reports = _gather_units(work, kind, output, jobs, progress or _nobody_watches)
        line = one_source(so_far["reports"], _added_to(SEGMENT_REPORTS.empty(), reports))
        taken = [
            taken_from(rows, key, line.dropped) for key, tables in found.items() for rows in tables
        ]
        return (
            _added_to(so_far[output], taken),
            _added_to(so_far["reports"], [line.reports]),
            _added_to(so_far["segments"], [fresh]),
            _added_to(so_far["gaps"], [gaps]).drop_duplicates(),
        )

    return observe


scan_footage = observation("scan footage", "scan", "candidates", CANDIDATES)
follow_sightings = observation("follow around sightings", "follow", "detections", DETECTIONS)


def _gather_units(
    work: Work, kind: ObservationKind, output: str, jobs: list[SegmentJob], progress: Progress
) -> tuple[dict[str, list[pd.DataFrame]], list[pd.DataFrame]]:
    """What was found by key, and the reports: also of segments that could not be looked at."""
    found: dict[str, list[pd.DataFrame]] = {}
    reports: list[pd.DataFrame] = []
    for job, result in in_order(run_unit, jobs, progress, work.allowed):
        if isinstance(result, EncounterError):
            reports.append(_not_looked_at(job, result))
            continue
        found.setdefault(job.key, []).append(load(work.vault, result[output]))
        reports.append(load(work.vault, result["reports"]))
        write_unit_stat(work.vault, work.run, kind, result)
    return found, reports


def _not_looked_at(job: SegmentJob, error: EncounterError) -> pd.DataFrame:
    """The report on a segment that ended in an error; how long a whole one was cannot be known."""
    gap, fault, advice = _cause(error)
    start, end = job.part or (job.start_utc, job.start_utc)
    row = {
        "key": job.key,
        "etag": job.etag,
        "camera_id": job.camera_id,
        "start_utc": start,
        "end_utc": end,
        "n_frames": 0,
        "kind": gap,
        "fault": fault,
        "advice": advice,
        "file_start_utc": job.start_utc,
    }
    return SEGMENT_REPORTS.shape([row])


def _cause(error: EncounterError) -> tuple[GapKind, str, str]:
    if isinstance(error, FootageGone):
        fault = "it was deleted in the store after it was listed and before it was read"
        return "no_footage", fault, NO_FOOTAGE_ADVICE
    if isinstance(error, FootageChanged):
        fault = "it was replaced by another file after it was listed and before it was read"
        return "unreadable", fault, CHANGED_ADVICE
    if isinstance(error, VideoUnreadable):
        return "unreadable", str(error), UNREADABLE_ADVICE
    return "failed", f"it could not be processed ({type(error).__name__})", FAILED_ADVICE


def _added_to(so_far: pd.DataFrame, frames: list[pd.DataFrame]) -> pd.DataFrame:
    parts = [frame for frame in (so_far, *frames) if len(frame)]
    return pd.concat(parts, ignore_index=True) if parts else so_far


def _nobody_watches(_finished: int, _total: int) -> None:
    """Nobody watches."""
