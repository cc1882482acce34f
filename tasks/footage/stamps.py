"""Which presentation times of a file can be believed.

Recorders write stamps that lie: one picture hours ahead, a clock that is set back, each stamp
twice. What is believed is the largest set of pictures whose stamps run on in the order in which the
file has them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

import numpy as np

# Pictures are stored in the order of decoding: with B pictures a stamp is up to 16 pictures behind
# the latest (ITU-T H.264, A.3.1: max_dec_frame_buffering). More is a jump.
_REORDERED = 20
# A file goes on after a hole of this length at most: recorders begin a new file each hour.
LONGEST_HOLE_S = 3600.0
# More jumps than this are noise: a run is weighed against its last few, and the first few are told.
_WEIGHED_RUNS = 200
_TOLD = 10
# So many pictures before a far jump are the file's beginning, to which its name gives the time.
_BEGINNING = 3
# Fewer pictures than that at a file's end that are ahead by more than this are odd ones.
_ODD_JUMP_S = 60.0


class Left(NamedTuple):
    """Pictures left out for their stamps, and how much time they would have filled."""

    length_s: float
    fault: str


@dataclass(frozen=True)
class Stamps:
    """`seconds`: from a stamp in the stream's units to seconds from the file's first picture, for
    the stamps that are believed. `left`: what was left out. `origin`: the stamp of second 0.
    """

    seconds: dict[int, float]
    step_s: float
    left: tuple[Left, ...] = ()
    origin: int = 0


class _Run(NamedTuple):
    """Pictures one after the other in the file, without a jump between them."""

    stamps: list[int]
    low: int
    high: int


# A run that is left out, and the stamp after which its pictures come in the file; None: first.
_After = tuple[_Run, int | None]


def believed(
    pts: Sequence[int],
    unit_s: Fraction,
    start: int,
    longest_s: float,
    origin: int | None = None,
) -> Stamps:
    """What of a file's stamps, given in the order in which the file has its pictures, can be
    believed.

    `unit_s` is what one stamp counts in seconds, `start` the stream's stated first stamp. Nothing
    later than `longest_s` is believed. `origin`: the stamp of second 0 where it is known, as that
    of a part of a file.
    """
    if not pts:
        return Stamps({}, 0.0)
    step = _step(pts)
    runs = _runs(pts, max(_REORDERED * step, 1))
    chosen, left = _running_on(runs)
    odd_jump = max(_REORDERED * step, float(_ODD_JUMP_S / unit_s))
    chosen, beyond = _without_far_jump(chosen, float(LONGEST_HOLE_S / unit_s), odd_jump)
    first = chosen[0].low
    if origin is None:
        earliest = first - min(_REORDERED * step, float(longest_s / unit_s))
        origin = start if earliest <= start <= first else first
    seconds = {
        p: at_s
        for run in chosen
        for p in run.stamps
        if 0 <= (at_s := float((p - origin) * unit_s)) <= longest_s
    }
    told = [_left(run, after, step, unit_s, origin) for run, after in (*left, *beyond)]
    if len(told) > _TOLD:
        lost = sum(len(run.stamps) for run, _ in (*left, *beyond)[_TOLD:])
        told = [*told[:_TOLD], Left(0.0, f"{lost} more pictures were left out alike")]
    doubled = len(pts) - sum(len(r.stamps) for r in runs)
    if doubled:
        fault = f"{doubled} pictures carry the stamp of another and were left out"
        told.append(Left(0.0, fault))
    return Stamps(seconds, float(step * unit_s), tuple(told), origin)


def _step(pts: Sequence[int]) -> int:
    """The usual distance of neighbouring stamps."""
    distinct = np.unique(np.asarray(pts, np.int64))
    return max(1, int(np.median(np.diff(distinct)))) if len(distinct) > 1 else 1


def _runs(pts: Sequence[int], jump: int) -> list[_Run]:
    """The pictures cut wherever the stamps go back by more than `jump`, and after a step ahead that
    is taken back. A stamp that a run has already is left out.
    """
    cuts = [0]
    high = pts[0]
    for i in range(1, len(pts)):
        if pts[i] < high - jump:
            # What was ahead of this picture before it is a run of its own.
            ahead = i
            while ahead > cuts[-1] and pts[ahead - 1] > pts[i] + jump:
                ahead -= 1
            cuts += [at for at in (ahead, i) if at > cuts[-1]]
            high = pts[i]
        high = max(high, pts[i])
    cuts.append(len(pts))
    parts = [sorted(set(pts[a:b])) for a, b in pairwise(cuts) if b > a]
    return [_Run(part, part[0], part[-1]) for part in parts]


def _running_on(runs: list[_Run]) -> tuple[list[_Run], list[_After]]:
    """Runs whose stamps run on and together have the most pictures, and those left out. A run that
    repeats moments keeps what is later.
    """
    count = [len(r.stamps) for r in runs]
    before = [-1] * len(runs)
    for i, run in enumerate(runs):
        for j in range(max(0, i - _WEIGHED_RUNS), i):
            gained = count[j] + sum(1 for p in run.stamps if p > runs[j].high)
            if run.high > runs[j].high and gained >= count[i]:
                count[i] = gained
                before[i] = j
    at = max(range(len(runs)), key=lambda i: (count[i], -i))
    chain = []
    while at >= 0:
        chain.append(at)
        at = before[at]
    chosen: list[_Run] = []
    left: list[_After] = []
    members = set(chain)
    for i, run in enumerate(runs):
        after = chosen[-1].high if chosen else None
        later = [p for p in run.stamps if after is None or p > after] if i in members else []
        if later:
            chosen.append(_Run(later, later[0], later[-1]))
        missed = run.stamps[: len(run.stamps) - len(later)]
        if missed:
            left.append((_Run(missed, missed[0], missed[-1]), after))
    return chosen, left


def _without_far_jump(
    chosen: list[_Run], farthest: float, odd_jump: float
) -> tuple[list[_Run], list[_After]]:
    """Of stamps that are apart by more than `farthest` the first part, to which the file's name
    gives the time; the largest where the first is but an odd picture. An odd picture at the end is
    left out where it is `odd_jump` ahead.
    """
    parts: list[list[int]] = [[]]
    for p in (p for run in chosen for p in run.stamps):
        if parts[-1] and p - parts[-1][-1] > farthest:
            parts.append([])
        parts[-1].append(p)
    best = max(range(len(parts)), key=lambda i: (len(parts[i]), -i))
    if len(parts[0]) >= _BEGINNING:
        best = 0
    kept = parts[best]
    odd = next((n for n in range(1, _BEGINNING) if _stands_apart(kept, n, odd_jump)), 0)
    if odd:
        parts[best : best + 1] = [kept[:-odd], kept[-odd:]]
        kept = parts[best]
    others = [
        (_Run(p, p[0], p[-1]), kept[-1] if i > best else None)
        for i, p in enumerate(parts)
        if i != best
    ]
    return [_Run(kept, kept[0], kept[-1])], others


def _stands_apart(stamps: list[int], n: int, jump: float) -> bool:
    """Whether the last `n` of stamps are ahead of those before by more than a jump."""
    return len(stamps) > 2 * _BEGINNING and stamps[-n] - stamps[-n - 1] > jump


def _left(run: _Run, after: int | None, step: int, unit_s: Fraction, origin: int) -> Left:
    n = len(run.stamps)
    should_be = origin if after is None else after + step
    start_s = max(0.0, float((should_be - origin) * unit_s))
    off_s = float((run.low - should_be) * unit_s)
    way = "ahead" if off_s > 0 else "back"
    what = "1 picture was" if n == 1 else f"{n} pictures were"
    fault = (
        f"at {start_s:.1f} s of the file the stamps jump {way} by {_amount(abs(off_s))}: "
        f"{what} left out"
    )
    length_s = 0.0 if after is None else float(n * step * unit_s)
    return Left(length_s, fault)


def _amount(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds:,.0f} s ({seconds / 3600:.2g} h)" if seconds >= 3600 else f"{seconds:,.0f} s"
