"""Find the recorded segments that windows need, and tell which stretches of windows have no
footage.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import pandas as pd

from data_contracts.gap import GapRow, gap_row
from data_contracts.object_key import hour_prefixes, read_segment
from data_contracts.tables.contracts import GAPS, SEGMENTS
from data_contracts.time import Interval, intervals_of, merge

# Keys are `<hour>/<minute>.<second>`: a recorder of that layout starts a new file at least every
# hour.
LONGEST_SEGMENT_S = 3600.0


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
    for camera_id, stretches in stretches_of(windows).items():
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


def stretches_of(windows: pd.DataFrame) -> dict[str, list[Interval]]:
    """The union of each camera's windows, cameras in order."""
    out: dict[str, list[Interval]] = {}
    for camera, span in zip(windows["camera_id"], intervals_of(windows), strict=True):
        out.setdefault(str(camera), []).append(span)
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
