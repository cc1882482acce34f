"""The same pictures in each container that recorders write."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.video.frame import PictureType

_OPTIONS = {
    "libx264": {"x264-params": "keyint=100000:scenecut=0:bframes=0"},
    "libx265": {"x265-params": "keyint=100000:scenecut=0:bframes=0:log-level=none:pools=1"},
    "libsvtav1": {"preset": "12", "svtav1-params": "keyint=10:lp=1"},
    "mjpeg": {},
    "mpeg4": {},
    "mpeg2video": {},
}
_DHAV_CODECS = {"libx264": 0x08, "libx265": 0x0C, "mjpeg": 0x03}


def contained(
    kind: str,
    codec: str = "libx264",
    times: Sequence[float] = tuple(i / 5 for i in range(50)),
    *,
    key_s: float = 2.0,
    noise: bool = True,
    start: datetime = datetime(2026, 11, 16, tzinfo=UTC),
) -> bytes:
    """Pictures at `times` (s) in a container by the codec library's name of it, `dhav` (Dahua) or
    `imkh` (Hikvision). Picture i is of the level 40 + i, with noise on its right
    that takes more than a pack of a program stream, so that each has a time there.
    """
    if kind == "dhav":
        return dhav(list(_packets(codec, times, key_s)), codec, times, start)
    if kind == "imkh":  # Hikvision: a header of 40 bytes before a program stream
        return b"IMKH" + bytes(36) + contained("vob", codec, times, key_s=key_s)
    out = io.BytesIO()
    with av.open(out, "w", format=kind) as container:
        stream: Any = container.add_stream(codec, rate=25 if codec == "mpeg2video" else 5)
        _set(stream, codec)
        for picture in _pictures(times, key_s, codec, noise=noise):
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return out.getvalue()


def dhav(packets: Sequence[Any], codec: str, times: Sequence[float], start: datetime) -> bytes:
    """Packets as a Dahua recorder writes them (libavformat's dhav.c reads them): a frame has a
    header of 24 bytes with the second of its local time and milliseconds, notes on its size and
    codec, its bytes and a trailer.
    """
    out = b""
    for number, (packet, at_s) in enumerate(zip(packets, times, strict=True)):
        at = start + timedelta(seconds=at_s)
        date = at.second | at.minute << 6 | at.hour << 12 | at.day << 17 | at.month << 22
        date |= (at.year - 2000) << 26
        notes = struct.pack("<BBBB", 0x81, 0, _DHAV_CODECS[codec], 5)
        notes += struct.pack("<BBBBHH", 0x82, 0, 0, 0, 128, 96)
        body = bytes(packet)
        length = 24 + len(notes) + len(body) + 8
        kind = 0xFD if packet.is_keyframe else 0xFC
        milliseconds = round(at_s * 1000) & 0xFFFF
        head = struct.pack("<4sBBBBIII", b"DHAV", kind, 0, 0, 0, number, length, date)
        head += struct.pack("<HBB", milliseconds, len(notes), 0)
        out += head + notes + body + b"dhav" + struct.pack("<I", length)
    return out


def _packets(codec: str, times: Sequence[float], key_s: float) -> Iterator[Any]:
    encoder: Any = av.CodecContext.create(codec, "w")
    _set(encoder, codec)
    encoder.time_base = Fraction(1, 1000)
    encoder.framerate = Fraction(5)
    for picture in [*_pictures(times, key_s, codec), None]:
        yield from encoder.encode(picture)


def _set(encoder: Any, codec: str) -> None:
    encoder.width, encoder.height = 128, 96
    encoder.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    encoder.options = _OPTIONS[codec]


def _pictures(
    times: Sequence[float], key_s: float, codec: str, *, noise: bool = True
) -> Iterator[Any]:
    last_key = -1e9
    random = np.random.default_rng(0)
    for i, at in enumerate(times):
        image = np.full((96, 128, 3), 40 + i, np.uint8)
        if noise:
            image[:, 32:] = random.integers(0, 255, (96, 96, 3), np.uint8)
        picture = av.VideoFrame.from_ndarray(image, format="bgr24")
        if codec == "mjpeg":
            picture = picture.reformat(format="yuvj420p")
        picture.pts = round(at * 1000)
        picture.time_base = Fraction(1, 1000)
        is_key = at - last_key >= key_s - 1e-6
        picture.pict_type = PictureType.I if is_key else PictureType.NONE
        last_key = at if is_key else last_key
        yield picture
