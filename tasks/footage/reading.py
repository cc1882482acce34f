"""Reading a segment: its pictures in time order, and what of its time was seen.

Frame time is the segment's start plus the frame's presentation time, never an index divided by a
nominal rate; which of a file's stamps are believed is said by `tasks.footage.stamps`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np

from data_contracts.errors import VideoUnreadable
from data_contracts.time import Interval
from tasks.footage import video
from tasks.footage.coverage import LONGEST_STEP_S, Stretch, damaged_pictures, stretches
from tasks.footage.stamps import Stamps, believed

# A segment's key fixes its hour, so no segment is longer than a day.
MAX_SECONDS = 86_400.0
# A scan looks at one picture in 2 s: who walks through a view of 4 m is in one.
_SCAN_HZ = 0.5
# Where key frames are farther apart than this, a scan decodes all pictures.
_SPARSE_S = 6.0
# Stamps are rounded, in some files to 1 ms.
_ROUNDED_S = 0.001
_EVERY_HZ = 1e6


@dataclass(frozen=True)
class Frame:
    """One decoded picture, turned upright. `image` is (height, width, 3), BGR, 8 bits; its pixels
    are `pixel_aspect` times as wide as high.
    """

    t_utc: datetime
    image: np.ndarray
    pixel_aspect: float = 1.0


class Timed(NamedTuple):
    """A decoded picture and its time in seconds from the file's first picture."""

    at_s: float
    picture: video.VideoFrame


class _NotAloneError(Exception):
    """A sound key frame gives no picture by itself, as with intra refresh."""


class _AstrayError(Exception):
    """A part that was sought does not begin where it should."""


def frames(
    data: video.Source,
    start_utc: datetime,
    at_least_hz: float | None = None,
    span: Interval | None = None,
) -> Iterator[Frame]:
    """All frames in time order; with `at_least_hz` so many a second wherever the file has them;
    with a `span` those of it, read as `Reading` does.

    Raises VideoUnreadable after yielding what did decode, when the file is truncated, damaged or no
    video.
    """
    yield from _whole(Reading(data, start_utc, at_least_hz or _EVERY_HZ, span))


def key_frames(
    data: video.Source, start_utc: datetime, span: Interval | None = None
) -> Iterator[Frame]:
    """What a scan looks at: see `Reading`. Raises VideoUnreadable like `frames`."""
    yield from _whole(Reading(data, start_utc, span=span))


def _whole(reading: Reading) -> Iterator[Frame]:
    yield from reading
    if reading.fault:
        raise VideoUnreadable(reading.fault)


@dataclass
class Reading:
    """One pass over a segment: iterate for its pictures, then ask what was seen.

    Without `at_least_hz` it is a scan: key frames are looked at, at most one in 2 s, without
    decoding others or what lies between them; where they are far apart, or cannot be decoded alone,
    all is decoded and one picture in 2 s looked at. Iterating raises VideoUnreadable where nothing
    can be decoded.

    With a `span` only pictures of it are given, and what is read and decoded is what they need:
    where the file has an index, from the key frame before it on, else the whole file is read and as
    much of it decoded. Stamps that contradict each other are judged by the whole file.
    """

    data: video.Source
    start_utc: datetime
    at_least_hz: float | None = None
    span: Interval | None = None
    contents: video.Contents | None = None
    stamps: Stamps = field(default_factory=lambda: Stamps({}, 0.0))
    seen: set[float] = field(default_factory=set)
    damaged: set[float] = field(default_factory=set)
    unplaced: int = 0
    timeless: int = 0

    def __iter__(self) -> Iterator[Frame]:
        last_s = -1.0
        for at_s, picture in _thinned(self._pictures(), self.at_least_hz or _SCAN_HZ):
            if at_s > last_s:  # given before: a scan that began with key frames alone
                last_s = at_s
                if self.span is None or self._part.from_s <= at_s < self._part.until_s:
                    yield self._frame(at_s, picture)
        if not self.seen:
            raise VideoUnreadable(
                "expected a video with pictures, but none could be decoded: check the recorder's "
                "upload"
            )

    def stretches(self) -> list[Stretch]:
        """The file from start to end, or so much of it as was read, as what was seen and what was
        not, in order, in seconds from its first picture.
        """
        stamps = self.stamps
        first = self._wanted.from_key
        if first is not None:  # what lies before was not asked for
            own = {p: at_s for p, at_s in stamps.seconds.items() if at_s >= stamps.seconds[first]}
            stamps = replace(stamps, seconds=own)
        return stretches(stamps, self.seen - self.damaged, self.damaged, self._stated_s)

    @property
    def lasts_s(self) -> float:
        """How long the file is: by its header or, where that is shorter, by its pictures."""
        stated_s = self.contents.stated_s if self.contents else 0.0
        return max([stated_s, *(part.end_s for part in self.stretches()[-1:])])

    @property
    def fault(self) -> str:
        """What went wrong in the file, in words; empty where every picture came."""
        told = [left.fault for left in self.stamps.left]
        if broken := len(self.damaged) + self.unplaced:
            told.insert(0, f"{damaged_pictures(broken)}: check the recorder's upload")
        if self.timeless:
            told.insert(
                0,
                f"{self.timeless} pictures carry no time and were left out: let the recorder write "
                "one for each picture",
            )
        hidden_s = self.contents.hidden_s if self.contents else 0.0
        if hidden_s > 1.0:  # less is a cut between pictures
            told.append(
                f"the file's edit list leaves out {hidden_s:.0f} s of pictures: ask for the file "
                "uncut"
            )
        told += [part.fault for part in self.stretches() if part.kind]
        return told[0] if told else ""

    def _frame(self, at_s: float, picture: video.VideoFrame) -> Frame:
        image, lay = video.upright(picture)
        aspect = self.contents.pixel_aspect if self.contents else 1.0
        at_utc = self.start_utc + timedelta(seconds=at_s)
        return Frame(at_utc, image, 1 / aspect if lay else aspect)

    @property
    def _part(self) -> video.Part:
        """The span in seconds from the first picture."""
        if self.span is None:
            return video.Part(0.0, MAX_SECONDS)
        start, end = self.span
        return video.Part(
            (start - self.start_utc).total_seconds(), (end - self.start_utc).total_seconds()
        )

    def _pictures(self) -> Iterator[Timed]:
        if self.span is not None and self._sought():
            try:
                yield from self._chosen()
                return
            except _AstrayError:
                self._forget()
        self.contents = found = video.contents(self.data)
        self.stamps = believed(found.stamps, found.unit_s, found.start, MAX_SECONDS)
        yield from self._chosen()

    def _sought(self) -> bool:
        """Whether the packets around the span could be found and nothing in them is odd."""
        found = video.contents_of(self.data, self._part)
        if found is None or not found.stamps:
            return False
        head = believed(found.head, found.unit_s, found.start, MAX_SECONDS)
        stamps = believed(found.stamps, found.unit_s, found.start, MAX_SECONDS, found.zero)
        if head.left or stamps.left or head.origin != found.zero:
            return False
        self.contents = found
        self.stamps = stamps
        return True

    def _forget(self) -> None:
        self.seen.clear()
        self.damaged.clear()
        self.unplaced = self.timeless = 0

    def _chosen(self) -> Iterator[Timed]:
        """Key frames where they will do, else all pictures."""
        alone = self.contents is not None and self.contents.alone
        if self.at_least_hz is None and alone and self._keys_apart_s() <= _SPARSE_S:
            try:
                yield from self._keys()
                return
            except _NotAloneError:
                self._forget()
        yield from self._taken(video.all_pictures(self.data, self.contents, self._wanted))

    @property
    def _wanted(self) -> video.Wanted:
        """What must be decoded for the span: where stamps are odd, the whole file."""
        found = self.contents
        if self.span is None or found is None or self.stamps.left:
            return video.Wanted()
        part = self._part
        origin = self.stamps.origin
        keys = [k for k in found.keys if self.stamps.seconds.get(k, MAX_SECONDS) <= part.from_s]
        until = origin + int(min(part.until_s, MAX_SECONDS) / found.unit_s) + 1
        return video.Wanted(max(keys, default=None), until)

    def _keys(self) -> Iterator[Timed]:
        """Key frames. What lies between them is seen too where its packets are whole, from the
        first key frame on.
        """
        seconds = self.stamps.seconds

        def checked() -> Iterator[video.Decoded]:
            from_s: float | None = None
            chosen = _Choice(self._key_times())

            def choose(stamp: int) -> bool:
                return stamp not in seconds or chosen.looks_at(seconds[stamp])

            for found in video.key_pictures(self.data, self.contents, self._wanted, choose):
                at_s = None if found.stamp is None else seconds.get(found.stamp)
                if found.picture is not None or found.damaged or found.timeless:
                    if found.picture is not None and at_s is not None:
                        chosen.given_s = at_s
                    if found.picture is not None and from_s is None:
                        from_s = -1.0 if at_s is None else at_s
                    yield found
                elif found.is_key and at_s is not None:
                    raise _NotAloneError
                elif at_s is not None and from_s is not None and at_s > from_s:
                    self.seen.add(at_s)

        yield from self._taken(checked())

    @property
    def _stated_s(self) -> float:
        """Up to where pictures are expected."""
        if self.contents is None:
            return 0.0
        return min(self.contents.stated_s, self._part.until_s)

    def _key_times(self) -> list[float]:
        seconds = self.stamps.seconds
        keys = self.contents.keys if self.contents else []
        return sorted(seconds[key] for key in keys if key in seconds)

    def _keys_apart_s(self) -> float:
        """The longest time from one key frame to the next, or to the end; holes do not count. Of a
        span without a key frame in it there is nothing else to look at: MAX_SECONDS.
        """
        part = self._part
        keys = self._key_times()
        first = max([k for k in keys if k <= part.from_s], default=0.0)
        keys = [k for k in keys if first <= k < part.until_s]
        times = np.array(sorted(self.stamps.seconds.values()), float)
        times = times[(times >= first) & (times <= part.until_s)]
        if not any(k >= part.from_s for k in keys):
            return MAX_SECONDS
        shown_s = np.concatenate([[0.0], np.cumsum(np.minimum(np.diff(times), LONGEST_STEP_S))])
        at = shown_s[np.searchsorted(times, [*keys, times[-1]])]
        return float(np.diff(at).max())

    @property
    def _first_s(self) -> float:
        """The latest that the first picture can be: where the span begins or the file does."""
        return max(self._part.from_s, self._key_times()[0])

    def _taken(self, decoded: Iterator[video.Decoded]) -> Iterator[Timed]:
        """Pictures whose stamps are believed, each later than the one before. Raises _AstrayError
        where a part that was sought cannot be decoded from its first key frame on.
        """
        last_s = -1.0
        sought = self.contents is not None and self.contents.sought is not None
        for found in decoded:
            at_s = None if found.stamp is None else self.stamps.seconds.get(found.stamp)
            if found.timeless:
                self.timeless += 1
            elif found.picture is None:
                if at_s is not None:
                    self.damaged.add(at_s)
                elif found.stamp is None:
                    self.unplaced += 1
            elif at_s is not None and at_s > last_s:
                if sought and not self.seen and not self.damaged and at_s > self._first_s:
                    raise _AstrayError
                last_s = at_s
                self.seen.add(at_s)
                yield Timed(at_s, found.picture)


class _Choice:
    """Which of many key frames a scan decodes: the fewest that leave no more than 2 s between those
    that could be, as `_thinned` says it of decoded pictures.
    """

    def __init__(self, keys: Sequence[float]) -> None:
        self._keys = keys
        self.given_s = -1e9

    def looks_at(self, at_s: float) -> bool:
        """Whether the next key frame would come too late."""
        after = bisect_right(self._keys, at_s)
        if after < len(self._keys):
            next_s = self._keys[after]
        else:
            next_s = 2 * at_s - self._keys[after - 2] if after > 1 else MAX_SECONDS
        return next_s - self.given_s > 1 / _SCAN_HZ + _ROUNDED_S


def _thinned(pictures: Iterator[Timed], hz: float) -> Iterator[Timed]:
    """Of pictures in time order the fewest that leave no more than 1 / hz between them, where the
    file has such.
    """
    given_s = -1e9
    step_s = 1 / hz
    held: Timed | None = None
    for timed in pictures:
        if held is not None:
            step_s = timed.at_s - held.at_s
        if held is not None and timed.at_s - given_s > 1 / hz + _ROUNDED_S:
            given_s = held.at_s
            yield held
        held = timed
    # The next file goes on from here.
    if held is not None and held.at_s - given_s + step_s > 1 / hz + _ROUNDED_S:
        yield held
