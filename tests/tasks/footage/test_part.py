"""Of a long file only what is wanted is read and decoded, and the answer is the whole file's."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from containers import contained

from data_contracts.camera import Camera
from data_contracts.errors import FootageChanged
from data_contracts.time import Interval
from tasks.footage import video
from tasks.footage.reading import Reading
from tasks.footage.segment import SegmentInput, SegmentReport
from tasks.footage.video import Source

START = datetime(2026, 11, 16, tzinfo=UTC)
CAMERA = Camera(camera_id="a", image_width=128, image_height=96)
TIMES = [i / 5 for i in range(200)]
# 40 s at 5 pictures a second, a key frame every 2 s: with an index, and without.
SOUGHT = [("mp4", "libx264"), ("mp4", "libx265"), ("matroska", "libx264")]
READ_WHOLE = [
    ("mpegts", "libx264"),
    ("mpegts", "libx265"),
    ("imkh", "libx264"),
    ("avi", "libx264"),
    ("asf", "libx264"),
    ("dhav", "libx265"),
]


class File(io.BytesIO):
    """Counts the bytes that are read."""

    read_bytes = 0

    def read(self, size: int | None = -1) -> bytes:
        """Read on."""
        part = super().read(size)
        self.read_bytes += len(part)
        return part


def span(start_s: float, end_s: float) -> Interval:
    """A stretch of time by seconds of the file."""
    return Interval(START + timedelta(seconds=start_s), START + timedelta(seconds=end_s))


def report(data: Source, part: Interval | None, asked: Interval, hz: float | None) -> list[Any]:
    """When pictures were looked at, and what is told of a stretch."""
    segment = SegmentInput(CAMERA, "k", START, data, "e", part)
    made = SegmentReport(segment, asked, hz)
    times = [frame.t_utc for frame in made.pictures()]
    rows = made.table()[["start_utc", "end_utc", "n_frames", "kind"]]
    return [times, rows.to_dict("records")]


@pytest.mark.parametrize(("kind", "codec"), SOUGHT + READ_WHOLE)
@pytest.mark.parametrize("hz", [None, 5.0])
def test_a_part_is_what_the_whole_file_says(kind: str, codec: str, hz: float | None) -> None:
    """Pictures, what was seen, and the end of the file: alike, whether the part was sought or the
    whole file was read for it.
    """
    data = contained(kind, codec, TIMES)
    for asked in (span(0, 4), span(27.3, 33.1), span(35, 60)):
        reading = Reading(io.BytesIO(data), START, hz, asked)
        assert list(reading)
        assert (reading.contents.sought is not None) == ((kind, codec) in SOUGHT)
        assert report(io.BytesIO(data), asked, asked, hz) == report(data, None, asked, hz)


@pytest.mark.parametrize(("kind", "codec"), SOUGHT)
def test_only_the_part_is_read(kind: str, codec: str) -> None:
    """Four of forty seconds cost a fifth of the bytes or less: the key frame before, the file's
    first pictures and its index are part of them.
    """
    data = contained(kind, codec, TIMES)
    file = File(data)
    list(Reading(file, START, 5.0, span(30, 34)))
    once = file.read_bytes / 3  # packets first, then pictures; the header each time
    assert once < len(data) / 5


@pytest.mark.parametrize("hz", [None, 5.0])
def test_a_file_that_is_replaced_while_it_is_read(hz: float | None) -> None:
    """What the file raises comes through the codec library, which would take it for the end."""
    data = contained("mp4", times=TIMES)

    class Replaced(File):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() > len(data) // 2:
                raise FootageChanged("another lies there")
            return super().read(size)

    with pytest.raises(FootageChanged):
        list(Reading(Replaced(data), START, hz))
    with pytest.raises(FootageChanged):
        list(Reading(Replaced(data), START, hz, span(25, 35)))


def test_a_part_beyond_the_end_is_told() -> None:
    """A file whose header says more than it has: the missing part is a gap of its own, at its
    place.
    """
    data = contained("matroska", "mjpeg", TIMES)
    cut = data[: len(data) // 2]
    asked = span(28, 36)
    [times, rows] = report(cut, asked, asked, 5.0)
    assert times == []
    assert [(r["start_utc"], r["end_utc"], r["kind"]) for r in rows] == [(*asked, "unreadable")]


def test_key_frames_that_are_not_chosen_are_not_decoded() -> None:
    """Where every picture is a key frame those that a scan does not look at cost no decoding, and
    damage in them is told all the same.
    """
    data = contained("mp4", times=TIMES[:50], key_s=0.2)
    decoded = list(video.key_pictures(data, choose=lambda stamp: stamp == 0))
    assert sum(found.picture is not None for found in decoded) == 1
    assert len(decoded) == 50
    looked = Reading(data, START)
    assert [round((f.t_utc - START).total_seconds(), 3) for f in looked] == [0, 2, 4, 6, 8]
    assert len(looked.seen) == 50
    bad = bytearray(data)
    bad[len(data) // 2 : len(data) // 2 + 20_000] = bytes(20_000)
    told = Reading(bytes(bad), START)
    list(told)
    assert told.damaged
