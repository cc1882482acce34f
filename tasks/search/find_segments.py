"""Find the recorded segments that windows need, and tell which stretches of windows have no
footage.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import pandas as pd

from data_contracts.camera import Site
from data_contracts.gap import GapRow, gap_row
from data_contracts.object_key import hour_prefixes, read_segment
from data_contracts.tables.contracts import GAPS, SEGMENTS
from data_contracts.time import Interval, intervals_of, merge, subtract, utc_of

# Keys are `<hour>/<minute>.<second>`: a recorder of that layout starts a new file at least every
# hour.
LONGEST_SEGMENT_S = 3600.0
# Starts in keys are whole seconds (up to 1 s is lost in naming) and the last frame of a slow camera
# lasts up to half a second; a hole shorter than both together is not missing footage.
SHORTEST_GAP_S = 1.5

NO_FOOTAGE_ADVICE = "look for this stretch at the recorder; the report does not cover it"
UNREADABLE_ADVICE = "ask for the file again from the recorder, or repair it, and run the case again"


class ObjectInfo(Protocol):
    """What the object store lists."""

    @property
    def key(self) -> str:
        """Object key in the footage bucket."""

    @property
    def etag(self) -> str:
        """Digest of the content by the store."""

    @property
    def size(self) -> int:
        """Bytes."""


ListObjects = Callable[[str], Iterable[ObjectInfo]]


class _Found:
    """A camera's listed segments in order of start, listed by hour as needed and once only."""

    def __init__(self, camera_id: str, list_objects: ListObjects) -> None:
        self.camera_id = camera_id
        self.list_objects = list_objects
        self.hours: dict[str, list[tuple[datetime, ObjectInfo]]] = {}
        self.strange: dict[str, list[str]] = {}

    def within(self, start_utc: datetime, end_utc: datetime) -> list[tuple[datetime, ObjectInfo]]:
        out = []
        for prefix in hour_prefixes(self.camera_id, start_utc, end_utc):
            if prefix not in self.hours:
                self.hours[prefix] = self._list_hour(prefix)
            out += self.hours[prefix]
        return sorted(out, key=lambda item: item[0])

    def _list_hour(self, prefix: str) -> list[tuple[datetime, ObjectInfo]]:
        segments = []
        for item in self.list_objects(prefix):
            name = read_segment(item.key)
            if name is None or name.camera_id != self.camera_id:
                self.strange.setdefault(prefix, []).append(item.key)
            else:
                segments.append((name.start_utc, item))
        return segments


def segments_for(
    windows: pd.DataFrame, list_objects: ListObjects, longest_s: float = LONGEST_SEGMENT_S
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Segments (contract SEGMENTS) that can hold footage of the windows, and GAPS rows for objects
    of unknown name.

    `list_objects` lists what lies below a prefix of the footage bucket; only the hours of the
    windows are listed, and the hour before where a window starts before its hour's first segment. A
    segment is taken to last until the next one starts, at most `longest_s`. What is missing is not
    told here but by `coverage_gaps`, from what was decoded.
    """
    rows: dict[str, dict[str, Any]] = {}
    gaps = []
    for camera_id, stretches in _stretches(windows).items():
        found = _Found(camera_id, list_objects)
        for stretch in stretches:
            for start, item in _overlapping(found, stretch, longest_s):
                rows[item.key] = {
                    "camera_id": camera_id,
                    "key": item.key,
                    "etag": item.etag,
                    "size_bytes": item.size,
                    "start_utc": start,
                }
        gaps += [
            _strange_names(camera_id, prefix, keys)
            for prefix, keys in sorted(found.strange.items())
        ]
    ordered = sorted(rows.values(), key=lambda row: (row["camera_id"], row["start_utc"]))
    return SEGMENTS.shape(ordered), GAPS.shape(gaps)


def coverage_gaps(
    windows: pd.DataFrame, reports: pd.DataFrame, shortest_s: float = SHORTEST_GAP_S
) -> pd.DataFrame:
    """Stretches of the windows for which nothing was decoded (contract GAPS), longer than
    `shortest_s`.

    `reports` is of contract SEGMENT_REPORTS. Where a segment with a fault should have filled the
    stretch the kind is `unreadable` and the detail names the segment; else it is `no_footage`. One
    row a camera, kind and stretch.
    """
    by_camera = {str(camera): rows for camera, rows in reports.groupby("camera_id")}
    others = [s for rows in by_camera.values() if (s := _usual_s(rows)) is not None]
    gaps = []
    for camera_id, stretches in _stretches(windows).items():
        rows = by_camera.get(camera_id, reports.iloc[:0])
        decoded = intervals_of(rows)
        # A camera's only segment, unreadable: it is taken to be as long as the other cameras'
        # segments.
        usual_s = _usual_s(rows) or max(others, default=LONGEST_SEGMENT_S)
        broken = _should_have_filled(rows, usual_s)
        for stretch in stretches:
            for hole in subtract(stretch, decoded):
                if hole.seconds > shortest_s:
                    gaps += _explained_hole(camera_id, hole, broken, shortest_s)
    return GAPS.shape(gaps)


def uncalibrated_gaps(windows: pd.DataFrame, site: Site) -> pd.DataFrame:
    """The windows of cameras that place no one (contract GAPS): the subject may be seen there, but
    no contact is found.
    """
    gaps = []
    for camera_id, stretches in _stretches(windows).items():
        camera = site.by_id.get(camera_id)
        if camera is None or camera.homography is not None:
            continue
        why = camera.calibration_fault or "the camera file has no homography"
        detail = f"nobody is placed on the ground: {why}"
        advice = "calibrate it (encounter camera calibrate) and run the case again"
        gaps += [gap_row("no_calibration", camera_id, s, detail, advice) for s in stretches]
    return GAPS.shape(gaps)


def _stretches(windows: pd.DataFrame) -> dict[str, list[Interval]]:
    """The union of each camera's windows, cameras in order."""
    out: dict[str, list[Interval]] = {}
    for camera, start, end in zip(
        windows["camera_id"], windows["start_utc"], windows["end_utc"], strict=True
    ):
        out.setdefault(str(camera), []).append(Interval(utc_of(start), utc_of(end)))
    return {camera: merge(out[camera]) for camera in sorted(out)}


def _overlapping(
    found: _Found, stretch: Interval, longest_s: float
) -> list[tuple[datetime, ObjectInfo]]:
    listed = found.within(stretch.start_utc, stretch.end_utc)
    if not listed or listed[0][0] > stretch.start_utc:
        listed = found.within(stretch.start_utc - timedelta(seconds=longest_s), stretch.end_utc)
    starts = [start for start, _ in listed]
    out = []
    for i, (start, item) in enumerate(listed):
        last = start + timedelta(seconds=longest_s)
        end = min(last, starts[i + 1]) if i + 1 < len(starts) else last
        if start < stretch.end_utc and end > stretch.start_utc:
            out.append((start, item))
    return out


def _should_have_filled(rows: pd.DataFrame, usual_s: float) -> list[tuple[Interval, datetime]]:
    """Of each segment with a fault: the time it should have filled, and its start.

    It should have lasted until the next segment, but no longer than segments usually do, so that a
    missing segment behind it is not put down to it.
    """
    starts = sorted(utc_of(t) for t in rows["start_utc"])
    out = []
    for start in sorted(utc_of(t) for t in rows.loc[rows["fault"] != "", "start_utc"]):
        at = bisect.bisect_right(starts, start)
        ends = [starts[at]] if at < len(starts) else []
        out.append((Interval(start, min([*ends, start + timedelta(seconds=usual_s)])), start))
    return out


def _usual_s(rows: pd.DataFrame) -> float | None:
    """The median time from one segment's start to the next, else of what was decoded; None where
    neither is known.
    """
    starts = sorted(utc_of(t) for t in rows["start_utc"])
    known = sorted((b - a).total_seconds() for a, b in itertools.pairwise(starts))
    known = known or sorted(
        s for s in (rows["end_utc"] - rows["start_utc"]).dt.total_seconds() if s > 0
    )
    return known[len(known) // 2] if known else None


def _explained_hole(
    camera_id: str, hole: Interval, broken: list[tuple[Interval, datetime]], shortest_s: float
) -> list[GapRow]:
    """A hole as rows: the parts of unreadable segments, joined where they touch, and what is
    left.
    """
    parts = [
        (part, start) for filled, start in broken if (part := filled.intersect(hole)) is not None
    ]
    unreadable = [
        m for m in merge([p for p, _ in parts], within_s=shortest_s) if m.seconds > shortest_s
    ]
    rows = []
    for whole in unreadable:
        starts = sorted({start for part, start in parts if part.intersect(whole)})
        names = ", ".join(f"{start:%H:%M:%S}" for start in starts)
        which = "the segment of" if len(starts) == 1 else "the segments of"
        rows.append(
            gap_row(
                "unreadable",
                camera_id,
                whole,
                f"{which} {names} UTC cannot be decoded",
                UNREADABLE_ADVICE,
            )
        )
    for rest in subtract(hole, unreadable):
        if rest.seconds > shortest_s:
            detail = f"no footage was recorded or kept for {rest.seconds:.0f} s"
            rows.append(gap_row("no_footage", camera_id, rest, detail, NO_FOOTAGE_ADVICE))
    return sorted(rows, key=lambda row: row["start_utc"])


def _strange_names(camera_id: str, prefix: str, keys: list[str]) -> GapRow:
    hour = datetime.strptime(prefix.split("/", 1)[1], "%Y-%m-%d/%H/").replace(tzinfo=UTC)
    names = ", ".join(sorted(key.removeprefix(prefix) for key in keys)[:3])
    detail = (
        f"{len(keys)} object(s) in this hour are not named <minute>.<second>.mp4 and were not "
        f"read: {names}"
    )
    whole = Interval(hour, hour + timedelta(hours=1))
    return gap_row(
        "unreadable",
        camera_id,
        whole,
        detail,
        "rename them to <minute>.<second>.mp4 of their start in UTC",
    )
