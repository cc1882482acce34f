"""Twenty seconds of a long file cost about what they would as a file of their own."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import av
import numpy as np
import pytest

from benchmarks.speed import START, WINDOW_S, repeat
from data_contracts.time import Interval
from infra.object_reader import ObjectReader
from infra.store import ObjectInfo
from tasks.footage.reading import Reading

RATE = 5
# 8 s of pictures, each of some 30 KB, a key frame every 2 s.
PICTURES = 40


class Counted:
    """Gives parts of a file as the store does, and counts them."""

    def __init__(self, path: Path) -> None:
        self.data = path.read_bytes()
        self.info = ObjectInfo("k", "e", len(self.data), None, START)
        self.sizes: list[int] = []

    def get(self, _bucket: str, _key: str, offset: int, length: int, etag: str) -> bytes:
        """A range under the ETag."""
        assert etag == "e"
        self.sizes.append(length)
        return self.data[offset : offset + length]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise, which compresses as badly as a busy street."""
    path = tmp_path_factory.mktemp("speed") / "source.mp4"
    random = np.random.default_rng(0)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=RATE)
        stream.width, stream.height = 320, 240
        stream.pix_fmt = "yuv420p"
        keys = f"keyint={2 * RATE}:min-keyint={2 * RATE}:scenecut=0:bframes=0"
        stream.options = {"preset": "ultrafast", "crf": "20", "x264-params": keys}
        for _ in range(PICTURES):
            image = random.integers(0, 255, (240, 320, 3)).astype(np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        out.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("hz", [None, 5.0])
def test_a_window_costs_what_it_would_alone(
    source: Path, tmp_path: Path, suffix: str, hz: float | None
) -> None:
    """At most 1.5 times the bytes, in few requests, and the same pictures."""
    long = tmp_path / f"long.{suffix}"
    own = tmp_path / f"own.{suffix}"
    repeat(source, long, 40, rate=RATE)
    repeat(source, own, 3, rate=RATE, only_s=WINDOW_S)
    store = Counted(long)
    start = START + timedelta(seconds=160)
    reader = ObjectReader(store, "footage", store.info)
    part = Reading(reader, START, hz, Interval(start, start + timedelta(seconds=WINDOW_S)))
    looked = [round((frame.t_utc - start).total_seconds(), 3) for frame in part]
    alone = [
        round((frame.t_utc - START).total_seconds(), 3)
        for frame in Reading(own.read_bytes(), START, hz)
    ]
    assert looked == alone
    assert sum(store.sizes) <= 1.5 * own.stat().st_size
    assert len(store.sizes) <= 30
    assert len(store.data) > 10 * own.stat().st_size
