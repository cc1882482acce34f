"""`python -m benchmarks.speed FOLDER`: how fast footage is scanned and followed, against the floor
of the same minute.

FOLDER is laid out like demo/. From its footage 1080p at 25 pictures a second is made, in H.264 and
H.265, with a key frame every 2 s: each picture is enlarged, pictures between are blended, and every
one gets noise of its own, so that the stream is as large as a camera's. Measured in CPU seconds of
one core:

- the floor of a scan: key frames decoded, and one pass of the person detector for each second;
- the floor of following: all pictures decoded, and five passes for each second;
- a scan and following as a unit does them, paired with their floors in turn;
- 20 s of a file of an hour against the same 20 s as a file of their own: bytes read, requests, CPU,
  and the peak of memory, each in a process of its own.

Figures: docs/performance.md.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import av
import cv2
import numpy as np
from av.stream import Discard

from benchmarks.redaction.footage import authorised
from benchmarks.truth import discover_subjects
from data_contracts.camera import Camera
from data_contracts.policy import SearchSettings
from data_contracts.time import CLOCK_HZ, Interval
from models.registry import Models, load
from tasks.footage.reading import frames
from tasks.footage.segment import SegmentInput
from tasks.observe.follow import follow_segment
from tasks.observe.match import SubjectSearch
from tasks.observe.scan import scan_segment
from tasks.observe.template import build_template

START = datetime(2026, 11, 16, tzinfo=UTC)
RATE = 25
KEY_S = 2
SIZE = (1920, 1080)
WINDOW_S = 20
BIT_RATE = {"libx264": 4_000_000, "libx265": 2_000_000}
"""What a 1080p camera is set to."""
NOISE = 2.0


class Cost(NamedTuple):
    """Of a stretch of video: its length and what it took."""

    video_s: float
    cpu_s: float

    @property
    def times(self) -> float:
        """How many times real time, on one core."""
        return self.video_s / self.cpu_s


class Counted(io.FileIO):
    """A file as the store gives it: counts the bytes that are asked for."""

    got = 0

    def readinto(self, buffer: Any) -> int:
        """Read on."""
        count = super().readinto(buffer) or 0
        self.got += count
        return count

    def read(self, size: int | None = -1) -> bytes:
        """Read on."""
        part = super().read(-1 if size is None else size) or b""
        self.got += len(part)
        return part


def make(folder: Path, codec: str, seconds: int, path: Path) -> None:
    """A recording of so many seconds from the demo's first camera with enough footage."""
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as out:
        stream: Any = out.add_stream(codec, rate=RATE)
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        stream.bit_rate = BIT_RATE[codec]
        keys = f"keyint={RATE * KEY_S}:min-keyint={RATE * KEY_S}:scenecut=0:bframes=0"
        own = "x264-params" if codec == "libx264" else "x265-params"
        quiet = "" if codec == "libx264" else ":log-level=none"
        stream.options = {"preset": "veryfast", own: keys + quiet}
        for image in _pictures(folder, seconds * RATE):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        out.mux(stream.encode(None))


def _pictures(folder: Path, count: int) -> Iterator[np.ndarray]:
    """So many pictures of 1080p: the footage's own, blended in between, each with its noise."""
    grain = np.random.default_rng(0).normal(0, NOISE, (SIZE[1] + 64, SIZE[0] + 64, 3))
    lighter = np.clip(grain, 0, 255).round().astype(np.uint8)
    darker = np.clip(-grain, 0, 255).round().astype(np.uint8)
    steps = RATE // int(CLOCK_HZ)
    made = 0
    before: np.ndarray | None = None
    for path in sorted((folder / "footage").rglob("*.mp4")):
        for frame in frames(path.read_bytes(), START, CLOCK_HZ):
            now = cv2.resize(frame.image, SIZE)
            for step in range(steps if before is not None else 0):
                x, y = (37 * made) % 64, (53 * made) % 64
                own = np.s_[y : y + SIZE[1], x : x + SIZE[0]]
                blend = cv2.addWeighted(before, 1 - step / steps, now, step / steps, 0)
                yield cv2.subtract(cv2.add(blend, lighter[own]), darker[own])
                made += 1
                if made == count:
                    return
            before = now


def repeat(
    source: Path, path: Path, times: int, *, rate: int = RATE, only_s: float | None = None
) -> None:
    """The packets of a recording so many times one after the other, or the first seconds of it."""
    with av.open(str(path), "w") as out, av.open(str(source)) as first:
        origin = first.streams.video[0]
        stream = out.add_stream_from_template(origin)
        unit = origin.time_base or Fraction(1, 90_000)
        packets = [p for p in first.demux(origin) if p.size]
        length = round(len(packets) / rate / unit)
        kept = [(bytes(p), p.pts, p.dts, p.is_keyframe) for p in packets]
        for number in range(times):
            for data, pts, dts, is_key in kept:
                if only_s is not None and (dts + number * length) * unit >= only_s:
                    return
                packet = av.Packet(data)
                packet.stream = stream
                packet.time_base = unit
                packet.pts = pts + number * length
                packet.dts = dts + number * length
                packet.is_keyframe = is_key
                out.mux(packet)


def floor(data: bytes, models: Models, seconds: float, *, all_pictures: bool) -> Cost:
    """Decoding by the codec library alone, and the passes of the detector on one picture."""
    began = time.process_time()
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        if not all_pictures:
            stream.codec_context.skip_frame = "NONKEY"
            stream.discard = Discard.nonkey
        last = None
        for picture in container.decode(stream):
            last = picture
    assert last is not None
    image = last.to_ndarray(format="bgr24")
    for _ in range(round(seconds * (CLOCK_HZ if all_pictures else 1))):
        models.person.detect([image])
    return Cost(seconds, time.process_time() - began)


def _search(folder: Path, models: Models) -> SubjectSearch:
    subject = discover_subjects(folder)[0]
    case = authorised(subject)
    template = build_template(case, subject.references, models, lambda salt: salt)
    return SubjectSearch(case, template, models, SearchSettings())


def _segment(data: Any, part: Interval | None = None) -> SegmentInput:
    camera = Camera(camera_id="speed", image_width=SIZE[0], image_height=SIZE[1])
    return SegmentInput(camera, "speed", START, data, "", part)


def measure(
    folder: Path, data: bytes, seconds: float, rounds: int
) -> dict[str, dict[str, list[Cost]]]:
    """Costs of scan and following and of their floors, in turn."""
    models = load()
    search = _search(folder, models)
    out: dict[str, dict[str, list[Cost]]] = {}
    for _ in range(rounds):
        for kind, look in (("scan", scan_segment), ("follow", follow_segment)):
            lowest = floor(data, models, seconds, all_pictures=kind == "follow")
            began = time.process_time()
            look(_segment(data), search)
            cost = Cost(seconds, time.process_time() - began)
            own = out.setdefault(kind, {"floor": [], "built": []})
            own["floor"].append(lowest)
            own["built"].append(cost)
    return out


def window(folder: Path, path: Path, from_s: float, kind: str) -> dict[str, float]:
    """In this process: a part of a file, or the whole of a small one (`from_s` below 0)."""
    models = load()
    search = _search(folder, models)
    look = scan_segment if kind == "scan" else follow_segment
    models.person.detect([np.zeros((SIZE[1], SIZE[0], 3), np.uint8)])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    if from_s < 0:
        data = path.read_bytes()
        got = len(data)
        report = look(_segment(data), search).report
    else:
        file = Counted(path)
        start = START + timedelta(seconds=from_s)
        part = Interval(start, start + timedelta(seconds=WINDOW_S))
        report = look(_segment(file, part), search).report
        got = file.got
    used = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    seen = report[report["kind"] == ""]
    seen_s = (seen["end_utc"] - seen["start_utc"]).dt.total_seconds().sum()
    return {"MB": got / 1e6, "cpu_s": used, "peak_mib": peak / 1024, "seen_s": float(seen_s)}


def _in_child(folder: Path, path: Path, from_s: float, kind: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.speed", str(folder), "--window", str(path)]
    done = subprocess.run([*command, str(from_s), kind], check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Print the two tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=int, default=60, help="how much is made and measured")
    parser.add_argument("--minutes", type=int, default=60, help="length of the long file")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--codec", action="append", choices=tuple(BIT_RATE))
    parser.add_argument("--window", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    cv2.setNumThreads(1)
    if given.window:
        path, from_s, kind = given.window
        print(json.dumps(window(given.folder, Path(path), float(from_s), kind)))
        return
    with tempfile.TemporaryDirectory() as made:
        for codec in given.codec or BIT_RATE:
            _print(given, codec, Path(made))


def _print(given: argparse.Namespace, codec: str, made: Path) -> None:
    source = made / f"{codec}.mp4"
    make(given.folder, codec, given.seconds, source)
    data = source.read_bytes()
    print(f"\n{codec}: 1080p25, {8 * len(data) / given.seconds / 1e6:.1f} Mbit/s")
    print("| | floor, times real time | as built | over the floor |\n| --- | --- | --- | --- |")
    for kind, costs in measure(given.folder, data, given.seconds, given.rounds).items():
        lowest = median(cost.times for cost in costs["floor"])
        built = median(cost.times for cost in costs["built"])
        pairs = zip(costs["built"], costs["floor"], strict=True)
        over = median(b.cpu_s / f.cpu_s for b, f in pairs)
        print(f"| {kind} | {lowest:.1f} | {built:.1f} | {over:.2f} |")
    long = made / f"{codec}-long.mp4"
    own = made / f"{codec}-own.mp4"
    repeat(source, long, given.minutes * 60 // given.seconds)
    repeat(source, own, 1, only_s=WINDOW_S)
    middle = given.minutes * 60 // given.seconds // 2 * given.seconds
    print(f"\n| {WINDOW_S} s | MB read | CPU s | peak MiB over the models | s seen |")
    print("| --- | --- | --- | --- | --- |")
    for kind in ("scan", "follow"):
        for name, path, from_s in (("a file of their own", own, -1), ("of the hour", long, middle)):
            got = _in_child(given.folder, path, from_s, kind)
            print(
                f"| {kind}, {name} | {got['MB']:.1f} | {got['cpu_s']:.2f} | "
                f"{got['peak_mib']:.0f} | {got['seen_s']:.1f} |"
            )
    long.unlink()


if __name__ == "__main__":
    main()
