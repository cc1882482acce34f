"""An int8 variant of the person detector by NNCF, and whether it is worth having: AP and
milliseconds beside the original.

python -m benchmarks.accuracy.quantise FOOTAGE PETS [--out nanodet-int8.xml]

FOOTAGE is a folder of videos of the kind that the detector will see: at most `--pictures` frames of
it, evenly over all files, set the ranges of the int8 numbers. PETS is the folder of PETS09-S2L1
(see pets_data.py), on which original and variant are then measured side by side; the two should not
be the same footage. The variant is an OpenVINO file (.xml with a .bin beside it): as an ONNX file
with quantise/dequantise pairs it is slower than the original in ONNX Runtime, and OpenVINO, which
reads such pairs otherwise, finds nobody with it. By default it is written to where the manifest's
`nanodet-int8` is looked for. Needs NNCF (Apache-2.0), on which the project does not depend: pip
install nncf.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import openvino as ov
import pandas as pd
from supervision import box_iou_batch

from benchmarks.accuracy import pets_data
from benchmarks.accuracy.detection import BOX, average_precision
from models.files.manifest import ModelInput, read_manifest
from models.files.pull import model_path
from models.interface import Boxes, Image
from models.networks.nanodet import NanoDet, letterbox
from models.registry import PACKS
from models.runtime import Session
from models.settings import DEFAULT_CACHE, RuntimeName

ENTRY = read_manifest().entry("nanodet")
assert ENTRY.input is not None
INPUT: ModelInput = ENTRY.input
SIZE = (INPUT.width, INPUT.height)
VIDEOS = {".mp4", ".avi", ".mkv", ".mov", ".ts"}
# A variant is worth choosing when its average precision is at most this much lower.
WITHIN = 0.01
SURE = 0.35  # a box that starts a track


def main() -> None:
    """Write the file, print the table, and say whether the variant holds."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("footage", type=Path)
    parser.add_argument("pets", type=Path)
    parser.add_argument(
        "--out", type=Path, default=DEFAULT_CACHE.expanduser() / PACKS / "nanodet-int8.xml"
    )
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--every", type=int, default=5, help="measure on every n-th frame of PETS")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    original = model_path("nanodet", DEFAULT_CACHE)
    quantise(original, given.footage, given.pictures, given.out)
    rows = measure(original, given.out, given.pets, given.every)
    print(pd.DataFrame(rows).to_string(index=False, float_format="{:.3f}".format))
    lost = rows[1]["ap"] - rows[2]["ap"]
    print(
        f"int8 loses {lost:.3f} AP to the original in OpenVINO: "
        f"{'holds' if lost <= WITHIN else 'does not hold'} ({WITHIN})"
    )
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1))


def quantise(original: Path, footage: Path, count: int, out: Path) -> None:
    """Write the int8 variant of `original`, its ranges set by at most `count` frames of
    `footage`.
    """
    try:
        import nncf
    except ImportError:
        sys.exit("NNCF is needed: pip install nncf (Apache-2.0)")
    pictures = [batch(image) for image in evenly(footage, count)]
    # MIXED: symmetric weights, asymmetric activations, as NNCF advises for activations that are not
    # ReLU.
    model = ov.Core().read_model(original)
    preset = nncf.QuantizationPreset.MIXED
    made = nncf.quantize(model, nncf.Dataset(pictures), preset=preset, subset_size=len(pictures))
    out.parent.mkdir(parents=True, exist_ok=True)
    ov.save_model(made, out, compress_to_fp16=False)


def batch(image: Image) -> np.ndarray:
    """A picture as the network takes it."""
    canvas, _ = letterbox(image, SIZE)
    normal = (canvas - np.asarray(INPUT.mean, np.float32)) / np.asarray(INPUT.std, np.float32)
    return np.ascontiguousarray(normal.transpose(2, 0, 1)[None], np.float32)


def evenly(folder: Path, count: int) -> Iterator[Image]:
    """At most `count` frames, evenly over the videos in a folder and, in each, over its key frames
    or all frames.
    """
    videos = sorted(p for p in folder.rglob("*") if p.suffix.lower() in VIDEOS)
    if not videos:
        sys.exit(f"{folder}: no video found")
    each = max(1, count // len(videos))
    for path in videos[:: max(1, len(videos) // count)]:
        try:
            with av.open(str(path)) as container:
                images = [
                    f.to_ndarray(format="bgr24")
                    for i, f in enumerate(container.decode(video=0))
                    if i % 20 == 0
                ]
        except av.error.FFmpegError:
            continue
        yield from (
            images[i] for i in np.unique(np.linspace(0, len(images) - 1, each).round().astype(int))
        )


def measure(original: Path, variant: Path, pets: Path, every: int) -> list[dict[str, object]]:
    """Average precision at overlap 0.5 and CPU time a frame, one thread: the original on both
    runtimes, the variant.
    """
    files: dict[tuple[str, RuntimeName], Path] = {
        ("original", "onnxruntime"): original,
        ("original", "openvino"): original,
        ("int8", "openvino"): variant,
    }
    names = list(files)
    score = ENTRY.thresholds["score"]
    overlap = ENTRY.thresholds["overlap"]
    made = {n: NanoDet(Session(files[n], n[1], 1), INPUT, SIZE, score, overlap) for n in names}
    found: dict[tuple[str, str], list[Boxes]] = {n: [] for n in names}
    spent: dict[tuple[str, str], list[float]] = {n: [] for n in names}
    numbers = []
    for i, (_, image) in enumerate(pets_data.frames(pets)):
        if i % every:
            continue
        numbers.append(i)
        for (
            name,
            detector,
        ) in made.items():  # side by side, so that the machine's other work weighs on all alike
            start = time.process_time()
            found[name] += detector.detect([image])
            spent[name].append(time.process_time() - start)
    boxes = dict(list(pets_data.read_truth(pets).groupby("frame")[BOX]))
    truth = [boxes[n].to_numpy(float) if n in boxes else np.zeros((0, 4)) for n in numbers]
    return [_row(name, found[name], spent[name], truth) for name in names]


def hits(found: Boxes, true: np.ndarray) -> np.ndarray:
    """(n,) whether each box takes a true one that no better box took, at an overlap of one half."""
    overlap = box_iou_batch(found.xyxy, true)
    out = np.zeros(len(found), bool)
    for i in range(len(found)):  # best first, as detectors give them
        if len(true) and overlap[i].max() >= 0.5:
            out[i] = True
            overlap[:, overlap[i].argmax()] = 0
    return out


def _row(
    name: tuple[str, str], found: list[Boxes], spent: list[float], truth: list[np.ndarray]
) -> dict[str, object]:
    hit = np.concatenate([hits(boxes, true) for boxes, true in zip(found, truth, strict=True)])
    score = np.concatenate([boxes.score for boxes in found])
    wanted = sum(map(len, truth))
    sure = score >= SURE
    return {
        "file": name[0],
        "runtime": name[1],
        "frames": len(truth),
        "ms_a_frame": float(np.median(spent[1:]) * 1e3),  # the first compiles
        "boxes": wanted,
        "ap": average_precision(score, hit, wanted),
        "precision": float(hit[sure].mean()),
        "recall": float(hit[sure].sum() / wanted),
    }


if __name__ == "__main__":
    main()
