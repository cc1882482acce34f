"""What a folder of recordings holds, told before and after it is loaded: spans, overlaps, holes,
and clocks that contradict names.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from data_contracts.time import Interval, merge

# Names have whole seconds, and a slow camera's last picture lasts half a second.
_ROUNDED_S = 1.5
# Recorders write the time of making at a file's start or at its end, and a little late.
_LATE_S = 5.0


class Measured(NamedTuple):
    """A recording: `lasts_s` by its header, 0 where that cannot be read; `made_utc` as the recorder
    wrote it into the file, if it did.
    """

    camera_id: str
    start_utc: datetime
    lasts_s: float
    made_utc: datetime | None = None


class CameraSpan(NamedTuple):
    """The recordings of one camera. `holes`: between its files; `overlap_s`: that two or more files
    show; `clock`: what contradicts the names, in words.
    """

    camera_id: str
    files: int
    unreadable: int
    start_utc: datetime
    end_utc: datetime
    recorded_s: float
    holes: list[Interval]
    overlap_s: float
    clock: str


def overview(recordings: Iterable[Measured]) -> list[CameraSpan]:
    """One row a camera, by name."""
    by_camera: dict[str, list[Measured]] = {}
    for recording in recordings:
        by_camera.setdefault(recording.camera_id, []).append(recording)
    return [_span(name, by_camera[name]) for name in sorted(by_camera)]


def _span(camera_id: str, files: Sequence[Measured]) -> CameraSpan:
    ordered = sorted(files, key=lambda file: file.start_utc)
    spans = [
        Interval(f.start_utc, f.start_utc + timedelta(seconds=f.lasts_s))
        for f in ordered
        if f.lasts_s > 0
    ]
    shown = merge(spans, _ROUNDED_S)
    covered = sum(span.seconds for span in merge(spans))
    return CameraSpan(
        camera_id,
        len(ordered),
        sum(f.lasts_s <= 0 for f in ordered),
        ordered[0].start_utc,
        max([ordered[-1].start_utc, *(span.end_utc for span in spans)]),
        covered,
        [Interval(a.end_utc, b.start_utc) for a, b in pairwise(shown)],
        max(0.0, sum(span.seconds for span in spans) - covered),
        _clock(ordered),
    )


def _clock(files: Sequence[Measured]) -> str:
    """How far the times of making lie from those of the names, where they contradict them."""
    off = [
        (f.made_utc - f.start_utc).total_seconds() for f in files if f.made_utc and f.lasts_s > 0
    ]
    longest = max((f.lasts_s for f in files), default=0.0)
    if len(off) < 2:
        return ""
    usual = median(off)
    if -_LATE_S <= usual <= longest + _LATE_S:
        return ""
    way = "after" if usual > 0 else "before"
    return (
        f"by what the recorder wrote into its files they were made {abs(usual):,.0f} s {way} their "
        "names: look at its clock and zone"
    )
