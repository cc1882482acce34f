"""Reading and writing video: the only module that knows the codec library.

Frame time is the segment's start plus the frame's presentation time, never an index divided by a
nominal rate. Segments come from outside and are not trusted: the container is fixed to MP4 (no
playlists, so no file or network access from inside a file), the picture size and the duration are
bounded, and every fault is VideoUnreadable.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction

import av
import numpy as np
from av.container import InputContainer, OutputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from data_contracts.errors import BadInput, VideoUnreadable

# H.264 level 6.2 allows 139,264 macroblocks of 16 x 16 a frame (ITU-T H.264 table A-1); larger is
# no camera's file.
MAX_PIXELS = 139_264 * 256
# A segment's key fixes its hour, so no segment is longer than a day.
MAX_SECONDS = 86_400.0
_FAULTS = (av.error.FFmpegError, ValueError, OverflowError, MemoryError)


@dataclass(frozen=True)
class Frame:
    """One decoded picture. `image` is (height, width, 3), BGR, 8 bits."""

    t_utc: datetime
    image: np.ndarray


@dataclass(frozen=True)
class VideoInfo:
    """What a segment's header says: frames per second, seconds and picture size in pixels."""

    rate: Fraction
    duration_s: float
    width: int
    height: int


def probe(data: bytes) -> VideoInfo:
    """Read a segment's header. Raises VideoUnreadable."""
    with _opened(data) as (container, stream):
        duration = (
            float((stream.duration or 0) * (stream.time_base or 0))
            or (container.duration or 0) / 1e6
        )
        return VideoInfo(
            _rate(stream), duration, stream.codec_context.width, stream.codec_context.height
        )


def sampling_interval(rate: Fraction, target_fps: float) -> float:
    """Seconds between sampled frames: every n-th frame with the largest n that keeps at least
    `target_fps`.

    The whole rate where it is below the target. A tenth of a frame of slack absorbs rounded
    presentation times.
    """
    stride = max(1, int(float(rate) / target_fps + 1e-6))
    return (stride - 0.1) / float(rate)


def frames(data: bytes, start_utc: datetime, min_interval_s: float = 0.0) -> Iterator[Frame]:
    """All frames in time order, no closer than `min_interval_s`.

    Raises VideoUnreadable after yielding what did decode, when the file is truncated, damaged or no
    MP4 video.
    """
    yield from _decode(data, start_utc, min_interval_s, key_only=False)


def key_frames(data: bytes, start_utc: datetime) -> Iterator[Frame]:
    """Key frames only, without decoding the others. Raises VideoUnreadable like `frames`."""
    yield from _decode(data, start_utc, 0.0, key_only=True)


def _decode(
    data: bytes, start_utc: datetime, min_interval_s: float, *, key_only: bool
) -> Iterator[Frame]:
    with _opened(data) as (container, stream):
        if key_only:
            stream.codec_context.skip_frame = "NONKEY"
        origin = stream.start_time or 0
        base = stream.time_base or Fraction(1, 90_000)
        damaged = 0
        last_s = -1.0
        given_s = -1e9
        hidden: list[float] = []
        for picture in _pictures(container, stream, hidden):
            if picture is None or picture.is_corrupt or picture.pts is None:
                damaged += 1
                continue
            at_s = float((picture.pts - origin) * base)
            if not last_s < at_s <= MAX_SECONDS:  # out of order or absurd: a damaged index
                damaged += 1
                continue
            last_s = at_s
            if at_s - given_s < min_interval_s:
                continue
            given_s = at_s
            yield Frame(start_utc + timedelta(seconds=at_s), _image(picture))
        _check_whole(stream, last_s, damaged, key_only, sum(hidden))


def _pictures(
    container: InputContainer, stream: VideoStream, hidden: list[float]
) -> Iterator[VideoFrame | None]:
    """Decoded pictures; None for each packet that would not decode.

    `hidden` gets the seconds of each packet after the start that the file's edit list leaves out.
    """
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except _FAULTS:
            yield None
            return
        if packet.is_discard and (packet.pts or 0) > (stream.start_time or 0):
            hidden.append(float((packet.duration or 0) * (stream.time_base or 0)))
        try:
            decoded = packet.decode()
        except _FAULTS:
            yield None
            continue
        yield from decoded


def _check_whole(
    stream: VideoStream, last_s: float, damaged: int, key_only: bool, hidden_s: float
) -> None:
    """Raise when pictures were damaged or left out, or the file ends before its header says."""
    if last_s < 0:
        raise VideoUnreadable(
            "expected a video with pictures, but none could be decoded: check the recorder's upload"
        )
    if damaged:
        raise VideoUnreadable(
            f"{damaged} damaged pictures were left out: check the recorder's upload"
        )
    if hidden_s > 1.0:  # less is a cut between pictures
        raise VideoUnreadable(
            f"the file's edit list leaves out {hidden_s:.0f} s of pictures: ask for the file uncut"
        )
    stated_s = float((stream.duration or 0) * (stream.time_base or 0))
    missing_s = stated_s - last_s - 1.0 / float(_rate(stream))
    if not key_only and stated_s and missing_s > max(1.0, 2.0 / float(_rate(stream))):
        raise VideoUnreadable(
            f"expected {stated_s:.1f} s, the pictures end {missing_s:.1f} s early: the file is "
            "cut, upload it again"
        )


def _rate(stream: VideoStream) -> Fraction:
    rate = stream.average_rate or stream.guessed_rate or stream.base_rate
    return Fraction(rate) if rate else Fraction(25)


def _image(picture: VideoFrame) -> np.ndarray:
    try:
        return picture.to_ndarray(format="bgr24")
    except _FAULTS as error:
        raise VideoUnreadable(
            f"a decoded picture cannot be converted ({type(error).__name__})"
        ) from error


@contextlib.contextmanager
def _opened(data: bytes) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The container and its first video stream. Raises VideoUnreadable with the codec library's
    reason.
    """
    try:
        container = av.open(
            io.BytesIO(data), mode="r", format="mp4", options={"max_pixels": str(MAX_PIXELS)}
        )
    except _FAULTS as error:
        raise VideoUnreadable(
            f"expected an MP4 video, but it cannot be opened ({type(error).__name__})"
        ) from error
    with contextlib.closing(container):
        if not container.streams.video:
            raise VideoUnreadable("expected an MP4 video, but the file has no video stream")
        stream = container.streams.video[0]
        if stream.codec_context is None:
            raise VideoUnreadable(
                "expected an MP4 video in a common codec such as H.264, but its codec is not known"
            )
        width = stream.codec_context.width
        height = stream.codec_context.height
        if not 0 < width * height <= MAX_PIXELS:
            raise VideoUnreadable(
                f"expected a picture of at most {MAX_PIXELS} pixels, the header says {width} x "
                f"{height}"
            )
        stream.thread_type = "NONE"  # parallelism is the orchestrator's: one process, one core
        yield container, stream


def write_clip(images: Iterable[np.ndarray], fps: Fraction | float) -> bytes:
    """An H.264 MP4 of BGR pictures (height, width, 3) at a constant rate; no audio and no metadata.

    An odd last row or column is repeated, because 4:2:0 needs even sizes. Raises BadInput for no or
    unequal pictures.
    """
    rate = Fraction(fps).limit_denominator(1001)
    out = io.BytesIO()
    with av.open(out, mode="w", format="mp4", options={"fflags": "+bitexact"}) as container:
        stream: VideoStream | None = None
        for image in images:
            even = np.pad(
                image, ((0, image.shape[0] % 2), (0, image.shape[1] % 2), (0, 0)), mode="edge"
            )
            if stream is None:
                stream = _clip_stream(container, rate, even.shape)
            if even.shape != (stream.height, stream.width, 3):
                raise BadInput(
                    f"a clip's pictures must be equal in size: {image.shape} differs from the first"
                )
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(even), format="bgr24")
            container.mux(stream.encode(frame))
        if stream is None:
            raise BadInput("a clip needs at least one picture, got none")
        container.mux(stream.encode(None))
    return out.getvalue()


def _clip_stream(container: OutputContainer, rate: Fraction, shape: tuple[int, ...]) -> VideoStream:
    codec = next(name for name in ("libx264", "libopenh264", "h264") if name in av.codecs_available)
    stream = container.add_stream(codec, rate=rate)
    stream.height, stream.width = shape[:2]
    stream.pix_fmt = "yuv420p"
    stream.codec_context.thread_count = 1
    # CRF 20 is visually close to the source; bitexact leaves out the encoder's name and settings.
    stream.options = (
        {"crf": "20", "preset": "veryfast", "flags": "+bitexact"} if codec == "libx264" else {}
    )
    return stream
