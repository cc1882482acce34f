"""Which stretches of a file were seen, and why the others were not.

Everything is in seconds from the file's first picture.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from data_contracts.gap import UNREADABLE_ADVICE, GapKind
from tasks.footage.stamps import Stamps

# Below this distance pictures are not missing: files are named by whole seconds, and the last
# picture of a slow camera lasts up to half a second.
SHORTEST_HOLE_S = 1.5
# A distance of more than so many of the distances around it is a hole.
_STEPS = 3.0
_AROUND = 4
# Nobody can be followed from picture to picture over more than this: 1.4 m/s for 2.2 s are 3 m.
FEWEST_HZ = 0.45
LONGEST_STEP_S = 1 / FEWEST_HZ
_ALONE_S = 0.2

LOST_ADVICE = (
    "look at the recorder: the camera, its network or its disk lost pictures; the report does not "
    "cover this stretch"
)
FEW_ADVICE = "let the camera record at least 5 pictures a second"
CUT_ADVICE = "upload the file again whole, and run the case again"
GROUP_ADVICE = "load the file before it, or let the recorder begin files with a key frame"
STAMPS_ADVICE = "look at the recorder's clock and at the file there; its own player may show more"


class Stretch(NamedTuple):
    """A stretch of a file: seen where `kind` is empty, else lost: what kind of gap it is, why, and
    what can be done. `few_pictures` were seen all the same.
    """

    start_s: float
    end_s: float
    kind: GapKind | None = None
    fault: str = ""
    advice: str = ""


def stretches(
    stamps: Stamps, seen: Collection[float], damaged: Collection[float], stated_s: float
) -> list[Stretch]:
    """The file from its first picture to its end, cut into what was seen and what was not.

    `seen`: times of pictures that decoded; `damaged`: of those that did not; `stated_s`: how long
    the header says that the file is.
    """
    times = np.array(sorted(seen), float)
    if not len(times):
        return []
    steps = _steps(times, stamps.step_s)
    out = _before(float(times[0]), stamps, damaged)
    for i, (at, after) in enumerate(pairwise(times.tolist())):
        out += _between(at, after, float(steps[i]), damaged)
    out.append(Stretch(float(times[-1]), float(times[-1] + steps[-1])))
    out += _after(out[-1].end_s, stamps, damaged, stated_s)
    return _joined(out)


def _steps(times: NDArray[np.float64], usual_s: float) -> NDArray[np.float64]:
    """(n,) the usual distance to the next picture around each: the median of those before and
    after, without its own.
    """
    distances = np.diff(times)
    n = len(times)
    if n < 3:
        return np.full(n, min(usual_s or _ALONE_S, LONGEST_STEP_S))
    padded = np.full(n - 1 + 2 * _AROUND, np.nan)
    padded[_AROUND : _AROUND + n - 1] = distances
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * _AROUND + 1)
    around = np.delete(windows, _AROUND, axis=1)
    medians = np.nanmedian(around, axis=1)
    last = min(float(np.median(distances[-_AROUND:])), LONGEST_STEP_S)
    return np.append(medians, last)


def _between(at: float, after: float, step: float, damaged: Collection[float]) -> list[Stretch]:
    """What lies from one seen picture to the next."""
    distance = after - at
    if distance > max(SHORTEST_HOLE_S, _STEPS * step):
        ends = at + min(step, LONGEST_STEP_S)
        return [Stretch(at, ends), _hole(ends, after, damaged)]
    if distance > LONGEST_STEP_S:
        fault = (
            f"fewer than {FEWEST_HZ} pictures a second (one in {distance:.1f} s): nobody can be "
            "followed from picture to picture"
        )
        return [Stretch(at, after, "few_pictures", fault, FEW_ADVICE)]
    return [Stretch(at, after)]


def _hole(start: float, end: float, damaged: Collection[float]) -> Stretch:
    broken = sum(start - SHORTEST_HOLE_S < t < end for t in damaged)
    if broken:
        return Stretch(start, end, "unreadable", damaged_pictures(broken), UNREADABLE_ADVICE)
    fault = (
        f"the file has no pictures for {end - start:.1f} s: its stamps go on from {start:.1f} s to "
        f"{end:.1f} s of the file"
    )
    return Stretch(start, end, "no_pictures", fault, LOST_ADVICE)


def damaged_pictures(count: int) -> str:
    """So many damaged pictures, in words."""
    return f"{count} damaged picture{'s were' if count > 1 else ' was'} left out"


def _before(first: float, stamps: Stamps, damaged: Collection[float]) -> list[Stretch]:
    """What lies before the first picture that could be seen."""
    if first <= 0:
        return []
    broken = sum(t < first for t in damaged)
    if broken:
        return [Stretch(0.0, first, "unreadable", damaged_pictures(broken), UNREADABLE_ADVICE)]
    if bisect_left(sorted(stamps.seconds.values()), first) > 0:
        fault = (
            f"the file begins in the middle of a group of pictures: the {first:.1f} s before its "
            "first key frame cannot be decoded"
        )
        return [Stretch(0.0, first, "unreadable", fault, GROUP_ADVICE)]
    return [Stretch(0.0, first)]


def _after(
    end: float, stamps: Stamps, damaged: Collection[float], stated_s: float
) -> list[Stretch]:
    """What should have come after the last picture seen."""
    out = []
    broken = [t for t in damaged if t >= end - 1e-6]
    if broken:
        until = max(broken) + stamps.step_s
        out.append(
            Stretch(end, until, "unreadable", damaged_pictures(len(broken)), UNREADABLE_ADVICE)
        )
    reached = max([end, *(part.end_s for part in out)])
    for left in stamps.left:  # the time that they should have filled is missing at the end
        if left.length_s > SHORTEST_HOLE_S:
            until = reached + left.length_s
            out.append(Stretch(reached, until, "unreadable", left.fault, STAMPS_ADVICE))
            reached = until
    missing = stated_s - reached
    if not stamps.left and missing > max(1.0, 2 * stamps.step_s):
        fault = f"expected {stated_s:.1f} s, the pictures end {missing:.1f} s early: it is cut"
        out.append(Stretch(reached, stated_s, "unreadable", fault, CUT_ADVICE))
    return _in_line(out, end)


def _in_line(parts: Sequence[Stretch], end: float) -> list[Stretch]:
    """The parts one after the other, none over another or before `end`, without holes between."""
    out: list[Stretch] = []
    for part in sorted(parts):
        if part.end_s > end:
            out.append(part._replace(start_s=end))
            end = part.end_s
    return out


def _joined(parts: Sequence[Stretch]) -> list[Stretch]:
    """Neighbours of one kind and cause as one; of few pictures, the first one's words."""
    out: list[Stretch] = []
    for part in parts:
        if part.end_s <= part.start_s:
            continue
        last = out[-1] if out else None
        same = last is not None and last.kind == part.kind
        if same and last is not None and (part.kind != "unreadable" or last.fault == part.fault):
            out[-1] = last._replace(end_s=part.end_s)
        else:
            out.append(part)
    return out
