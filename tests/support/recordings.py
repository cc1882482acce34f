"""Recordings made for a test: pictures at given times, and the lies that recorders tell."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.video.frame import PictureType

_UNIT = 90_000
# In pictures made here a key frame is where `key_s` says and nowhere else.
_X264 = "keyint=100000:scenecut=0"


def even(length_s: float, hz: float = 5.0, start_s: float = 0.0) -> list[float]:
    """Times of pictures at one rate."""
    return [start_s + i / hz for i in range(round(length_s * hz))]


def recording(
    times: Sequence[float],
    *,
    size: tuple[int, int] = (64, 48),
    key_s: float = 2.0,
    x264: str = "bframes=0",
    stamps: Sequence[float] | None = None,
    pixel_aspect: Fraction | None = None,
    turned: int = 0,
    cover: bool = False,
    preview: bool = False,
    noise: bool = False,
) -> bytes:
    """An H.264 MP4 of pictures at `times` (s), a key frame every `key_s`. `stamps`: what the file
    says instead; `noise`: pictures that take bytes; `cover`, `preview`: other streams before it.
    Each picture has a bright bar on its left, and grows lighter with its number.
    """
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        front = _cover(container, size) if cover else None
        small: Any = container.add_stream("mjpeg", rate=1) if preview else None
        stream: Any = container.add_stream("libx264", rate=5)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, _UNIT)
        stream.options = {"x264-params": f"{_X264}:{x264}"}
        if pixel_aspect is not None:
            stream.codec_context.sample_aspect_ratio = pixel_aspect
        if turned:
            stream.set_display_rotation(turned)
        if front is not None:
            front.pix_fmt = "yuvj420p"
            image = np.full((2 * size[1], 2 * size[0], 3), 128, np.uint8)
            container.mux(front.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        if small is not None:
            small.width, small.height = size[0] // 2, size[1] // 2
            small.pix_fmt = "yuvj420p"
            image = np.full((size[1] // 2, size[0] // 2, 3), 128, np.uint8)
            for _ in range(3):
                picture = av.VideoFrame.from_ndarray(image, format="bgr24")
                container.mux(small.encode(picture))
        said = dict(zip(map(_ticks, times), map(_ticks, stamps or times), strict=True))
        for number, packet in enumerate(_packets(stream, times, size, key_s, noise)):
            if stamps is not None:  # the order of decoding is the order of the file
                packet.pts = said[packet.pts] + _UNIT
                packet.dts = number
            container.mux(packet)
    return out.getvalue()


def blanked(data: bytes, share: tuple[float, float]) -> bytes:
    """The file with a share of its bytes, from and to, made zeros."""
    start, end = (round(len(data) * x) for x in share)
    return data[:start] + bytes(end - start) + data[end:]


def resized(first: tuple[int, int], then: tuple[int, int], pictures: int = 25) -> bytes:
    """An MP4 whose pictures are of another size from the middle on, as when somebody changes the
    camera's setting while it records.
    """
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream: Any = container.add_stream("libx264", rate=5)
        other: Any = av.CodecContext.create("libx264", "w")
        for encoder, size in ((stream.codec_context, first), (other, then)):
            encoder.width, encoder.height = size
            encoder.pix_fmt = "yuv420p"
            encoder.time_base = Fraction(1, _UNIT)
            encoder.framerate = Fraction(5)
            encoder.options = {"x264-params": f"{_X264}:bframes=0:repeat-headers=1"}
        stream.time_base = Fraction(1, _UNIT)
        middle = pictures / 5
        for encoder, size, start in ((stream, first, 0.0), (other, then, middle)):
            for packet in _packets(encoder, even(middle, start_s=start), size, 2.0, noise=False):
                packet.stream = stream
                packet.time_base = Fraction(1, _UNIT)
                container.mux(packet)
    return out.getvalue()


def beheaded(data: bytes, pictures: int) -> bytes:
    """The file without its first pictures, its stamps and packets as they are."""
    out = io.BytesIO()
    with av.open(io.BytesIO(data)) as source, av.open(out, "w", format="mp4") as container:
        stream = container.add_stream_from_template(source.streams.video[0])
        packets = [packet for packet in source.demux(video=0) if packet.size]
        for packet in packets[pictures:]:
            packet.stream = stream
            container.mux(packet)
    return out.getvalue()


def _ticks(seconds: float) -> int:
    return round(seconds * _UNIT)


def _packets(
    stream: Any, times: Sequence[float], size: tuple[int, int], key_s: float, noise: bool
) -> Iterator[Any]:
    last_key = -1e9
    random = np.random.default_rng(0)
    for i, at in enumerate(times):
        image = np.full((size[1], size[0], 3), 40 + i % 100, np.uint8)
        if noise:
            image = random.integers(0, 255, image.shape, np.uint8)
        image[:, : size[0] // 4] = 230
        picture = av.VideoFrame.from_ndarray(image, format="bgr24")
        picture.pts = _ticks(at)
        picture.time_base = Fraction(1, _UNIT)
        is_key = at - last_key >= key_s - 1e-6
        picture.pict_type = PictureType.I if is_key else PictureType.NONE
        last_key = at if is_key else last_key
        yield from stream.encode(picture)
    yield from stream.encode(None)


def _cover(container: Any, size: tuple[int, int]) -> Any:
    """A stream for a cover picture, larger than the recording."""
    cover = container.add_stream("mjpeg", rate=1)
    cover.width, cover.height = 2 * size[0], 2 * size[1]
    cover.disposition = av.stream.Disposition.attached_pic
    return cover
