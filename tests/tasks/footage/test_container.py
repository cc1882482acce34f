"""Containers are told by content, and each gives the same pictures at the same times."""

from datetime import UTC, datetime

import pytest
from containers import contained

from data_contracts.errors import VideoUnreadable
from data_contracts.object_key import SEGMENT_SUFFIXES
from tasks.footage.container import CONTAINERS, HEAD_BYTES, recognise
from tasks.footage.reading import Reading, frames, key_frames
from tasks.footage.video import probe

START = datetime(2026, 11, 16, tzinfo=UTC)
# As the codec library, Dahua (dhav) and Hikvision (imkh) write them, and the demuxer that reads it.
FILES = [
    ("mp4", "libx264", "mp4"),
    ("mp4", "libx265", "mp4"),
    ("mp4", "libsvtav1", "mp4"),
    ("mov", "mjpeg", "mov"),
    ("matroska", "libx264", "matroska"),
    ("matroska", "libsvtav1", "matroska"),
    ("mpegts", "libx264", "mpegts"),
    ("mpegts", "libx265", "mpegts"),
    ("vob", "libx264", "mpeg"),
    ("imkh", "libx264", "mpeg"),
    ("imkh", "libx265", "mpeg"),
    ("avi", "libx264", "avi"),
    ("avi", "mjpeg", "avi"),
    ("asf", "libx264", "asf"),
    ("asf", "mjpeg", "asf"),
    ("dhav", "libx264", "dhav"),
    ("dhav", "libx265", "dhav"),
    ("dhav", "mjpeg", "dhav"),
]


def seconds(found):
    """Times from the start, to the millisecond."""
    return [round((frame.t_utc - START).total_seconds(), 3) for frame in found]


@pytest.mark.parametrize(("kind", "codec", "demuxer"), FILES)
def test_each_container_gives_its_pictures_in_time(kind, codec, demuxer):
    """All 50 pictures at 5 a second, each with its own content; a scan finds the key frames."""
    data = contained(kind, codec)
    found = recognise(data[:HEAD_BYTES])
    assert found is not None
    assert found.demuxer == demuxer
    pictures = list(frames(data, START))
    assert seconds(pictures) == [i / 5 for i in range(50)]
    levels = [int(frame.image[24, 8, 1]) for frame in pictures]
    assert all(abs(level - 40 - i) <= 8 for i, level in enumerate(levels))
    assert seconds(key_frames(data, START)) == [0, 2, 4, 6, 8]
    assert abs(probe(data).duration_s - 10) < 0.5


@pytest.mark.parametrize("kind", ["mpegts", "imkh", "dhav", "avi", "asf"])
def test_a_stream_that_is_cut_gives_what_it_has(kind):
    """Where no length is in front, or it is not kept to, a cut file ends earlier, as the next
    file's name tells.
    """
    data = contained(kind)
    reading = Reading(data[: len(data) // 2], START, 1000.0)
    found = seconds(reading)
    assert found == [i / 5 for i in range(len(found))]
    assert 15 < len(found) < 35
    assert abs(reading.stretches()[-1].end_s - len(found) / 5) < 0.5


@pytest.mark.parametrize("kind", ["matroska", "mov"])
def test_a_cut_file_is_told(kind):
    """Where the header says how long the file is, a missing end is a fault."""
    data = contained(kind, "mjpeg")
    with pytest.raises(VideoUnreadable):
        list(frames(data[: len(data) // 2], START))


@pytest.mark.parametrize("ahead", [0, 1, 100, 187])
def test_a_transport_stream_that_was_cut_in_a_packet(ahead):
    """Its packets are found wherever the file begins."""
    data = contained("mpegts")[188 * 40 - ahead :]
    assert recognise(data[:HEAD_BYTES]).demuxer == "mpegts"
    assert recognise(b"G" + bytes(2000)) is None


def test_pictures_without_a_time_are_told():
    """A program stream that says the time of few pictures: those are seen at their time; of the
    others it is told that they have none, not that they are damaged.
    """
    data = contained("vob", noise=False)
    reading = Reading(data, START, 1000.0)
    found = seconds(reading)
    assert 0 < len(found) < 40
    assert set(found) <= {i / 5 for i in range(50)}
    assert "pictures carry no time" in reading.fault
    assert reading.timeless >= 40


def test_other_codecs_are_named():
    """A file in a codec that no camera writes is refused with its name."""
    with pytest.raises(VideoUnreadable, match=r"H\.264, H\.265.*got mpeg2video"):
        probe(contained("matroska", "mpeg2video"))


def test_the_name_of_a_container_is_told_once():
    """Each has an ending of its own, which an object key may have."""
    assert tuple(c.suffix for c in CONTAINERS) == SEGMENT_SUFFIXES
    assert len({c.demuxer for c in CONTAINERS}) == len(CONTAINERS)
