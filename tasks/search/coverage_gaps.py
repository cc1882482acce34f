"""What of the planned windows no file showed, as rows of GAPS with the causes that files give."""

from __future__ import annotations

import bisect
import itertools
from datetime import datetime, timedelta
from typing import NamedTuple

import pandas as pd

from data_contracts.camera import Site
from data_contracts.gap import GapKind, GapRow, gap_row
from data_contracts.object_key import read_segment
from data_contracts.tables.contracts import GAPS
from data_contracts.time import Interval, intervals_of, merge, subtract, utc_of
from tasks.search.find_segments import stretches_of
from tasks.search.time_line import starts_of_files

# Starts in keys are whole seconds (up to 1 s is lost in naming) and the last frame of a slow camera
# lasts up to half a second; a hole shorter than both together is not missing footage.
SHORTEST_GAP_S = 1.5
# How long a file is taken to be of which nothing is known, beside no other: recorders begin a new
# one each hour.
_UNKNOWN_LENGTH_S = 3600.0

NO_FOOTAGE_ADVICE = "look for this stretch at the recorder; the report does not cover it"
ROUNDS_ADVICE = (
    "look there by hand, or point at the subject there (encounter case point) and run again"
)
TIME_ADVICE = (
    "compare the recorder's clock and its export settings with a clock in the picture; where files "
    "overlap on purpose nothing need be done"
)


class Cause(NamedTuple):
    """Why a stretch was not seen: the kind of gap, the fault, what to do, the file that says so."""

    kind: GapKind
    fault: str
    advice: str
    key: str = ""


class Claim(NamedTuple):
    """A stretch that a file should have shown and did not."""

    span: Interval
    cause: Cause


def coverage_gaps(
    windows: pd.DataFrame, reports: pd.DataFrame, shortest_s: float = SHORTEST_GAP_S
) -> pd.DataFrame:
    """Stretches of the windows that no file showed (contract GAPS), longer than `shortest_s`, with
    the cause that a file gives for them; `no_footage` where no file gives one. Together with what
    was seen they are the windows, and no two of them overlap.

    `reports` is of contract SEGMENT_REPORTS. Where stamps and names contradict each other there is
    a row of kind `doubtful_time` more, for time that was seen.
    """
    by_camera = {str(camera): rows for camera, rows in reports.groupby("camera_id")}
    others = [s for rows in by_camera.values() if (s := _usual_s(rows)) is not None]
    gaps: list[GapRow] = []
    for camera_id, stretches in stretches_of(windows).items():
        rows = by_camera.get(camera_id, reports.iloc[:0])
        seen = intervals_of(rows[rows["kind"] == ""])
        # A camera's only segment, unreadable: it is taken to be as long as the other cameras'
        # segments.
        usual_s = _usual_s(rows) or max(others, default=_UNKNOWN_LENGTH_S)
        claims = _claims(rows, usual_s)
        doubts = rows[rows["kind"] == "doubtful_time"]
        for stretch in stretches:
            for hole in subtract(stretch, seen):
                if hole.seconds > shortest_s:
                    gaps += _explained(camera_id, hole, claims, rows, shortest_s)
            gaps += _doubtful(camera_id, stretch, doubts)
    return GAPS.shape(gaps)


def not_told_yet(gaps: pd.DataFrame, told: pd.DataFrame) -> pd.DataFrame:
    """The parts of `gaps` that no row of `told` covers on the same camera (both contract GAPS). A
    doubtful time was seen, so that it covers another doubtful time alone.
    """
    out = []
    for row in gaps.to_dict("records"):
        doubtful = row["kind"] == "doubtful_time"
        alike = (told["kind"] == "doubtful_time") == doubtful
        known = intervals_of(told[alike & (told["camera_id"] == row["camera_id"])])
        whole = Interval(utc_of(row["start_utc"]), utc_of(row["end_utc"]))
        for part in subtract(whole, merge(known)):
            if part.seconds > SHORTEST_GAP_S:
                same = {str(name): value for name, value in row.items()}
                out.append({**same, "start_utc": part.start_utc, "end_utc": part.end_utc})
    return GAPS.shape(out)


def beyond_rounds(windows: pd.DataFrame, rounds: int) -> pd.DataFrame:
    """Windows that were planned after so many rounds, which were not looked at (contract GAPS)."""
    detail = (
        f"planned and not looked at: the search ended after {rounds} rounds of planning, each from "
        "what the one before had found"
    )
    gaps = [
        gap_row("failed", camera_id, stretch, detail, ROUNDS_ADVICE)
        for camera_id, stretches in stretches_of(windows[windows["round"] > rounds]).items()
        for stretch in stretches
    ]
    return GAPS.shape(gaps)


def uncalibrated_gaps(windows: pd.DataFrame, site: Site) -> pd.DataFrame:
    """The windows of cameras that place no one (contract GAPS): the subject may be seen there, but
    no contact is found.
    """
    gaps = []
    for camera_id, stretches in stretches_of(windows).items():
        camera = site.by_id.get(camera_id)
        if camera is None or camera.homography is not None:
            continue
        why = camera.calibration_fault or "the camera file has no homography"
        detail = f"nobody is placed on the ground: {why}"
        advice = "calibrate it (encounter camera calibrate) and run the case again"
        gaps += [gap_row("no_calibration", camera_id, s, detail, advice) for s in stretches]
    return GAPS.shape(gaps)


def _claims(rows: pd.DataFrame, usual_s: float) -> list[Claim]:
    """What each file says that it should have shown, in order of time.

    A file of unknown length should have lasted until the next one, but no longer than files usually
    do, so that a missing file behind it is not put down to it.
    """
    starts = _starts(rows)
    out = []
    for row in rows[~rows["kind"].isin(["", "doubtful_time"])].to_dict("records"):
        span = Interval(utc_of(row["start_utc"]), utc_of(row["end_utc"]))
        if span.start_utc == span.end_utc:
            at = bisect.bisect_right(starts, span.start_utc)
            ends = [starts[at]] if at < len(starts) else []
            usual = span.start_utc + timedelta(seconds=usual_s)
            span = Interval(span.start_utc, min([*ends, usual]))
        out.append(Claim(span, Cause(row["kind"], row["fault"], row["advice"], row["key"])))
    return sorted(out, key=lambda claim: claim.span)


def _starts(rows: pd.DataFrame) -> list[datetime]:
    """When the files begin, in order."""
    starts = starts_of_files(rows).groupby(rows["key"]).min()
    return sorted(utc_of(t) for t in starts)


def _usual_s(rows: pd.DataFrame) -> float | None:
    """The median time from one file's start to the next, else of what was seen; None where neither
    is known.
    """
    files = rows.groupby("key")
    starts = _starts(rows)
    known = sorted((b - a).total_seconds() for a, b in itertools.pairwise(starts))
    lengths = (files["end_utc"].max() - files["start_utc"].min()).dt.total_seconds()
    known = known or sorted(s for s in lengths if s > 0)
    return known[len(known) // 2] if known else None


def _explained(
    camera_id: str, hole: Interval, claims: list[Claim], rows: pd.DataFrame, shortest_s: float
) -> list[GapRow]:
    """A hole as rows one after the other: the files' own causes, and what is left."""
    parts: list[tuple[Interval, Cause]] = []
    left = [hole]
    for claim in claims:
        for piece in [part for rest in left if (part := claim.span.intersect(rest))]:
            parts.append((piece, claim.cause))
            left = [x for rest in left for x in subtract(rest, [piece])]
    parts += [(rest, _nothing(rest, rows)) for rest in left]
    return [
        gap_row(first.kind, camera_id, span, _detail(causes), first.advice)
        for span, causes in _rows_of(sorted(parts, key=lambda p: p[0]), shortest_s)
        for first in causes[:1]
    ]


def _rows_of(
    parts: list[tuple[Interval, Cause]], shortest_s: float
) -> list[tuple[Interval, list[Cause]]]:
    """Neighbours of one cause joined; what is too short for a row of its own goes to the one
    before, or to the next where there is none.
    """
    out: list[tuple[Interval, list[Cause]]] = []
    for span, cause in parts:
        if out:
            last, causes = out[-1]
            alike = causes[0]._replace(key="") == cause._replace(key="")
            whole = Interval(last.start_utc, span.end_utc)
            if alike or span.seconds <= shortest_s:
                out[-1] = (whole, [*causes, cause] if alike else causes)
                continue
            if last.seconds <= shortest_s:
                out[-1] = (whole, [cause])
                continue
        out.append((span, [cause]))
    return out


def _nothing(hole: Interval, rows: pd.DataFrame) -> Cause:
    """No file: for how long, and what the file before it says of its own length."""
    detail = f"no footage was recorded or kept for {hole.seconds:.0f} s"
    before = rows[(rows["end_utc"] <= hole.start_utc) & (rows["end_utc"] > rows["start_utc"])]
    starts = starts_of_files(rows)
    after = starts[starts >= hole.end_utc]
    if len(before) and len(after):
        last = before.sort_values("end_utc").iloc[-1]
        start = starts[rows["key"] == last["key"]].min()
        lasted = (last["end_utc"] - start).total_seconds()
        apart = (after.min() - start).total_seconds()
        detail += (
            f" (the pictures of the file of {start:%H:%M:%S} UTC last {lasted:.1f} s, the next "
            f"file begins {apart:.1f} s after it)"
        )
    return Cause("no_footage", detail, NO_FOOTAGE_ADVICE)


def _detail(causes: list[Cause]) -> str:
    """The fault, with the files that have it."""
    starts = sorted({_start_of(cause.key) for cause in causes} - {""})
    if not starts:
        return causes[0].fault
    which = "the segment" if len(starts) == 1 else "the segments"
    named = ", ".join(starts[:5]) + (f" and {len(starts) - 5} more" if len(starts) > 5 else "")
    return f"{which} of {named} UTC: {causes[0].fault}"


def _start_of(key: str) -> str:
    name = read_segment(key) if key else None
    return f"{name.start_utc:%H:%M:%S}" if name else ""


def _doubtful(camera_id: str, stretch: Interval, doubts: pd.DataFrame) -> list[GapRow]:
    """One row for all contradictions of stamps and names within a stretch: the first one's words,
    and how many more there are.
    """
    found = [
        (part, str(fault))
        for span, fault in zip(intervals_of(doubts), doubts["fault"], strict=True)
        if (part := span.intersect(stretch)) is not None
    ]
    if not found:
        return []
    first: datetime = min(part.start_utc for part, _ in found)
    last = max(part.end_utc for part, _ in found)
    detail = min(found)[1] + (f"; so {len(found) - 1} more files" if len(found) > 1 else "")
    return [gap_row("doubtful_time", camera_id, Interval(first, last), detail, TIME_ADVICE)]
