"""What becomes of one opened segment: its pictures, brought to the size the camera was calibrated
at, and the report on its time.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data_contracts.camera import Camera
from data_contracts.errors import VideoUnreadable
from data_contracts.gap import UNREADABLE_ADVICE
from data_contracts.tables.contracts import SEGMENT_REPORTS
from data_contracts.time import Interval
from tasks.footage.coverage import Stretch
from tasks.footage.reading import Frame, Reading
from tasks.footage.video import Source

# Pictures whose aspect differs by more than this share were cropped or stretched: the homography
# does not hold.
_ASPECT_TOLERANCE = 0.02
_SIZE_ADVICE = (
    "correct image_width and image_height and calibrate the camera anew, or set the recorder back"
)


class SegmentInput(NamedTuple):
    """One recording of a camera: its key in the store, the time of its first frame, its bytes (or
    the file, of which only what is needed is read), the ETag under which they are read, and the
    part to look at; all of it, where none is named.
    """

    camera: Camera
    key: str
    start_utc: datetime
    data: Source
    etag: str = ""
    part: Interval | None = None


class Looked(NamedTuple):
    """A picture that was looked at, or why it could not be."""

    t_utc: datetime
    fault: str = ""


@dataclass
class SegmentReport:
    """Gives a segment's pictures within `span` to be looked at, and tells afterwards what of its
    time was seen.
    """

    segment: SegmentInput
    span: Interval
    at_least_hz: float | None = None
    looked: list[Looked] = field(default_factory=list)
    fault: str = ""

    def __post_init__(self) -> None:
        segment = self.segment
        if segment.part is not None:
            nothing = Interval(segment.part.start_utc, segment.part.start_utc)
            self.span = self.span.intersect(segment.part) or nothing
        part = None if segment.part is None else self.span
        self._reading = Reading(segment.data, segment.start_utc, self.at_least_hz, part)

    def pictures(self) -> Iterator[Frame]:
        """The pictures to look at, at the camera's size: see `Reading`. Raises nothing: faults are
        told by `table`.
        """
        if not self.span.seconds:
            return
        try:
            for frame in self._reading:
                if self.span.start_utc <= frame.t_utc < self.span.end_utc:
                    yield from self._at_size(frame)
        except VideoUnreadable as error:
            self.fault = str(error)

    def _at_size(self, frame: Frame) -> Iterator[Frame]:
        try:
            image = fitted(frame.image, self.segment.camera, frame.pixel_aspect)
        except VideoUnreadable as error:
            self.looked.append(Looked(frame.t_utc, str(error)))
            return
        self.looked.append(Looked(frame.t_utc))
        yield replace(frame, image=image, pixel_aspect=1.0)

    def table(self) -> pd.DataFrame:
        """SEGMENT_REPORTS: the segment's time within `span` as stretches in order; one row of no
        length where nothing of it is within, or nothing is known of its length.
        """
        stretches = self._reading.stretches() or [self._unread()]
        parts = [part for stretch in stretches for part in self._without_misfits(stretch)]
        rows = [self._row(span, part) for span, part in parts if span.start_utc < span.end_utc]
        start = self.span.start_utc if self.segment.part else self.segment.start_utc
        return SEGMENT_REPORTS.shape(rows or [self._row(Interval(start, start), stretches[0])])

    def _unread(self) -> Stretch:
        contents = self._reading.contents
        stated_s = contents.stated_s if contents else 0.0
        if self.segment.part is not None:
            part_s = (self.span.end_utc - self.segment.start_utc).total_seconds()
            stated_s = min(stated_s, part_s) if stated_s else part_s
        return Stretch(0.0, stated_s, "unreadable", self.fault, UNREADABLE_ADVICE)

    def _without_misfits(self, stretch: Stretch) -> list[tuple[Interval, Stretch]]:
        """A stretch within `span`, cut where pictures are not of the camera's size: from such a
        picture to the next one looked at.
        """
        whole = Interval(self._at(stretch.start_s), self._at(stretch.end_s)).intersect(self.span)
        if whole is None:
            return []
        if stretch.kind == "unreadable":
            return [(whole, stretch)]
        turns = [Looked(whole.start_utc, self._fault_at(whole.start_utc))]
        turns += [x for x in self.looked if whole.start_utc < x.t_utc < whole.end_utc]
        out: list[tuple[Interval, Stretch]] = []
        for at, after in pairwise([*turns, Looked(whole.end_utc)]):
            misfit = stretch._replace(kind="unreadable", fault=at.fault, advice=_SIZE_ADVICE)
            part = misfit if at.fault else stretch
            if out and out[-1][1] == part:
                out[-1] = (Interval(out[-1][0].start_utc, after.t_utc), part)
            else:
                out.append((Interval(at.t_utc, after.t_utc), part))
        return out

    def _fault_at(self, t_utc: datetime) -> str:
        """Why the last picture looked at before or at a time could not be; of the first one before
        any.
        """
        if not self.looked:
            return ""
        at = bisect_left(self.looked, t_utc + timedelta.resolution, key=lambda x: x.t_utc)
        return self.looked[max(0, at - 1)].fault

    def _at(self, seconds: float) -> datetime:
        return self.segment.start_utc + timedelta(seconds=seconds)

    def _row(self, span: Interval, part: Stretch) -> dict[str, object]:
        own = [x for x in self.looked if span.start_utc <= x.t_utc < span.end_utc and not x.fault]
        return {
            "key": self.segment.key,
            "etag": self.segment.etag,
            "camera_id": self.segment.camera.camera_id,
            "start_utc": span.start_utc,
            "end_utc": span.end_utc,
            "n_frames": len(own),
            "kind": part.kind or "",
            "fault": part.fault or self._reading.fault,
            "advice": part.advice,
            **self._file(),
        }

    def _file(self) -> dict[str, object]:
        """The whole file, where only a part of it was looked at."""
        if self.segment.part is None:
            return {}
        return {
            "file_start_utc": self.segment.start_utc,
            "file_end_utc": self._at(self._reading.lasts_s),
        }


def fitted(
    image: NDArray[np.uint8], camera: Camera, pixel_aspect: float = 1.0
) -> NDArray[np.uint8]:
    """The picture at the camera's calibrated size: all boxes of a camera are in those pixels. The
    camera may have been calibrated on the picture as it is stored or, where its pixels are not
    square (`pixel_aspect`), as it is shown.

    Raises VideoUnreadable where the aspect differs.
    """
    height, width = image.shape[:2]
    if (width, height) == (camera.image_width, camera.image_height):
        return image
    stored = width / height * camera.image_height / camera.image_width
    if all(abs(aspect - 1) > _ASPECT_TOLERANCE for aspect in (stored, stored * pixel_aspect)):
        raise VideoUnreadable(
            f"expected pictures like {camera.image_width} x {camera.image_height}, for which the "
            "camera was calibrated,"
            f" got {width} x {height}: correct image_width and image_height or the recorder's "
            "setting"
        )
    shrink = camera.image_width < width
    return np.asarray(
        cv2.resize(
            image,
            (camera.image_width, camera.image_height),
            interpolation=cv2.INTER_AREA if shrink else cv2.INTER_LINEAR,
        ),
        np.uint8,
    )
