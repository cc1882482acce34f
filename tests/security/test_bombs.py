"""Files that are small and unpack to gigabytes: told by their header or their size, and never held
whole.
"""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import tracemalloc
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from containers import contained
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.camera import Camera
from data_contracts.errors import BadInput, VideoUnreadable
from data_contracts.tables.contracts import TRACKS
from data_contracts.time import Interval
from tasks.footage import video
from tasks.footage.picture import decode_picture, header_size
from tasks.footage.reading import frames
from tasks.redaction.redact import Detectors, RedactSettings
from tasks.redaction.render import CameraView, Segment, background_of

T0 = datetime(2026, 11, 16, tzinfo=UTC)
SIDE = 32_000
# Peak of a child that decodes the file given to it, in MiB over what it had before.
_CHILD = """
import resource, sys
from data_contracts.errors import BadInput
from data_contracts.time import Interval
from tasks.footage import video
from tasks.footage.picture import decode_picture
data = open(sys.argv[1], "rb").read()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30, 4 * 2**30))
try:
    decode_picture("bomb", data)
except BadInput as error:
    print("refused:", error)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def png_bomb(side: int = SIDE) -> bytes:
    """A sound PNG of 32,000 x 32,000 black pixels of one bit: 128 KB that decode to 3 GB."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    row = bytes(1 + side // 8)
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(row * 1000) for _ in range(side // 1000)) + packer.flush()
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    )


def test_a_picture_of_a_billion_pixels_costs_nothing(tmp_path: Path) -> None:
    """It is refused by its header, with the size in the message; memory does not grow by more than
    the file.
    """
    path = tmp_path / "bomb.png"
    path.write_bytes(png_bomb())
    assert path.stat().st_size < 2**20
    ran = subprocess.run(
        [sys.executable, "-c", _CHILD, str(path)], capture_output=True, text=True, check=True
    )
    refused, grown = ran.stdout.splitlines()
    assert f"{SIDE} x {SIDE}" in refused
    assert int(grown) < 64


@pytest.mark.parametrize("kind", [".png", ".jpg"])
def test_a_large_picture_comes_smaller(kind: str) -> None:
    """A picture much larger than is needed is decoded at a half or a quarter; a small one whole."""
    image = np.zeros((1300, 2100, 3), np.uint8)
    image[:650] = 200
    data = cv2.imencode(kind, image)[1].tobytes()
    assert header_size(data) == (2100, 1300)
    assert decode_picture("a", data).shape == image.shape
    half = decode_picture("a", data, enough_px=1000)
    assert half.shape == (650, 1050, 3)
    assert half[:300].mean() > 190 > 10 > half[350:].mean()
    assert decode_picture("a", data, enough_px=1600).shape == image.shape


# No whole picture fits into 40 bytes.
@given(st.binary(max_size=30))
def test_any_header_is_read_or_refused(tail: bytes) -> None:
    """Whatever follows the first bytes of a PNG or JPEG: a size, or none; and one clear refusal."""
    for head in (b"\x89PNG\r\n\x1a\n", b"\xff\xd8", b"\xff\xd8\xff\xc0", b"", b"II*\0"):
        header_size(head + tail)
        with pytest.raises(BadInput, match="a: expected"):
            decode_picture("a", head + tail)


def key_frame_video(count: int, width: int, height: int) -> bytes:
    """An MP4 of key frames only."""
    out = io.BytesIO()
    with av.open(out, mode="w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=5)
        stream.width = width
        stream.height = height
        stream.pix_fmt = "yuv420p"
        stream.codec_context.gop_size = 1
        stream.options = {"preset": "ultrafast"}
        for i in range(count):
            image = np.full((height, width, 3), 100 + i % 3, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode(None))
    return out.getvalue()


def test_frames_are_shrunk_before_they_are_kept() -> None:
    """The empty scene of a camera calibrated small, from 50 large key frames, holds no more than a
    few of them at their own size.
    """
    data = key_frame_video(50, 1920, 1440)
    camera = Camera(camera_id="a", image_width=320, image_height=240)
    blind = Detectors(people=lambda images: [(np.zeros((0, 4)), np.zeros(0)) for _ in images])
    view = CameraView(camera, [Segment(T0, data)], TRACKS.empty())
    tracemalloc.start()
    try:
        made = background_of(view, blind, RedactSettings())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert made is not None
    frame = 1920 * 1440 * 3
    assert peak < 8 * frame + 40 * 2**20


def test_a_file_without_an_index_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would have to be read whole: it is told before more of it than its header is read."""
    monkeypatch.setattr(video, "MAX_WHOLE_BYTES", 2**20)

    class Counted(io.BytesIO):
        read_bytes = 0

        def read(self, size: int | None = -1) -> bytes:
            part = super().read(size)
            self.read_bytes += len(part)
            return part

    stream = contained("mpegts", times=[i / 5 for i in range(200)])
    file = Counted(stream + stream)
    with pytest.raises(VideoUnreadable, match="at most 0 GiB"):
        list(frames(file, T0, span=Interval(T0, T0 + timedelta(seconds=2))))
    assert len(stream) > 2**20
    assert file.read_bytes < len(stream) / 2
