"""Gaps as a person reads them: those of one kind at one time are one row, over all cameras."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from data_contracts.time import Interval, intervals_of, merge

# Stretches of one kind that are nearer than this are told as one.
_WITHIN_S = 60.0


class JoinedGap(NamedTuple):
    """Gaps of one kind over some cameras (none where they are about no single one). `stretches`:
    rows of GAPS in it. `missed_s`: their time, each camera's counted. `why`, `advice`: in words.
    """

    kind: str
    span: Interval
    cameras: tuple[str, ...]
    stretches: int
    missed_s: float
    why: tuple[str, ...]
    advice: tuple[str, ...]


def joined_gaps(gaps: pd.DataFrame) -> list[JoinedGap]:
    """All rows of GAPS, in order of time."""
    out = []
    for kind, rows in gaps.groupby("kind", sort=True):
        for span in merge(_longer(intervals_of(rows)), _WITHIN_S):
            inside = rows[(rows["start_utc"] >= span.start_utc) & (rows["end_utc"] <= span.end_utc)]
            out.append(_joined(str(kind), span, inside))
    return sorted(out, key=lambda gap: (gap.span, gap.kind))


def _longer(spans: list[Interval]) -> list[Interval]:
    """A gap of no length, such as a file that never opened, is one of a moment."""
    least = pd.Timedelta(milliseconds=1).to_pytimedelta()
    return [Interval(s, max(e, s + least)) for s, e in spans]


def _joined(kind: str, span: Interval, rows: pd.DataFrame) -> JoinedGap:
    seconds = (rows["end_utc"] - rows["start_utc"]).dt.total_seconds()
    return JoinedGap(
        kind=kind,
        span=span,
        cameras=tuple(sorted({str(c) for c in rows["camera_id"]} - {""})),
        stretches=len(rows),
        missed_s=float(seconds.sum()),
        why=tuple(dict.fromkeys(rows["detail"])),
        advice=tuple(a for a in dict.fromkeys(rows["advice"]) if a),
    )
