"""Whether what is called the subject's box is still the subject: where it may have become somebody else, nobody is shown.

Inside the subject's outline only a track or a detection tells a bystander apart, and somebody who covers the subject takes
over both. Three things give that away, none of them by looks: the box jumps or changes its size faster than anybody walks;
somebody who stood at the box vanishes without having walked off; the shape that differs from the empty scene is larger than
the box (`tasks.redact.stranger_beside`). All are judged with what came before and what comes after.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tasks.redact import RedactSettings

Floats = NDArray[np.floating]
# A brisk walk is 2.5 m/s (the policies' limit) for a body of 1.7 m: heights a second.
_HEIGHTS_PER_S = 1.5
# Jitter of a box's edges as a share of its height. Twice the spread that tasks.locate measured (5 %).
_JITTER = 0.1
# Half of a body's breadth, in heights: how far a box moves when its person turns or stretches an arm.
_TURN = 0.15


class Seen(NamedTuple):
    """One instant before anything is spread in time: the subject's box (4,) or None, sure boxes (n, 4) of others, and
    whether the face in the subject's box was compared and proposed as the subject's then.
    """

    subject: Floats | None
    others: Floats
    face: bool = False


def certain(frames: Sequence[Seen], times: Sequence[datetime], settings: RedactSettings) -> list[bool]:
    """(n,) whether the subject's box is surely the subject in each frame; False where there is none."""
    at = np.array([t.timestamp() for t in times])
    doubt = _jumps(frames, at, settings)
    doubt |= _vanished(frames, at, settings)
    doubt |= _vanished(frames[::-1], -at[::-1], settings)[::-1]
    return [frame.subject is not None and not doubted for frame, doubted in zip(frames, doubt, strict=True)]


def follows(before: Floats, after: Floats, apart_s: float) -> bool:
    """Whether a box (4,) can be the same person's as another `apart_s` seconds earlier.

    Foot, head and middle may move as fast as people walk, and the height change as perspective does then; both with the
    box's jitter on top.
    """
    height = min(before[3] - before[1], after[3] - after[1])
    if height <= 0:
        return False
    step = _HEIGHTS_PER_S * apart_s
    aside = abs((after[0] + after[2]) - (before[0] + before[2])) / 2 / height
    ends = np.abs(after[[1, 3]] - before[[1, 3]]).max() / height
    larger = abs(np.log((after[3] - after[1]) / (before[3] - before[1])))
    # Towards the camera a body's height in the picture grows by the way walked over the distance, which is seldom less
    # than two heights; sideways it does not grow.
    return bool(aside <= step + _TURN and ends <= 0.5 * step + _JITTER and larger <= 0.5 * step + _JITTER)


def _jumps(frames: Sequence[Seen], at: Floats, settings: RedactSettings) -> NDArray[np.bool_]:
    """(n,) frames outside the one stretch of continuous motion that is the subject's, and those next to a jump.

    The subject's stretch has the most of the subject's faces; without any, it is by far the longest, or there is none.
    """
    chain = np.array(_chains(frames, at))
    faces = [sum(frames[int(i)].face for i in np.flatnonzero(chain == c)) for c in range(chain.max(initial=-1) + 1)]
    lengths = np.bincount(chain[chain >= 0], minlength=len(faces))
    if not len(lengths):
        return np.zeros(len(frames), bool)
    best = max(range(len(faces)), key=lambda c: (faces[c], lengths[c]))
    rival = max((lengths[c] for c in range(len(faces)) if c != best), default=0)
    if not faces[best] and rival > lengths[best] / 2:
        return np.ones(len(frames), bool)
    strange = (chain >= 0) & (chain != best)
    near = np.abs(at[:, None] - at[strange][None]) <= settings.neighbours_s / 2
    return near.any(axis=1)


def _chains(frames: Sequence[Seen], at: Floats) -> list[int]:
    """A number for each frame: frames of one number are one person's boxes, as far as motion tells; -1 without a box."""
    ends: list[int] = []  # the last frame of each chain
    out = []
    for i, frame in enumerate(frames):
        box = frame.subject
        if box is None:
            out.append(-1)
            continue
        # The latest end that this box can follow; a glitch of a frame or two opens a chain of its own, and is left.
        fitting = [
            (ends[c], c) for c in range(len(ends)) if follows(_box(frames[ends[c]]), box, min(at[i] - at[ends[c]], 1.0))
        ]
        number = max(fitting)[1] if fitting else len(ends)
        if not fitting:
            ends.append(i)
        ends[number] = i
        out.append(number)
    return out


def _box(frame: Seen) -> Floats:
    assert frame.subject is not None
    return frame.subject


def _vanished(frames: Sequence[Seen], at: Floats, settings: RedactSettings) -> NDArray[np.bool_]:
    """(n,) frames after somebody at the subject's box was lost, until somebody is seen where they may have got to."""
    doubt = np.zeros(len(frames), bool)
    ghosts: list[tuple[Floats, float]] = []
    subject = _filled([frame.subject for frame in frames])
    for i, frame in enumerate(frames):
        ghosts = [
            (box, seen)
            for box, seen in ghosts
            if at[i] - seen <= settings.vanished_s and not any(_reached(box, o, at[i] - seen) for o in frame.others)
        ]
        doubt[i] = bool(ghosts)
        own = subject[i]
        if own is not None:
            ghosts += [(box, at[i]) for box in frame.others if _at(box, own)]
    return doubt


def _filled(boxes: Sequence[Floats | None]) -> list[Floats | None]:
    """Boxes with the holes filled by the one before, at the beginning by the one after: nobody is nowhere meanwhile."""
    out = list(boxes)
    for order in (range(1, len(out)), range(len(out) - 2, -1, -1)):
        for i in order:
            if out[i] is None:
                out[i] = out[i - 1] if order.step > 0 else out[i + 1]
    return out


def _at(other: Floats, subject: Floats) -> bool:
    """Whether somebody stands so that they may cover the subject, or be covered: the boxes share columns and rows."""
    wide = min(other[2], subject[2]) - max(other[0], subject[0])
    high = min(other[3], subject[3]) - max(other[1], subject[1])
    return bool(wide > 0.25 * min(other[2] - other[0], subject[2] - subject[0]) and high > 0)


def _reached(ghost: Floats, other: Floats, apart_s: float) -> bool:
    """Whether a box may be somebody's who was last seen at `ghost`."""
    height = max(ghost[3] - ghost[1], other[3] - other[1], 1.0)
    middles = np.abs((other[:2] + other[2:]) - (ghost[:2] + ghost[2:])) / 2 / height
    return bool(middles.max() <= _HEIGHTS_PER_S * min(apart_s, 1.0) + _TURN)
