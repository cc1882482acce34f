"""Whether what is called the subject's box is still the subject: where it may have become somebody
else, nobody is shown.

Inside the subject's outline only a track or a detection tells a bystander apart, and somebody who
covers the subject takes over both. Three things give that away, none of them by looks: the box
jumps or changes its size faster than anybody walks; somebody who stood at the box vanishes without
having walked off; the shape that differs from the empty scene is larger than the box
(`tasks.redaction.redact.stranger_beside`). All are judged with what came before and what comes
after.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tasks.redaction.redact import RedactSettings

Floats = NDArray[np.floating]
# A brisk walk is 2.5 m/s (the policies' limit) for a body of 1.7 m: heights a second.
_HEIGHTS_PER_S = 1.5
# Jitter of a box's edges as a share of its height. Chosen: five times the spread of 1 to 2 % that
# `tasks.ground.position` measured.
_JITTER_SHARE = 0.1
# Half of a body's breadth, in heights: how far a box moves when its person turns or stretches an
# arm.
_TURN_SHARE = 0.15
# Chosen: boxes that share less of the narrower one's columns hide only an arm.
_SHARED_COLUMNS = 0.25


class Instant(NamedTuple):
    """One instant as the tracks have it: the subject's box (4,) or None, others' boxes (n, 4), the
    number of the track that the subject's box is of, and whether a face in it was compared and
    proposed as the subject's then.
    """

    subject: Floats | None
    others: Floats
    track: int = 0
    face: bool = False


@dataclass
class _Other:
    """Somebody as last seen, and the subject's box then where they stood at the subject."""

    box: Floats
    seen: float
    subject: Floats | None


def certain(
    frames: Sequence[Instant], times: Sequence[datetime], settings: RedactSettings
) -> list[bool]:
    """(n,) whether the subject's box is surely the subject at each instant; False where there is
    none.
    """
    at = np.array([t.timestamp() for t in times])
    doubt = _near_jumps(frames, at, settings)
    doubt |= _after_vanishing(frames, at, settings)
    doubt |= _after_vanishing(frames[::-1], -at[::-1], settings)[::-1]
    return [
        frame.subject is not None and not doubted
        for frame, doubted in zip(frames, doubt, strict=True)
    ]


def follows(before: Floats, after: Floats, apart_s: float) -> bool:
    """Whether a box (4,) can be the same person's as another `apart_s` seconds earlier.

    Foot, head and middle may move as fast as people walk, and the height change as perspective does
    then; both with the box's jitter on top.
    """
    height = min(before[3] - before[1], after[3] - after[1])
    if height <= 0:
        return False
    step = _HEIGHTS_PER_S * apart_s
    aside = abs((after[0] + after[2]) - (before[0] + before[2])) / 2 / height
    ends = np.abs(after[[1, 3]] - before[[1, 3]]).max() / height
    larger = abs(np.log((after[3] - after[1]) / (before[3] - before[1])))
    # Towards the camera a body's height in the picture grows by the way walked over the distance,
    # which is seldom less than two heights; sideways it does not grow.
    return bool(
        aside <= step + _TURN_SHARE
        and ends <= 0.5 * step + _JITTER_SHARE
        and larger <= 0.5 * step + _JITTER_SHARE
    )


def _near_jumps(
    frames: Sequence[Instant], at: Floats, settings: RedactSettings
) -> NDArray[np.bool_]:
    """(n,) instants outside the one stretch of continuous motion of each track that is the
    subject's, and next to a jump.

    The subject's stretch has the most of the subject's faces; without any, it is by far the
    longest, or there is none. Which tracks are the subject's was judged for each by
    `tasks.people.subject`.
    """
    strange = np.zeros(len(frames), bool)
    for track in {frame.track for frame in frames if frame.subject is not None}:
        rows = np.array(
            [i for i, f in enumerate(frames) if f.subject is not None and f.track == track]
        )
        own = [frames[int(i)] for i in rows]
        chain = np.array(_chain_numbers(own, at[rows]))
        faces = [
            sum(f.face for f, k in zip(own, chain, strict=True) if k == c)
            for c in range(chain.max() + 1)
        ]
        lengths = np.bincount(chain, minlength=len(faces))
        best = max(range(len(faces)), key=lambda c: (faces[c], lengths[c]))
        rival = max((lengths[c] for c in range(len(faces)) if c != best), default=0)
        unsure = not faces[best] and rival > lengths[best] / 2
        strange[rows] = (chain != best) | unsure
    near = np.abs(at[:, None] - at[strange][None]) <= settings.neighbours_s / 2
    return np.asarray(near.any(axis=1))


def _chain_numbers(frames: Sequence[Instant], at: Floats) -> list[int]:
    """A number for each instant: those of one number are one person's boxes, as far as motion
    tells.
    """
    ends: list[int] = []  # the last instant of each chain
    out = []
    for i, frame in enumerate(frames):
        # The latest end that this box can follow; a glitch of a frame or two opens a chain of its
        # own, and is left.
        fitting = [
            (end, c)
            for c, end in enumerate(ends)
            if follows(_subject_box(frames[end]), _subject_box(frame), min(at[i] - at[end], 1.0))
        ]
        number = max(fitting)[1] if fitting else len(ends)
        if not fitting:
            ends.append(i)
        ends[number] = i
        out.append(number)
    return out


def _subject_box(frame: Instant) -> Floats:
    assert frame.subject is not None
    return frame.subject


def _after_vanishing(
    frames: Sequence[Instant], at: Floats, settings: RedactSettings
) -> NDArray[np.bool_]:
    """(n,) instants after somebody at the subject's box was lost, until they may have been seen
    again.

    They are taken to be there as long as the subject stays, and `vanished_s` longer.
    """
    doubt = np.zeros(len(frames), bool)
    subject = _holes_filled([frame.subject for frame in frames])
    around: list[_Other] = []
    for i, frame in enumerate(frames):
        own = subject[i]
        seen_again = _seen_now(around, frame.others, at[i])
        lost = [
            o
            for k, o in enumerate(around)
            if k not in seen_again and _still_there(o, own, at[i], settings)
        ]
        doubt[i] = any(o.subject is not None for o in lost)
        around = lost + [
            _Other(b, at[i], own if own is not None and _may_cover(b, own) else None)
            for b in frame.others
        ]
    return doubt


def _seen_now(around: Sequence[_Other], boxes: Floats, now: float) -> set[int]:
    """Who of those around is seen now: one box a person, the nearest pairs first, so that no
    passer-by stands in.
    """
    people: set[int] = set()
    if not around or not len(boxes):
        return people
    away = _middles_apart(np.array([o.box for o in around]), boxes)
    reach = np.array([_HEIGHTS_PER_S * min(now - o.seen, 1.0) + _TURN_SHARE for o in around])
    taken: set[int] = set()
    rows, columns = np.nonzero(away <= reach[:, None])
    for i in np.argsort(away[rows, columns], kind="stable"):
        k = int(rows[i])
        j = int(columns[i])
        if k not in people and j not in taken:
            people.add(k)
            taken.add(j)
    return people


def _still_there(other: _Other, own: Floats | None, now: float, settings: RedactSettings) -> bool:
    """Whether somebody lost may still be where they were: not for long, but as long as the subject
    stays beside them.
    """
    stayed = other.subject is not None and own is not None and follows(other.subject, own, 0.0)
    return stayed or now - other.seen <= settings.vanished_s


def _holes_filled(boxes: Sequence[Floats | None]) -> list[Floats | None]:
    """Boxes with the holes filled by the one before, at the beginning by the one after: nobody is
    nowhere meanwhile.
    """
    out = list(boxes)
    for order in (range(1, len(out)), range(len(out) - 2, -1, -1)):
        for i in order:
            if out[i] is None:
                out[i] = out[i - 1] if order.step > 0 else out[i + 1]
    return out


def _may_cover(other: Floats, subject: Floats) -> bool:
    """Whether somebody stands so that they may cover the subject, or be covered: the boxes share
    columns and rows.
    """
    wide = min(other[2], subject[2]) - max(other[0], subject[0])
    high = min(other[3], subject[3]) - max(other[1], subject[1])
    return bool(
        wide > _SHARED_COLUMNS * min(other[2] - other[0], subject[2] - subject[0]) and high > 0
    )


def _middles_apart(a: Floats, b: Floats) -> Floats:
    """(n, m) distances of boxes' middles in the larger one's heights, along the axis on which it is
    larger.
    """
    height = np.maximum((a[:, 3] - a[:, 1])[:, None], (b[:, 3] - b[:, 1])[None]).clip(1.0)
    middles = [(x[:, :2] + x[:, 2:]) / 2 for x in (a, b)]
    return np.asarray(np.abs(middles[0][:, None] - middles[1][None]).max(-1) / height)
