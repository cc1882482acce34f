"""Truncated and hostile video files: decoded in a process of its own, so that a crash or a hang of
native code is seen.

A file ends in one of two ways. Either it is right: every picture of the header is given, in order,
at start + PTS. Or its fault is told (VideoUnreadable, which becomes a row of the report's gaps),
after what could be decoded.
"""

from __future__ import annotations

import io
import multiprocessing
import resource
import struct
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import psutil
from containers import contained
from hypothesis import strategies as st

from data_contracts.errors import VideoUnreadable
from tasks.footage.reading import MAX_SECONDS, frames, key_frames
from tasks.footage.video import MAX_PIXELS, probe, write_clip

DEMO = Path(__file__).parents[2] / "demo" / "footage"
SEGMENT = DEMO / "entrance" / "2026-11-16" / "00" / "00.00.mp4"
START = datetime(2026, 11, 16, tzinfo=UTC)
LIMIT_S = 20.0  # of CPU time for one file; a whole demo segment takes two
_MEMORY = 6 * 2**30
_NUMBERS = (0, 1, 2, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
# Of the containers of `recorded` those whose header says how long they are: MKV, MOV.
_WITH_LENGTH = (0, 3)
_BOXES = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"dinf", b"edts")


class Verdict(NamedTuple):
    """How a file ended: `ended` right, refused, or what went wrong; how many pictures came."""

    ended: str
    pictures: int


def judge(data: bytes) -> Verdict:
    """Decode a file in all three ways and say how it ended. Raises nothing that is expected."""
    try:
        info = probe(data)
        assert 0 < info.width * info.height <= MAX_PIXELS
        assert info.rate > 0
    except VideoUnreadable:
        info = None
    counts = []
    faults = []
    for read in (frames, key_frames):
        last = -1.0
        count = 0
        fault = ""
        try:
            for frame in read(data, START):
                at_s = (frame.t_utc - START).total_seconds()
                assert last < at_s <= MAX_SECONDS, "pictures out of order"
                assert frame.image.dtype == np.uint8
                assert frame.image.ndim == 3
                last = at_s
                count = count + 1
        except VideoUnreadable as error:
            fault = str(error)
        assert fault or count, "no picture and no fault: a silent loss"
        assert "\n" not in fault
        assert len(fault) < 300
        counts.append(count)
        faults.append(fault)
    assert info is not None or all(faults), (
        "a file that cannot be probed was decoded without a fault"
    )
    return Verdict("refused" if any(faults) else "right", counts[0])


def _serve(pipe: Connection) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    av.logging.set_level(av.logging.PANIC)
    pipe.send("ready")
    while True:
        data = pipe.recv_bytes()
        try:
            pipe.send(judge(data))
        except BaseException as error:  # told to the parent, whatever it was
            pipe.send(Verdict(f"{type(error).__name__}: {error}", 0))


class Sandbox:
    """A process that judges files; a new one after a crash or a hang."""

    def __init__(self, limit_s: float = LIMIT_S) -> None:
        self.limit_s = limit_s
        self._process: multiprocessing.process.BaseProcess | None = None

    def judge(self, data: bytes) -> Verdict:
        """Verdict on a file; `crash` or `hang` where the process did not answer."""
        if self._process is None or not self._process.is_alive():
            self._start()
        self._pipe.send_bytes(data)
        begun = time.monotonic()
        spent = self._cpu_s()
        try:
            while not self._pipe.poll(0.5):
                if (
                    self._cpu_s() - spent > self.limit_s
                    or time.monotonic() - begun > 20 * self.limit_s
                ):
                    self._ended()
                    return Verdict(f"hang (more than {self.limit_s:.0f} s)", 0)
            return self._pipe.recv()
        except (EOFError, ConnectionError, psutil.NoSuchProcess):
            return Verdict(f"crash (exit status {self._ended()})", 0)

    def _cpu_s(self) -> float:
        assert self._process is not None
        times = psutil.Process(self._process.pid).cpu_times()
        return times.user + times.system

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        if not self._pipe.poll(600) or self._pipe.recv() != "ready":
            raise RuntimeError("the decoding process did not start")

    def _ended(self) -> int | None:
        assert self._process is not None
        self._process.join(1)
        self._process.kill()
        self._process.join()
        return self._process.exitcode

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()


@cache
def clip() -> bytes:
    """Twelve pictures of a real demo segment, small, so that a thousand mutations are decoded in a
    minute.
    """
    taken = []
    for frame in frames(SEGMENT.read_bytes(), START):
        taken.append(np.ascontiguousarray(frame.image[::6, ::6]))
        if len(taken) == 12:
            break
    return write_clip(taken, 5)


@cache
def recorded() -> tuple[bytes, ...]:
    """Twelve pictures in each container that is read: as the codec library writes it, Dahua's and
    Hikvision's.
    """
    times = tuple(i / 5 for i in range(12))
    kinds = (
        *(("matroska", "libx264"), ("mpegts", "libx265"), ("avi", "mjpeg"), ("mov", "mpeg4")),
        *(("asf", "libx264"), ("imkh", "libx264"), ("dhav", "libx264")),
    )
    return tuple(contained(kind, codec, times) for kind, codec in kinds)


@cache
def other_containers() -> tuple[bytes, ...]:
    """Files that are not read: FLV, GIF, other codecs in MKV and AVI, an MP4 with sound only."""
    out = []
    images = [f.image for f in frames(clip(), START)]
    for kind, codec in (
        ("flv", "flv"),
        ("gif", "gif"),
        ("matroska", "mpeg2video"),
        ("avi", "msmpeg4"),
    ):
        file = io.BytesIO()
        with av.open(file, "w", format=kind) as container:
            stream = container.add_stream(codec, rate=25)
            stream.height, stream.width = images[0].shape[:2]
            stream.pix_fmt = "rgb8" if kind == "gif" else "yuv420p"
            for image in images:
                container.mux(
                    stream.encode(
                        av.VideoFrame.from_ndarray(image, format="bgr24").reformat(
                            format=stream.pix_fmt
                        )
                    )
                )
            container.mux(stream.encode(None))
        out.append(file.getvalue())
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        sound = container.add_stream("aac", rate=16000)
        tone = av.AudioFrame.from_ndarray(
            np.zeros((1, 1024), np.float32), format="fltp", layout="mono"
        )
        tone.sample_rate = 16000
        container.mux(sound.encode(tone))
        container.mux(sound.encode(None))
    return (*out, file.getvalue())


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """(type, offset of the body, end) of every box of an MP4, containers first."""
    at = start
    end = len(data) if end is None else end
    while at + 8 <= end:
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        if size < 8 or at + size > end:
            return
        yield kind, at + 8, at + size
        if kind in _BOXES:
            yield from boxes(data, at + 8, at + size)
        at += size


def with_field(data: bytes, box: bytes, offset: int, value: int, size: int = 4) -> bytes:
    """The file with a number of a box's body replaced."""
    body = next(b for kind, b, _ in boxes(data) if kind == box)
    return data[: body + offset] + value.to_bytes(size, "big") + data[body + offset + size :]


def hostile() -> dict[str, bytes]:
    """Files made by hand, each with one lie."""
    data = clip()
    real = SEGMENT.read_bytes()
    (media,) = [(body, end) for kind, body, end in boxes(data) if kind == b"mdat"]
    return {
        "zero length": b"",
        "one byte": b"\x00",
        "text": b"#EXTM3U\nfile:///etc/passwd\n",
        "header only": data[:40],
        "an hour claimed": with_field(
            with_field(data, b"mdhd", 16, 3600 * 12800), b"mvhd", 16, 3600 * 1000
        ),
        "a century claimed": with_field(data, b"mdhd", 16, 0xFFFFFFFF),
        "no time scale": with_field(data, b"mdhd", 12, 0),
        "65535 x 65535 in the sample entry": with_field(data, b"stsd", 8 + 32, 0xFFFFFFFF),
        "65535 x 65535 in the track": with_field(
            with_field(data, b"tkhd", 76, 0xFFFF0000), b"tkhd", 80, 0xFFFF0000
        ),
        "four thousand million pictures": with_field(data, b"stsz", 8, 0xFFFFFFFF),
        "pictures of 4 GB": with_field(data, b"stsz", 12, 0xFFFFFFFF),
        "pictures beyond the file": with_field(data, b"stco", 8, 0x7FFFFFFF),
        "a day between pictures": with_field(data, b"stts", 12, 86_400 * 12_800),
        "no time between pictures": with_field(data, b"stts", 12, 0),
        "pictures blanked": data[: media[0]] + bytes(media[1] - media[0]) + data[media[1] :],
        "last half blanked": real[: len(real) // 2] + bytes(len(real) - len(real) // 2),
        "cut in half": real[: len(real) // 2],
        "cut by a byte": real[:-1],
        "twice": data + data,
        "a box that holds itself": b"\x00\x00\x00\x08moov" * 3000,
        "nested boxes": b"".join(struct.pack(">I4s", 8 * (5000 - i), b"moov") for i in range(5000)),
        **{f"container {i}": other for i, other in enumerate(other_containers())},
        **{f"cut {i}": recorded()[i][: len(recorded()[i]) // 3] for i in _WITH_LENGTH},
        "a header of Hikvision alone": b"IMKH" + bytes(36),
        "a frame of 4 GB from Dahua": recorded()[6][:12] + b"\xff" * 4 + recorded()[6][16:],
        "a playlist after a sync byte": (b"G" + b"#EXTM3U\nfile:///etc/passwd\n".ljust(187)) * 5,
        "a playlist in a box": struct.pack(">I4s", 60, b"ftyp") + b"#EXTM3U\nfile:///etc/passwd",
        "a list of files in MKV": b"\x1a\x45\xdf\xa3ffconcat version 1.0\nfile /etc/passwd\n",
    }


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """A mutated clip: numbers of its header changed, media bytes changed, parts cut out, cut off;
    or noise.
    """
    if draw(st.integers(0, 9)) == 0:
        return draw(st.sampled_from([clip()[:28], b""])) + draw(st.binary(max_size=400))
    kind = draw(st.integers(0, 7))
    data = clip()
    if kind < 4:
        data = draw(st.sampled_from(other_containers() if kind == 0 else recorded()))
    for _ in range(draw(st.integers(1, 4))):
        data = _changed(draw, data)
    return data


def _changed(draw: st.DrawFn, data: bytes) -> bytes:
    how = draw(st.sampled_from(("field", "field", "field", "number", "bytes", "cut", "drop")))
    found = [box for box in boxes(data) if box[2] - box[1] >= 4 and box[0] != b"mdat"]
    at = draw(st.integers(0, max(len(data) - 1, 0)))
    if how == "field" and found:
        _, body, end = draw(st.sampled_from(found))
        offset = draw(st.integers(body - 8, min(end - 4, body + 120)))
        return (
            data[:offset] + draw(st.sampled_from(_NUMBERS)).to_bytes(4, "big") + data[offset + 4 :]
        )
    if how == "number":  # most likely of the header
        at = draw(st.integers(0, min(len(data), draw(st.sampled_from((300, 2000, 10**9))))))
        number = draw(st.sampled_from(_NUMBERS)).to_bytes(
            4, draw(st.sampled_from(("big", "little")))
        )
        return data[:at] + number + data[at + 4 :]
    if how == "bytes":
        new = draw(st.binary(min_size=1, max_size=30))
        return data[:at] + new + data[at + len(new) :]
    if how == "drop":
        return data[:at] + data[at + draw(st.integers(1, 200)) :]
    return data[:at]
