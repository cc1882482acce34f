"""Video: exact times, honest faults, clips without metadata."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from data_contracts.errors import BadInput, VideoUnreadable
from tasks.footage.reading import frames, key_frames
from tasks.footage.video import probe, write_clip

DEMO = Path(__file__).parents[3] / "demo" / "footage"
SEGMENT = DEMO / "entrance" / "2026-11-16" / "00" / "00.00.mp4"
START = datetime(2026, 11, 16, tzinfo=UTC)


def picture(number, height=48, width=64):
    """A flat grey picture whose level tells its number."""
    return np.full((height, width, 3), 20 + 10 * number, np.uint8)


def test_times_are_start_plus_presentation_time():
    """Frames of a segment carry its start plus their PTS, to the microsecond, and all of them
    come.
    """
    found = list(frames(SEGMENT.read_bytes(), START))
    assert [f.t_utc for f in found] == [START + timedelta(seconds=i / 5) for i in range(150)]
    assert found[0].image.shape == (720, 1280, 3)


def test_key_frames_are_a_subset():
    """Key frames have the times that full decoding gives, every two seconds here."""
    found = [f.t_utc for f in key_frames(SEGMENT.read_bytes(), START)]
    assert found == [START + timedelta(seconds=2 * i) for i in range(15)]


@pytest.mark.parametrize(
    ("rate", "stride"), [(5, 1), (7, 1), (10, 2), (12, 2), (25, 5), (30, 6), (2, 1)]
)
def test_sampling_keeps_at_least_the_target(rate, stride):
    """The largest stride that still gives five frames a second is taken; slow footage is kept
    whole.
    """
    clip = write_clip([picture(i % 20) for i in range(3 * stride + 1)], rate)
    found = list(frames(clip, START, 5.0))
    assert [round((f.t_utc - START).total_seconds() * rate) for f in found] == [
        0,
        stride,
        2 * stride,
        3 * stride,
    ]


def test_clip_round_trip():
    """A clip holds the pictures in order at its rate; odd sizes are padded to even ones."""
    clip = write_clip([picture(i, 47, 63) for i in range(5)], 5)
    found = list(frames(clip, START))
    assert [abs(int(f.image[20, 20, 1]) - (20 + 10 * i)) <= 4 for i, f in enumerate(found)] == [
        True
    ] * 5
    info = probe(clip)
    assert (info.rate, info.width, info.height) == (5, 64, 48)


def test_clip_has_no_metadata():
    """Neither the encoder's name nor a time of making is written."""
    clip = write_clip([picture(0)], 5)
    assert b"Lavf" not in clip
    assert b"Lavc" not in clip
    assert b"creation_time" not in clip


@pytest.mark.parametrize("images", [[], [picture(0), picture(0, 24)]])
def test_clip_refuses_nothing_and_unequal_pictures(images):
    """No pictures, or pictures of two sizes, are the caller's mistake."""
    with pytest.raises(BadInput):
        write_clip(images, 5)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a video" * 50,
        b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        SEGMENT.read_bytes()[:5000],
    ],
)
def test_what_is_no_mp4_is_unreadable(data):
    """Garbage, playlists that point to other files and cut-off headers raise VideoUnreadable, never
    another error.
    """
    for read in (frames, key_frames):
        with pytest.raises(VideoUnreadable):
            list(read(data, START))
    with pytest.raises(VideoUnreadable):
        probe(data)


def test_damage_in_the_middle_keeps_the_rest():
    """Frames before and after a damaged stretch come out; then the damage is reported."""
    data = bytearray(SEGMENT.read_bytes())
    data[100_000:130_000] = bytes(30_000)
    found = []
    with pytest.raises(VideoUnreadable, match="damaged"):
        found.extend(frames(bytes(data), START))
    assert 75 < len(found) < 150
