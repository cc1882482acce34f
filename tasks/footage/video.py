"""Decoding and encoding video: the only module that knows the codec library.

What a file's pictures are and which can be believed is `tasks.footage.reading`'s to say. Segments
come from outside and are not trusted: containers and codecs are those of a list (no playlists:
nothing in a file can name another file or an address), the picture size is bounded, and what
cannot be opened is VideoUnreadable.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from itertools import islice, pairwise
from typing import Any, NamedTuple

import av
import numpy as np
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.sidedata import sidedata
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from data_contracts.errors import BadInput, EncounterError, VideoUnreadable
from tasks.footage import container as containers
from tasks.footage.stamps import LONGEST_HOLE_S

# H.264 level 6.2 allows 139,264 macroblocks of 16 x 16 a frame (ITU-T H.264 table A-1); larger is
# no camera's file.
MAX_PIXELS = 139_264 * 256
# A day at 60 pictures a second; a segment is no longer than a day.
_MAX_PACKETS = 86_400 * 60
_NEXT_TO_NOTHING = 3
_EPOCH_OF_MP4 = 1970
_FAULTS = (av.error.FFmpegError, ValueError, OverflowError, MemoryError)
# What cameras and recorders write, and the sound beside it, whose decoders fill in its header.
_CODECS = {"h264": "H.264", "hevc": "H.265", "mjpeg": "MJPEG", "av1": "AV1", "mpeg4": "MPEG-4"}
_DECODERS = (
    "h264,hevc,mjpeg,libdav1d,av1,mpeg4,"
    "aac,mp2,mp3,pcm_alaw,pcm_mulaw,pcm_s16le,adpcm_g726,adpcm_g726le"
)
# They keep the order of decoding; the time shown is guessed from it, late by as many pictures as a
# decoder may hold back.
_WITHOUT_START = (containers.AVI.demuxer, containers.ASF.demuxer)
# Their index says where each key frame is, so that the bytes between can be left out.
_SOUGHT = {containers.MP4.demuxer, containers.QUICKTIME.demuxer, containers.MATROSKA.demuxer}
# So many pictures at a file's beginning say at which stamp it begins.
_HEAD = 24
# A file without an index is read whole, though never held whole: two hours at 16 Mbit/s.
MAX_WHOLE_BYTES = 16 * 2**30
# Streams that are no recording: cover pictures and the small pictures under a player's bar.
_ASIDE = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image


@dataclass(frozen=True)
class VideoInfo:
    """What a segment's header says: frames per second, seconds and picture size in pixels, and when
    the recorder says that it was made.
    """

    rate: Fraction
    duration_s: float
    width: int
    height: int
    made_utc: datetime | None = None


# The bytes of a file, or the file where only what is wanted of it is to be read.
Source = bytes | io.RawIOBase


class Part(NamedTuple):
    """A part of a file in seconds from its first picture."""

    from_s: float
    until_s: float


@dataclass
class Contents:
    """What a file's packets say, without decoding one. Stamps count in `unit_s`.

    `start`: the stated first stamp; `stated_s`: how long the header says that the file is;
    `pixel_aspect`: how many times as wide as high its pixels are; `stamps`: of each picture in the
    file's order; `keys`: those of key frames; `hidden_s`: what the file's edit list leaves out
    after the start; `edited`: whether that list is heeded; `alone`: whether key frames can be
    decoded without the rest, and a damaged rest be told.

    Where a part was sought, the stamps are those around it: `sought` is the stamp to go to first,
    `head` those of the file's first pictures, `zero` the one from which seconds were counted.
    """

    unit_s: Fraction
    start: int
    stated_s: float
    pixel_aspect: float
    stamps: list[int] = field(default_factory=list)
    keys: list[int] = field(default_factory=list)
    hidden_s: float = 0.0
    edited: bool = True
    alone: bool = True
    sought: int | None = None
    head: list[int] = field(default_factory=list)
    zero: int = 0


class Wanted(NamedTuple):
    """Which pictures are to be decoded: from the key frame with the stamp `from_key` (None: from
    the first one) until the first that is decoded at `until` or later (None: to the end).
    """

    from_key: int | None = None
    until: int | None = None


_ALL = Wanted()


class Decoded(NamedTuple):
    """What became of a packet or picture: `picture` where it gave one. Without one and not
    `damaged` its packet is whole and was not decoded, or, of a key frame, cannot be decoded alone;
    or it was decoded and the file says no time of it (`timeless`).
    """

    stamp: int | None
    picture: VideoFrame | None = None
    damaged: bool = False
    is_key: bool = False
    timeless: bool = False


def probe(data: Source) -> VideoInfo:
    """Read a segment's header, and no more of a file than that. Raises VideoUnreadable."""
    with _opened(data) as (container, stream):
        duration = _stated_s(stream) or _container_s(container)
        if container.format.name == containers.DAHUA.demuxer:
            duration += 1.0  # it says the second in which the last picture was taken
        size = stream.codec_context
        made = _made(container)
        return VideoInfo(_rate(stream), duration, size.width, size.height, made)


def contents(data: Source) -> Contents:
    """Read all packets of a segment without decoding them. Raises VideoUnreadable, with nothing
    read, where the file has more than `MAX_WHOLE_BYTES`.

    An edit list that leaves next to nothing is not heeded: one odd stamp at the beginning makes
    such a list, not a person who cut the file.
    """
    if not isinstance(data, bytes) and data.seek(0, io.SEEK_END) > MAX_WHOLE_BYTES:
        raise VideoUnreadable(
            f"expected a file with an index, or one of at most {MAX_WHOLE_BYTES >> 30} GiB: let "
            "the recorder cut shorter segments"
        )
    found = _contents(data, edited=True)
    if found.hidden_s and len(found.stamps) < _NEXT_TO_NOTHING:
        return _contents(data, edited=False)
    return found


def _contents(data: Source, *, edited: bool) -> Contents:
    with _opened(data, edited=edited) as (container, stream):
        found = _described(container, stream, edited=edited)
        for packet in _packets(container, stream):
            _note(found, packet)
        if container.format.name in _WITHOUT_START:
            found.start = found.stamps[0] if found.stamps else 0
        return found


def contents_of(data: Source, part: Part) -> Contents | None:
    """Read the packets of a part of a file, from the key frame before it on; None
    where the file has no index to find it by, or one that contradicts itself or leaves pictures
    out, so that all packets must be read to know its time. Raises VideoUnreadable.
    """
    with _opened(data) as (container, stream):
        if not _SOUGHT & set(container.format.name.split(",")):
            return None
        found = _described(container, stream, edited=True)
        if not _runs_on(stream, found.unit_s):
            return None
        late = 0
        for packet in islice(_packets(container, stream), _HEAD):
            _note(found, packet)
            if packet is not None and packet.pts is not None and packet.dts is not None:
                late = max(late, packet.pts - packet.dts)
        if not found.stamps or found.hidden_s:
            return None
        first = min(found.stamps)
        found.zero = found.start if found.start <= first else first
        found.head = found.stamps
        found.stamps = []
        found.keys = []
        wanted = found.zero + max(0, int(part.from_s / found.unit_s))
        found.sought = wanted - late  # an index is in the order of decoding
        until = found.zero + part.until_s / found.unit_s
        if not _sought(container, stream, found.sought):
            return None
        for packet in _packets(container, stream):
            if not found.stamps and not _begins(packet, max(wanted, first)):
                return None
            _note(found, packet)
            if packet is not None and packet.dts is not None and packet.dts >= until:
                break
        return None if found.hidden_s else found


def _described(container: InputContainer, stream: VideoStream, *, edited: bool) -> Contents:
    unit_s = stream.time_base or Fraction(1, 90_000)
    aspect = float(stream.sample_aspect_ratio or 1)
    stated_s = _stated_s(stream) or _container_s(container)
    found = Contents(unit_s, stream.start_time or 0, stated_s, aspect, edited=edited)
    found.alone = _codec(stream) != "av1"  # its decoder refuses all that follows a flush
    return found


def _note(found: Contents, packet: Packet | None) -> None:
    if packet is None or packet.pts is None:
        return
    if packet.is_discard:
        if packet.pts > found.start:
            found.hidden_s += float((packet.duration or 0) * found.unit_s)
        return
    found.stamps.append(packet.pts)
    if packet.is_keyframe:
        found.keys.append(packet.pts)


def _begins(packet: Packet | None, latest: int) -> bool:
    """Whether decoding can begin here: at a key frame no later than that."""
    if packet is None or packet.pts is None or packet.pts > latest:
        return False
    return packet.is_keyframe


def _sought(container: InputContainer, stream: VideoStream, stamp: int) -> bool:
    try:
        container.seek(stamp, stream=stream)
    except _FAULTS:
        return False
    return True


def _runs_on(stream: VideoStream, unit_s: Fraction) -> bool:
    """Whether the index, as far as it is there, has its pictures one after the other, without a
    hole that is longer than any recorder leaves.
    """
    times = [entry.timestamp for entry in stream.index_entries]
    farthest = LONGEST_HOLE_S / unit_s
    return all(0 <= after - at <= farthest for at, after in pairwise(times))


def all_pictures(
    data: Source, found: Contents | None = None, wanted: Wanted = _ALL
) -> Iterator[Decoded]:
    """Every picture of a segment that is wanted in time order, and each packet that would not
    decode. `found`: what was read of its packets before.
    """
    with _reopened(data, found) as (container, stream):
        for packet in _wanted(container, stream, wanted):
            yield from _decoded(packet)
        if wanted.until is not None:
            with contextlib.suppress(*_FAULTS):  # at the end of the file nothing is held back
                held = stream.codec_context.decode(None)
                yield from [_judged(picture) for picture in held if picture.pts is not None]


def key_pictures(
    data: Source,
    found: Contents | None = None,
    wanted: Wanted = _ALL,
    choose: Callable[[int], bool] = lambda _stamp: True,
) -> Iterator[Decoded]:
    """Every packet of a segment that is wanted; key frames decoded, each by itself: what comes
    before it in an open group is not needed. The others, and key frames that are not chosen by
    their stamp, are refused by the decoder, undecoded, where they are damaged.
    """
    with _reopened(data, found) as (container, stream):
        decoder = stream.codec_context
        for packet in _wanted(container, stream, wanted):
            is_key = packet is not None and packet.is_keyframe
            chosen = is_key and packet is not None and (packet.pts is None or choose(packet.pts))
            decoder.skip_frame = "NONKEY" if chosen else "ALL"
            pictures = list(_decoded(packet))
            if not chosen:
                yield from pictures
                if packet is not None and packet.size and not pictures:
                    yield Decoded(packet.pts)
                continue
            if not pictures:
                with contextlib.suppress(*_FAULTS):
                    pictures = [_judged(picture) for picture in decoder.decode(None)]
            decoder.flush_buffers()
            yield from pictures or [Decoded(None if packet is None else packet.pts, is_key=True)]


@contextlib.contextmanager
def _reopened(data: Source, found: Contents | None) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The file, at the place that was sought before."""
    with _opened(data, edited=found is None or found.edited) as (container, stream):
        if found is not None and found.sought is not None:
            container.seek(found.sought, stream=stream)
        yield container, stream


def _wanted(
    container: InputContainer, stream: VideoStream, wanted: Wanted
) -> Iterator[Packet | None]:
    begun = wanted.from_key is None
    for packet in _packets(container, stream):
        begun = begun or packet is None or packet.pts == wanted.from_key
        if not begun:
            continue
        yield packet
        stamp = packet.dts if packet is not None else None
        if wanted.until is not None and stamp is not None and stamp >= wanted.until:
            return


def _decoded(packet: Packet | None) -> Iterator[Decoded]:
    if packet is None:
        yield Decoded(None, damaged=True)
        return
    try:
        pictures = packet.decode()
    except _FAULTS:
        yield Decoded(packet.pts, damaged=True)
        return
    yield from (_judged(picture) for picture in pictures)


def _judged(picture: VideoFrame) -> Decoded:
    if picture.is_corrupt:
        return Decoded(picture.pts, damaged=True)
    if picture.pts is None:
        return Decoded(None, timeless=True)
    return Decoded(picture.pts, picture)


def _packets(container: InputContainer, stream: VideoStream) -> Iterator[Packet | None]:
    """The stream's packets; None at the end where the file cannot be read on."""
    packets = container.demux(stream)
    for _ in range(_MAX_PACKETS):
        try:
            packet = next(packets)
        except StopIteration:
            return
        except _FAULTS:
            yield None
            return
        yield packet
    yield None


def _stated_s(stream: VideoStream) -> float:
    return float((stream.duration or 0) * (stream.time_base or 0))


def _container_s(container: InputContainer) -> float:
    """How long the header of a container says that it is, which says nothing of its streams."""
    return (container.duration or 0) / 1e6


def _made(container: InputContainer) -> datetime | None:
    """The time of making in a header (ISO 14496-12, 8.2.2); that of a clock that was never set is
    not told.
    """
    try:
        made = datetime.fromisoformat(container.metadata.get("creation_time", ""))
        return made.astimezone(UTC) if made.tzinfo and made.year > _EPOCH_OF_MP4 else None
    except (ValueError, OverflowError):
        return None


def _rate(stream: VideoStream) -> Fraction:
    rate = stream.average_rate or stream.guessed_rate or stream.base_rate
    return Fraction(rate) if rate else Fraction(25)


def upright(picture: VideoFrame) -> tuple[np.ndarray, bool]:
    """The picture (height, width, 3) BGR, turned as the file says; and whether it lay on its side.
    Raises VideoUnreadable.
    """
    try:
        image = picture.to_ndarray(format="bgr24")
    except _FAULTS as error:
        raise VideoUnreadable(
            f"a decoded picture cannot be converted ({type(error).__name__})"
        ) from error
    (a, b), (c, d) = _display_matrix(picture)
    lay = abs(b) > abs(a)
    if lay:
        image = image.swapaxes(0, 1)
    right, down = (c, b) if lay else (a, d)
    return np.ascontiguousarray(image[:: -1 if down < 0 else 1, :: -1 if right < 0 else 1]), lay


def _display_matrix(picture: VideoFrame) -> np.ndarray:
    """((a, b), (c, d)): a point (x, y) is shown at (a x + c y, b x + d y), as ISO 14496-12 has it
    (8.3.2); to the nearest quarter turn.
    """
    notes: Any = picture.side_data
    try:
        data = bytes(notes[sidedata.Type.DISPLAYMATRIX])
    except KeyError:
        return np.eye(2)
    return np.frombuffer(data, "<i4").reshape(3, 3)[:2, :2].astype(float)


class _Watched(io.RawIOBase):
    """A file as the codec library reads it. The library may take what the file raises for the
    file's end, so that it is kept, to be raised behind the library.
    """

    def __init__(self, file: io.BytesIO | io.RawIOBase) -> None:
        super().__init__()
        self._file = file
        self._error: EncounterError | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def read(self, size: int = -1) -> bytes:
        if self._error is not None:
            return b""
        try:
            return self._file.read(size) or b""
        except EncounterError as error:
            self._error = error
            return b""

    def check(self) -> None:
        """Raise what reading raised."""
        if self._error is not None:
            raise self._error


@contextlib.contextmanager
def _opened(data: Source, *, edited: bool = True) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The container and the stream of its recording, its edit list heeded or not. Raises
    VideoUnreadable with the codec library's reason, and what the file raises.
    """
    file = _Watched(io.BytesIO(data) if isinstance(data, bytes) else data)
    file.seek(0)
    kind = containers.recognise(file.read(containers.HEAD_BYTES))
    file.check()
    if kind is None:
        raise VideoUnreadable(
            f"expected a video ({containers.NAMES}), but the file's first bytes are of none of them"
        )
    file.seek(0)
    options = {
        "max_pixels": str(MAX_PIXELS),
        "ignore_editlist": str(int(not edited)),
        "codec_whitelist": _DECODERS,
        "protocol_whitelist": "none",
    }
    try:
        container = av.open(file, mode="r", format=kind.demuxer, options=options)
    except _FAULTS as error:
        file.check()
        raise VideoUnreadable(
            f"expected {kind.suffix.upper()} video, but it cannot be opened "
            f"({type(error).__name__})"
        ) from error
    with contextlib.closing(container):
        file.check()
        stream = _recording(container)
        width = stream.codec_context.width
        height = stream.codec_context.height
        if not 0 < width * height <= MAX_PIXELS:
            raise VideoUnreadable(
                f"expected a picture of at most {MAX_PIXELS} pixels, the header says {width} x "
                f"{height}"
            )
        stream.thread_type = "NONE"  # parallelism is the orchestrator's: one process, one core
        yield container, stream
        file.check()


def _recording(container: InputContainer) -> VideoStream:
    """The stream that the camera recorded: the largest picture that is no cover or preview."""
    if not container.streams.video:
        raise VideoUnreadable("expected a video, but the file has no video stream")
    codecs = [s.codec_context for s in container.streams.video]
    known = [s for s in container.streams.video if _codec(s) in _CODECS]
    if not known:
        got = ", ".join(sorted({c.name if c else "one that is not known" for c in codecs}))
        raise VideoUnreadable(f"expected video in {', '.join(_CODECS.values())}, got {got}")
    return max(
        known,
        key=lambda s: (
            not s.disposition & _ASIDE,
            s.codec_context.width * s.codec_context.height,
            -s.index,
        ),
    )


def _codec(stream: VideoStream) -> str:
    context = stream.codec_context
    return "" if context is None else context.codec.canonical_name


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
