"""Find the recorded segments that windows need, and tell which stretches of windows have no
footage.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

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
from data_contracts.time import Interval, intervals_of, merge

# How far back a file is looked for that may last until a window: the longest that recorders write
# are of an hour or two.
LONGEST_SEGMENT_S = 3 * 3600.0
# Names are whole seconds, so that a file may end this much before the next one's name.
_ROUNDED_S = 1.5

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
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Segments (contract SEGMENTS) that can hold footage of the windows, and GAPS rows for objects
    of unknown name.

    `list_objects` lists what lies below a prefix of the footage bucket: the hours of the windows
    and, where a window begins before the first file of its hour or after the end of the file before
    it, up to `longest_s` back. Files that begin in a window are taken, and the one before it unless
    `length_of` says that it ends before; where that one ends too soon, a longer file that began
    earlier is looked for, beside which it was written. `clocks`, by camera: names are by the
    recorder's clock, windows and starts are true. What is missing is not told here but by
    `coverage_gaps`, from what was decoded.
    """
    rows: dict[str, dict[str, Any]] = {}
    gaps = []
    for camera_id, stretches in stretches_of(windows).items():
        found = _Found(camera_id, list_objects, clocks.get(camera_id, ()))
        for stretch in stretches:
            for start, item in _overlapping(found, stretch, length_of, longest_s):
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
