"""Find the recorded segments that windows need, and of long ones the parts."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from types import MappingProxyType
from typing import Any, cast

import pandas as pd

from data_contracts.clock import Clock, shown_between, true_time
from data_contracts.gap import GapRow, gap_row
from data_contracts.object_key import (
    SEGMENT_SUFFIXES,
    ListedObject,
    hour_prefixes,
    read_segment,
)
from data_contracts.tables.contracts import GAPS, SEGMENTS
from data_contracts.time import Interval, intervals_of, merge, subtract, utc_of

# How far back a file is looked for that may last until a window: the longest that recorders write
# are of an hour or two.
LONGEST_SEGMENT_S = 3 * 3600.0
# Names are whole seconds, so that a file may end this much before the next one's name.
_ROUNDED_S = 1.5

# A file of at most so many bytes (16 s at 4 Mbit/s) is read and looked at whole: what an index and
# the key frame before cost would be most of it.
WHOLE_BYTES = 8 * 2**20
# Parts begin and end at whole multiples of this from their file's start, so that the windows of one
# round go on where those of the last ended; a scan looks at one picture in 2 s.
_GRID_S = 2.0

ListObjects = Callable[[str], Iterable[ListedObject]]
# How many seconds a file lasts by its header; None where that cannot be known.
LengthOf = Callable[[ListedObject], float | None]
Found = tuple[datetime, ListedObject]


def _unknown(_item: ListedObject) -> None:
    """Nothing is known of any length."""


class _Found:
    """A camera's listed segments in order of start, listed by hour as needed and once only."""

    def __init__(self, camera_id: str, list_objects: ListObjects, clock: Clock) -> None:
        self.camera_id = camera_id
        self.list_objects = list_objects
        self.clock = clock
        self.hours: dict[str, list[Found]] = {}
        self.strange: dict[str, list[str]] = {}

    def within(self, start_utc: datetime, end_utc: datetime) -> list[Found]:
        """The files that begin in the hours of [start, end), by true time."""
        out = []
        hour = timedelta(hours=1)
        from_utc = start_utc.replace(minute=0, second=0, microsecond=0)
        until_utc = from_utc + math.ceil((end_utc - from_utc) / hour) * hour
        for prefix in hour_prefixes(
            self.camera_id, *shown_between(self.clock, from_utc, until_utc)
        ):
            if prefix not in self.hours:
                self.hours[prefix] = self._list_hour(prefix)
            out += [found for found in self.hours[prefix] if from_utc <= found[0] < until_utc]
        return sorted(out, key=lambda item: item[0])

    def _list_hour(self, prefix: str) -> list[Found]:
        segments = []
        for item in self.list_objects(prefix):
            name = read_segment(item.key)
            if name is None or name.camera_id != self.camera_id:
                self.strange.setdefault(prefix, []).append(item.key)
            else:
                segments.append((true_time(self.clock, name.start_utc), item))
        return segments


def segments_for(
    windows: pd.DataFrame,
    list_objects: ListObjects,
    length_of: LengthOf = _unknown,
    longest_s: float = LONGEST_SEGMENT_S,
    clocks: Mapping[str, Clock] = MappingProxyType({}),
    part_s: float = math.inf,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Segments (contract SEGMENTS) that can hold footage of the windows, and GAPS rows for objects
    of unknown name.

    `list_objects` lists what lies below a prefix of the footage bucket: the hours of the windows
    and, where a window begins before the first file of its hour or after the end of the file before
    it, up to `longest_s` back. Files that begin in a window are taken, and the one before it unless
    `length_of` says that it ends before; where that one ends too soon, a longer file that began
    earlier is looked for, beside which it was written. `clocks`, by camera: names are by the
    recorder's clock, windows and starts are true. Of a file that is larger than `WHOLE_BYTES` and
    whose length is known there is a row for each part that the windows need, none longer than
    `part_s`. What is missing is not told here but by `coverage_gaps`, from what was decoded.
    """
    files: dict[str, dict[str, Any]] = {}
    needed: dict[str, list[Interval]] = {}
    gaps = []
    measured = cast("LengthOf", cache(length_of))
    for camera_id, stretches in stretches_of(windows).items():
        found = _Found(camera_id, list_objects, clocks.get(camera_id, ()))
        for stretch in stretches:
            for start, item in _overlapping(found, stretch, measured, longest_s):
                files[item.key] = {
                    "camera_id": camera_id,
                    "key": item.key,
                    "etag": item.etag,
                    "size_bytes": item.size,
                    "start_utc": start,
                }
                length_s = measured(item) if item.size > WHOLE_BYTES else None
                if length_s is not None:
                    parts = needed.setdefault(item.key, [])
                    parts += _on_grid(stretch, start, length_s)
        gaps += [
            _strange_names(camera_id, prefix, keys)
            for prefix, keys in sorted(found.strange.items())
        ]
    rows = [
        {**file, **part}
        for key, file in files.items()
        for part in _cut(file["start_utc"], needed.get(key), part_s)
    ]
    ordered = sorted(rows, key=lambda row: (row["camera_id"], row["start_utc"]))
    return SEGMENTS.shape(ordered), GAPS.shape(gaps)


def not_asked(segments: pd.DataFrame, before: pd.DataFrame) -> pd.DataFrame:
    """Of segments the files, and the parts of files, that `before` has not (both contract
    SEGMENTS).
    """
    asked: dict[str, list[Interval]] = {}
    whole = set(before.loc[before["from_utc"].isna(), "key"])
    for row in before.to_dict("records"):
        if (part := part_of(row)) is not None:
            asked.setdefault(row["key"], []).append(part)
    rows: list[dict[str, Any]] = []
    for row in segments[~segments["key"].isin(whole)].to_dict("records"):
        same = {str(name): value for name, value in row.items()}
        parts = asked.get(row["key"], [])
        part = part_of(row)
        if part is None:
            rows += [] if parts else [same]
            continue
        for left in subtract(part, parts):
            rows.append({**same, "from_utc": left.start_utc, "until_utc": left.end_utc})
    return SEGMENTS.shape(rows)


def part_of(row: Mapping[Hashable, Any]) -> Interval | None:
    """The part of a row of SEGMENTS; None: the whole file."""
    if pd.isna(row["from_utc"]):
        return None
    return Interval(utc_of(row["from_utc"]), utc_of(row["until_utc"]))


def _on_grid(stretch: Interval, start_utc: datetime, length_s: float) -> list[Interval]:
    """What of a file lies in a stretch, to whole multiples of `_GRID_S` from its start."""
    from_s = max(0.0, (stretch.start_utc - start_utc).total_seconds())
    until_s = min((stretch.end_utc - start_utc).total_seconds(), length_s + _GRID_S)
    grid = timedelta(seconds=_GRID_S)
    first = start_utc + math.floor(from_s / _GRID_S) * grid
    return [Interval(first, start_utc + math.ceil(until_s / _GRID_S) * grid)]


def _cut(
    start_utc: datetime, needed: list[Interval] | None, part_s: float
) -> list[dict[str, datetime]]:
    """The columns that say which parts of a file to look at: cut at whole multiples of `part_s`
    from its start, so that other windows have the same parts. Nothing: the whole file.
    """
    if needed is None:
        return [{}]
    out = []
    for whole in merge(needed):
        at = whole.start_utc
        while at < whole.end_utc:
            end = whole.end_utc
            if math.isfinite(part_s):
                number = math.floor((at - start_utc).total_seconds() / part_s) + 1
                end = min(end, start_utc + timedelta(seconds=number * part_s))
            out.append({"from_utc": at, "until_utc": end})
            at = end
    return out


def stretches_of(windows: pd.DataFrame) -> dict[str, list[Interval]]:
    """The union of each camera's windows, cameras in order."""
    out: dict[str, list[Interval]] = {}
    for camera, span in zip(windows["camera_id"], intervals_of(windows), strict=True):
        out.setdefault(str(camera), []).append(span)
    return {camera: merge(out[camera]) for camera in sorted(out)}


def _overlapping(
    found: _Found, stretch: Interval, length_of: LengthOf, longest_s: float
) -> list[Found]:
    """The files that begin in a stretch, and those before it that reach into it."""
    first = stretch.start_utc - timedelta(seconds=longest_s)
    listed = found.within(stretch.start_utc, stretch.end_utc)
    inside = [f for f in listed if stretch.start_utc < f[0] < stretch.end_utc]
    before = [f for f in listed if f[0] <= stretch.start_utc]
    at = stretch.start_utc.replace(minute=0, second=0, microsecond=0)
    out: list[Found] = []
    # The file before must last until the next one begins, or to the end of the stretch.
    wanted = min([stretch.end_utc, *(start for start, _ in inside)])
    largest = -1
    while True:
        for start, item in reversed(before):
            # A file that lasts longer than those written beside it is larger than they are.
            if start < first or item.size <= largest:
                continue
            largest = item.size
            length_s = length_of(item)
            ends = start + timedelta(seconds=longest_s if length_s is None else length_s)
            if ends > stretch.start_utc:
                out.append((start, item))
            if ends >= wanted - timedelta(seconds=_ROUNDED_S):
                return [*out, *inside]
        if at <= first:
            return [*out, *inside]
        at -= timedelta(hours=1)
        before = found.within(at, at + timedelta(hours=1))


def _strange_names(camera_id: str, prefix: str, keys: list[str]) -> GapRow:
    hour = datetime.strptime(prefix.split("/", 1)[1], "%Y-%m-%d/%H/").replace(tzinfo=UTC)
    names = ", ".join(sorted(key.removeprefix(prefix) for key in keys)[:3])
    detail = (
        f"{len(keys)} object(s) in this hour are not named <minute>.<second>.mp4 (or .mkv, .ts, "
        f"...) and were not read: {names}"
    )
    whole = Interval(hour, hour + timedelta(hours=1))
    return gap_row(
        "unreadable",
        camera_id,
        whole,
        detail,
        "name them by their start in UTC, <minute>.<second>, with one of the endings "
        + ", ".join(SEGMENT_SUFFIXES),
    )
