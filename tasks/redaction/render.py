"""Redacted clips and stills: decode the time, find who is where, hide everybody but the subject,
encode.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from typing import NamedTuple, TypeVar

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data_contracts.camera import Camera
from data_contracts.errors import VideoUnreadable
from data_contracts.time import Interval
from tasks.footage import reading
from tasks.footage.reading import Frame
from tasks.footage.segment import fitted
from tasks.footage.video import Source, write_clip
from tasks.redaction.background import Background, Image, box_mask, build_background, without
from tasks.redaction.plan import PictureJob
from tasks.redaction.redact import Boxes, Detectors, RedactSettings, grown, levels_to_hide
from tasks.redaction.silhouette import Levels, silhouette
from tasks.redaction.who_is_where import FramePeople, box_at, everybody, locate


class Segment(NamedTuple):
    """A recording that pictures are taken from: its start, its bytes (or the file, of which only
    what is needed is read), and the times that are taken from it where other files of the camera
    overlap it or only parts were followed; all, where none are named.
    """

    start_utc: datetime
    data: Source
    shares: tuple[Interval, ...] = ()

    def has(self, t_utc: datetime) -> bool:
        """Whether the camera's picture of a time is taken from here."""
        return not self.shares or any(s.start_utc <= t_utc < s.end_utc for s in self.shares)

    def within(self, span: Interval) -> bool:
        """Whether any picture of a stretch of time can be taken from here."""
        return not self.shares or any(s.intersect(span) for s in self.shares)


T = TypeVar("T")
# Where a key frame for the empty scene is looked for; recorders write one in 1 to 5 s, and where
# there is none another picture is taken.
_A_KEY_FRAME_S = 4.0


class CameraView(NamedTuple):
    """What there is of one camera: start and bytes of its segments, and rows of TRACKS (other
    cameras' are ignored).
    """

    camera: Camera
    segments: Sequence[Segment]
    tracks: pd.DataFrame


class Judged(NamedTuple):
    """A frame at the camera's calibrated size, who is where in it, and the level of each pixel
    (0: shown).
    """

    frame: Frame
    place: FramePeople
    levels: Levels


def render_picture(
    job: PictureJob,
    view: CameraView,
    background: Background | None,
    detectors: Detectors,
    settings: RedactSettings,
) -> dict[str, bytes]:
    """`{name}.mp4` and `{name}.jpg` of one job; empty where no frame of its time is decodable."""
    return written(job, judged(job, view, background, detectors, settings), settings)


def judged(
    job: PictureJob,
    view: CameraView,
    background: Background | None,
    detectors: Detectors,
    settings: RedactSettings,
) -> list[Judged]:
    """What to hide in each frame of a job's time; see `render_picture`."""
    taken = _frames_between(view, job.start_utc, job.end_utc, settings.clip_fps)
    own = view.tracks[view.tracks["camera_id"] == view.camera.camera_id]
    places = locate(taken, own, job.subject_tracks, detectors, settings)
    return [
        Judged(f, p, levels_to_hide(f.image, p.subject, p.others, background, settings))
        for f, p in zip(taken, places, strict=True)
    ]


def written(
    job: PictureJob, frames: Sequence[Judged], settings: RedactSettings
) -> dict[str, bytes]:
    """The clip and the still of judged frames, by file name; none of no frames."""
    if not frames:
        return {}
    hidden = [silhouette(f.frame.image, f.levels) for f in frames]
    faces_shown = [_face_shown(f.levels, f.place.subject) for f in frames]
    still = _best_frame([f.frame.t_utc for f in frames], faces_shown, job.still_utc)
    return {
        f"{job.name}.mp4": write_clip(hidden, settings.clip_fps),
        f"{job.name}.jpg": _jpeg(hidden[still]),
    }


def background_of(
    view: CameraView, detectors: Detectors, settings: RedactSettings
) -> Background | None:
    """The empty scene from key frames spread over all segments given; None where there are too few.

    Give all that is at hand of the camera, not only the segment of interest: who stands still for
    one segment has left in another. Boxes of the tracks and fresh detections are left out. People
    found in the median itself make their place unreliable.
    """
    taken = _spread_frames(view, settings.background_frames)
    if not taken:
        return None
    pictures = [f.image for f in taken]
    times = [f.t_utc for f in taken]
    own = view.tracks[view.tracks["camera_id"] == view.camera.camera_id]
    tracked = [box_at(rows, times, settings) for _, rows in own.groupby("track_id")]
    found = []
    for i, boxes in enumerate(everybody(pictures, detectors, settings)):
        people = [*boxes, *(row[:4] for track in tracked if (row := track[i]) is not None)]
        found.append(np.array([grown(b, settings) for b in people]).reshape(-1, 4))
    background = build_background(pictures, found)
    if background is None:
        return None
    in_median = everybody([background.image], detectors, settings)[0]
    return without(background, np.array([grown(b, settings) for b in in_median]).reshape(-1, 4))


def _frames_between(
    view: CameraView, start_utc: datetime, end_utc: datetime, fps: float
) -> list[Frame]:
    """Decoded frames of [start, end] as the tracks' boxes see them, about `fps` a second; what a
    damaged segment has.
    """
    out: list[Frame] = []
    span = Interval(start_utc, end_utc + timedelta.resolution)
    for segment in sorted(view.segments, key=lambda segment: segment.start_utc):
        if not segment.within(span):
            continue
        with contextlib.suppress(VideoUnreadable):  # its gap was reported when it was scanned
            for frame in reading.frames(segment.data, segment.start_utc, fps, span):
                if segment.has(frame.t_utc):
                    out.append(_at_size(frame, view.camera))
    return out


def _at_size(frame: Frame, camera: Camera) -> Frame:
    """The frame at the size that the camera's boxes are in. Raises VideoUnreadable."""
    image = fitted(frame.image, camera, frame.pixel_aspect)
    return replace(frame, image=image, pixel_aspect=1.0)


def _spread_frames(view: CameraView, count: int) -> list[Frame]:
    """About `count` key frames at the camera's size, spread evenly over the segments."""
    each = max(1, -(-count // max(1, len(view.segments))))
    out: list[Frame] = []
    for segment in _evenly_spaced(view.segments, count):
        with contextlib.suppress(VideoUnreadable):
            # Shrunk before they are kept: a frame may have 35 million pixels.
            found = _key_frames(segment, each)
            small = (_at_size(frame, view.camera) for frame in found)
            out.extend(_evenly_spaced(_thinned_frames(small, each), each))
    return _evenly_spaced(out, count)


def _key_frames(segment: Segment, count: int) -> Iterator[Frame]:
    """A segment's key frames; of one that is not held whole about `count`, each sought at its
    place.
    """
    if isinstance(segment.data, bytes) or not segment.shares:
        yield from reading.key_frames(segment.data, segment.start_utc)
        return
    seconds = sum(share.seconds for share in segment.shares)
    at_s = 0.0
    for share in segment.shares:
        while at_s < share.seconds:
            start = share.start_utc + timedelta(seconds=at_s)
            span = Interval(start, start + timedelta(seconds=_A_KEY_FRAME_S))
            with contextlib.suppress(VideoUnreadable):
                yield from islice(reading.key_frames(segment.data, segment.start_utc, span), 1)
            at_s += max(seconds / count, _A_KEY_FRAME_S)
        at_s -= share.seconds


def _thinned_frames(frames: Iterator[Frame], count: int) -> list[Frame]:
    """At least `count` (where there are as many) and fewer than twice as many frames, evenly
    spaced, never all at once.

    Of a segment that ends in damage what did decode is kept; its gap was reported when it was
    scanned.
    """
    kept: list[Frame] = []
    stride = 1
    with contextlib.suppress(VideoUnreadable):
        for i, frame in enumerate(frames):
            if i % stride == 0:
                kept.append(frame)
            if len(kept) >= 2 * count:
                kept = kept[::2]
                stride = 2 * stride
    return kept


def _evenly_spaced(items: Sequence[T], count: int) -> list[T]:
    """At most `count` items, evenly spaced."""
    chosen = np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int)
    return [items[i] for i in chosen]


def _face_shown(levels: NDArray[np.uint8], subject: Boxes) -> float:
    """Share of the subject's head that stays visible, -1 where there is no subject.

    The head is taken as the box's top quarter, in its middle three fifths (`redact.outline`).
    """
    if not len(subject):
        return -1.0
    x0, y0, x1, y1 = subject[0]
    head = np.array(
        [x0 + 0.2 * (x1 - x0), y0, x1 - 0.2 * (x1 - x0), y0 + min(0.25 * (y1 - y0), x1 - x0)]
    )
    inside = box_mask(head[None], *levels.shape)
    return float((levels[inside] == 0).mean()) if inside.any() else 0.0


def _best_frame(
    times: Sequence[datetime], faces_shown: Sequence[float], still_utc: datetime
) -> int:
    """Index of the still: of the frames that show about the most of the subject's head, the nearest
    to the moment.
    """
    # Chosen: a tenth less of the head is worth a frame closer to the moment.
    good = [i for i, share in enumerate(faces_shown) if share >= max(faces_shown) - 0.1]
    return min(good, key=lambda i: abs(times[i] - still_utc))


def _jpeg(image: Image) -> bytes:
    # Chosen: at quality 85 a face can be judged by eye. OpenCV writes no metadata.
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 85])
    assert done
    return data.tobytes()
