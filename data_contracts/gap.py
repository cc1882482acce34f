"""A gap: something that could not be looked at or said, as a row of contract GAPS."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypedDict, get_args

from data_contracts.time import Interval

GapKind = Literal[
    "not_authorised",
    "not_infectious",
    "not_covered",
    "no_footage",
    "unreadable",
    "no_pictures",
    "few_pictures",
    "doubtful_time",
    "no_calibration",
    "not_seen",
    "failed",
]
UNREADABLE_ADVICE = "ask for the file again from the recorder, or repair it, and run the case again"
FAILED_ADVICE = "see the worker's log, then run the case again: encounter case run"
GAP_KINDS: tuple[str, ...] = get_args(GapKind)


class GapRow(TypedDict):
    """The columns of GAPS; `camera_id` is empty where the gap is about no single camera."""

    kind: GapKind
    camera_id: str
    start_utc: datetime
    end_utc: datetime
    detail: str
    advice: str


def gap_row(kind: GapKind, camera_id: str, span: Interval, detail: str, advice: str) -> GapRow:
    """One row of GAPS: what happened in `span` (`detail`) and what can be done (`advice`)."""
    return GapRow(
        kind=kind,
        camera_id=camera_id,
        start_utc=span.start_utc,
        end_utc=span.end_utc,
        detail=detail,
        advice=advice,
    )
