"""Who is where in the frames that are written: the subject's box, and everybody that must be
hidden.

Tracks are not enough to hide people by: what the tracker missed would be shown. So an independent
pass of the person and face detectors, at a low threshold, looks at the very frames that are
written, and each finding also covers its neighbours in time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from supervision import box_iou_batch

from tasks.footage.reading import Frame
from tasks.redaction.background import Image
from tasks.redaction.redact import Boxes, Detectors, Found, RedactSettings
from tasks.redaction.still_subject import Instant, certain
from tasks.redaction.switched_tracks import STRAYED

NONE: Boxes = np.zeros((0, 4))
# One track is one person: a hole of this long is drawn through, and hides too much rather than too
# little. Chosen, well above the 2 s after which a track ends (`TrackSettings.lost_s`).
_BRIDGE_S = 10.0
# How far around a clip tracks are looked at for who came and who left. Chosen: longer than
# the longest meeting of the demo (75 s, demo/truth/README.md).
_CONTEXT_S = 120.0
# A piece of the subject lies in the subject's box up to a tenth (the box's jitter), and its top is
# at the subject's within a fifth of the width aside and a quarter down: less than a head away.
# Chosen.
_INSIDE_SHARE = 0.9
_HEAD_ASIDE = 0.2
_HEAD_DOWN = 0.25
# The subject's own face is within a third of the box's width of where the head is. Chosen: a second
# head does not fit in between.
_FACE_OFF = 0.35
# Faces are looked for so far beside the box, in widths, so that none is cut at its edge. Chosen.
_CROP_EDGE = 0.2
# Frames looked at together: bounds memory (a 1080p frame is 6 MB).
_BATCH = 8


class FramePeople(NamedTuple):
    """Who is where in one frame: boxes (n, 4) px of the subject (0 or 1) and of everybody else."""

    subject: Boxes
    others: Boxes


def locate(
    taken: Sequence[Frame],
    tracks: pd.DataFrame,
    subject_tracks: Iterable[int],
    detectors: Detectors,
    settings: RedactSettings,
) -> list[FramePeople]:
    """Who is where in each frame: tracks and fresh detections together, others' boxes grown in
    time.

    The subject's box counts only where a track row was detected (not interpolated) or a fresh
    detection confirms it, and where it is certain that it has not become somebody else's
    (`tasks.redaction.still_subject`), judged with what the tracks say of the time around the frames
    too.
    """
    if not taken:
        return []
    times = [f.t_utc for f in taken]
    before, after = _times_around(times, tracks, list(subject_tracks), settings)
    tracked = _tracked_frames([*before, *times, *after], tracks, list(subject_tracks), settings)
    clip = slice(len(before), len(before) + len(times))
    people = _batched([f.image for f in taken], detectors.people)
    own = []
    for frame, known, found in zip(taken, tracked[clip], people, strict=True):
        own.append(
            _merged_frame(known, found, _faces_at(frame.image, known.subject, detectors), settings)
        )
    context = [_instant_of(known) for known in tracked]
    # A fresh detection may confirm what the track only interpolates.
    context[clip] = [
        Instant(p.subject[0] if len(p.subject) else None, k.others, k.track, k.face)
        for p, k in zip(own, tracked[clip], strict=True)
    ]
    sure = certain(context, [*before, *times, *after], settings)[clip]
    own = [p if yes else p._replace(subject=NONE) for p, yes in zip(own, sure, strict=True)]
    return _spread_in_time(own, times, settings)


class _Known(NamedTuple):
    """What the tracks say of an instant: the subject's box and score (5,), everybody else (n, 4),
    the subject's track, whether its face was proposed then, and the boxes (m, 4) of subject's
    tracks that strayed to somebody else.
    """

    subject: NDArray[np.floating] | None
    others: Boxes
    track: int
    face: bool
    strayed: Boxes


def _times_around(
    times: Sequence[datetime],
    tracks: pd.DataFrame,
    subject_ids: list[int],
    settings: RedactSettings,
) -> tuple[list[datetime], list[datetime]]:
    """Instants before and after, at the clip's rate, in which somebody may have come to the subject
    or have left.
    """
    own = tracks.loc[tracks["track_id"].isin(subject_ids), "t_utc"]
    spare = timedelta(seconds=settings.vanished_s)
    first, last = (own.min() - spare, own.max() + spare) if len(own) else (times[0], times[-1])
    counts = [
        max(0.0, min(_CONTEXT_S, s.total_seconds())) for s in (times[0] - first, last - times[-1])
    ]
    before, after = (round(s * settings.clip_fps) for s in counts)
    step = timedelta(seconds=1 / settings.clip_fps)
    return [times[0] - step * i for i in range(before, 0, -1)], [
        times[-1] + step * (i + 1) for i in range(after)
    ]


def _tracked_frames(
    times: Sequence[datetime],
    tracks: pd.DataFrame,
    subject_ids: list[int],
    settings: RedactSettings,
) -> list[_Known]:
    """What the tracks say at each time."""
    reach = timedelta(seconds=_BRIDGE_S)
    near = tracks[(tracks["t_utc"] >= times[0] - reach) & (tracks["t_utc"] <= times[-1] + reach)]
    by_track = {
        int(g["track_id"].iloc[0]): box_at(g, times, settings) for _, g in near.groupby("track_id")
    }
    faces = near[near["subject_p"].notna()]
    proposed = {
        k: np.array([t.timestamp() for t in faces.loc[faces["track_id"] == k, "t_utc"]])
        for k in subject_ids
    }
    out = []
    for i, time in enumerate(times):
        rows = [(k, r) for k in subject_ids if k in by_track and (r := by_track[k][i]) is not None]
        now = {
            k: r[:4]
            for k, b in by_track.items()
            if k not in subject_ids and (r := b[i]) is not None
        }
        others = [r for k, r in now.items() if k > STRAYED]
        # The subject is in one place: a second track of "the subject" elsewhere is somebody else.
        own = _stacked_boxes([r[:4] for _, r in rows])
        others += list(own[1:][box_iou_batch(own[1:], own[:1]).ravel() < settings.match_iou])
        track, box = rows[0] if rows else (0, None)
        face = bool(
            rows and (np.abs(proposed[track] - time.timestamp()) <= 0.5 / settings.clip_fps).any()
        )
        # A strayed stretch is hidden, but it is not a third person who comes out of the subject and
        # vanishes in them.
        out.append(
            _Known(
                box,
                _stacked_boxes(others),
                track,
                face,
                _stacked_boxes([r for k, r in now.items() if k < STRAYED]),
            )
        )
    return out


def _instant_of(known: _Known) -> Instant:
    own = known.subject if known.subject is not None and known.subject[4] > 0 else None
    return Instant(None if own is None else own[:4], known.others, known.track, known.face)


def _stacked_boxes(boxes: Sequence[NDArray[np.floating]]) -> Boxes:
    return np.array(list(boxes), float).reshape(-1, 4)


def _merged_frame(
    known: _Known, people: Found, faces: Found, settings: RedactSettings
) -> FramePeople:
    """One frame: fresh detections that are not the subject join the others; an unconfirmed subject
    is dropped.
    """
    subject = known.subject
    others = [*known.others, *known.strayed]
    boxes, scores = people
    keep = scores >= settings.person_score
    boxes = boxes[keep]
    scores = scores[keep]
    mine = -1
    if subject is not None and len(boxes):
        overlap = box_iou_batch(subject[None, :4], boxes)[0]
        mine = int(overlap.argmax()) if overlap.max() >= settings.match_iou else -1
    if subject is not None and mine < 0 and subject[4] <= 0:
        subject = None
    for i, box in enumerate(boxes):
        if subject is None or (i != mine and not _is_part(box, scores[i], subject, settings)):
            others.append(box)
    own_face = _own_face(subject, *faces)
    others.extend(
        f for i, f in enumerate(faces[0]) if faces[1][i] >= settings.face_score and i != own_face
    )
    shown = NONE if subject is None else subject[None, :4]
    return FramePeople(shown, _stacked_boxes(others))


def _is_part(
    box: NDArray[np.floating], score: float, subject: NDArray[np.floating], settings: RedactSettings
) -> bool:
    """Whether an unsure detection is a piece of the subject: inside the box, with the subject's own
    head or with none.

    Detectors answer at low scores also to a person's upper or lower half. A piece whose top middle
    is the subject's head holds no other visible head; any other unsure piece is somebody.
    """
    if score >= settings.sure_score or _share_inside(box, subject) < _INSIDE_SHARE:
        return False
    width = subject[2] - subject[0]
    head_off_x = abs((box[0] + box[2]) - (subject[0] + subject[2])) / 2
    head_off_y = abs(box[1] - subject[1])
    return bool(head_off_x <= _HEAD_ASIDE * width and head_off_y <= _HEAD_DOWN * width)


def _own_face(
    subject: NDArray[np.floating] | None, boxes: Boxes, scores: NDArray[np.floating]
) -> int:
    """Index of the one face that is the subject's: nearest to where the head is in the box; -1
    where none fits.
    """
    if subject is None or not len(boxes):
        return -1
    x0, y0, x1, y1 = subject[:4]
    head = np.array([(x0 + x1) / 2, y0 + 0.5 * min(0.3 * (y1 - y0), 0.9 * (x1 - x0))])
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    off = np.abs(centre - head).max(axis=1)
    nearest = int(off.argmin())
    return nearest if off[nearest] <= _FACE_OFF * (x1 - x0) else -1


def box_at(
    rows: pd.DataFrame, times: Sequence[datetime], settings: RedactSettings
) -> list[NDArray[np.floating] | None]:
    """A track's box and score (5,) at each time, linear between rows; held `neighbours_s` past its
    ends.

    The score is that of the nearest row, 0 where that row was interpolated or is not close in time.
    """
    rows = rows.sort_values("t_utc")
    at = np.array([t.timestamp() for t in rows["t_utc"]])
    boxes = rows[["x0", "y0", "x1", "y1"]].to_numpy(float)
    t = np.array([time.timestamp() for time in times])
    after = np.searchsorted(at, t)
    low = np.maximum(after - 1, 0)
    high = np.minimum(after, len(at) - 1)
    nearest = np.where(np.abs(at[low] - t) <= np.abs(at[high] - t), low, high)
    near = np.abs(at[nearest] - t)
    inside = (after > 0) & (after < len(at)) & (at[high] - at[low] <= _BRIDGE_S)
    held = inside | (near <= settings.neighbours_s)
    score = np.where(near <= 0.5 / settings.clip_fps, rows["score"].to_numpy(float)[nearest], 0.0)
    drawn = np.column_stack([*(np.interp(t, at, boxes[:, i]) for i in range(4)), score])
    return [row if kept else None for row, kept in zip(drawn, held, strict=True)]


def _spread_in_time(
    own: list[FramePeople], times: Sequence[datetime], settings: RedactSettings
) -> list[FramePeople]:
    """Each frame also hides who was found within `neighbours_s` of it."""
    reach = timedelta(seconds=settings.neighbours_s)
    return [
        FramePeople(
            p.subject,
            np.vstack([q.others for q, s in zip(own, times, strict=True) if abs(s - t) <= reach]),
        )
        for p, t in zip(own, times, strict=True)
    ]


def everybody(
    images: Sequence[Image], detectors: Detectors, settings: RedactSettings
) -> list[Boxes]:
    """All boxes of people and faces in each image."""
    people = _batched(images, detectors.people)
    faces = (
        _batched(images, detectors.faces)
        if detectors.faces
        else [(NONE, np.zeros(0))] * len(images)
    )
    return [
        np.vstack([p[0][p[1] >= settings.person_score], f[0][f[1] >= settings.face_score]])
        for p, f in zip(people, faces, strict=True)
    ]


def _batched(
    images: Sequence[Image], find: Callable[[Sequence[Image]], list[Found]]
) -> list[Found]:
    return [
        f for start in range(0, len(images), _BATCH) for f in find(images[start : start + _BATCH])
    ]


def _faces_at(image: Image, subject: NDArray[np.floating] | None, detectors: Detectors) -> Found:
    """Faces in and around the subject's box, in px of the image: only there is anything but the
    empty scene shown.
    """
    if subject is None or detectors.faces is None:
        return NONE, np.zeros(0)
    x0, y0, x1, y1 = subject[:4]
    edge = _CROP_EDGE * (x1 - x0)
    left = max(0, int(x0 - edge))
    top = max(0, int(y0 - edge))
    crop = image[top : max(top, int(y1)), left : max(left, int(x1 + edge))]
    if min(crop.shape[:2]) < 2:
        return NONE, np.zeros(0)
    boxes, scores = detectors.faces([crop])[0]
    return boxes + np.array([left, top, left, top]), scores


def _share_inside(box: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Share of a box's area that lies in another."""
    wide = min(box[2], other[2]) - max(box[0], other[0])
    high = min(box[3], other[3]) - max(box[1], other[1])
    return float(max(wide, 0) * max(high, 0) / ((box[2] - box[0]) * (box[3] - box[1]) + 1e-9))
