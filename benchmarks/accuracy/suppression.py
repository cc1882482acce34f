"""Average precision of NanoDet on PETS09-S2L1 by score limit, suppression overlap and runtime.

    python -m benchmarks.accuracy.suppression PETS [--runtime openvino --runtime onnxruntime]
    [--json out.json]

NanoDet's own test lists boxes from score 0.05 on and suppresses at overlap 0.6
(github.com/RangiLyu/nanodet, nanodet/model/head/gfl_head.py, `multiclass_nms`). 0.1 and 0.5, one
box a person, is what the pipeline tracks. Boxes are found once a runtime and suppressed anew for
each setting. PETS is described in pets_data.py.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np
import pandas as pd

from benchmarks.accuracy import pets_data
from benchmarks.accuracy.detection import BOX, detection_figures
from models.files.manifest import ModelInput, read_manifest
from models.files.pull import model_path
from models.geometry import ONE_PERSON_OVERLAP, suppress
from models.interface import Boxes
from models.networks.nanodet import NanoDet
from models.runtime import Session
from models.settings import DEFAULT_CACHE, RuntimeName
from tasks.people.track import TrackSettings

ENTRY = read_manifest().entry("nanodet")
OWN = (0.05, 0.6)
# Score limit and overlap: what is tracked, NanoDet's own, and either one alone.
SETTINGS = ((ENTRY.thresholds["score"], ONE_PERSON_OVERLAP), (0.05, 0.5), (0.1, 0.6), OWN)
# All frames, and every fifth: the sample that AP was first measured on.
EVERY = (1, 5)


def main() -> None:
    """Print one row for each runtime and setting; write them as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pets", type=Path)
    parser.add_argument("--runtime", action="append", choices=get_args(RuntimeName))
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    truth = pets_data.read_truth(given.pets)
    rows = []
    for runtime in given.runtime or ["openvino"]:
        raw = everything(given.pets, runtime)
        rows += [{"runtime": runtime, **figures(raw, truth, *setting)} for setting in SETTINGS]
    print(pd.DataFrame(rows).to_string(index=False, float_format="{:.3f}".format))
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def everything(pets: Path, runtime: RuntimeName) -> list[Boxes]:
    """Every box from the lowest score limit on, nothing suppressed, frame by frame."""
    given = cast(ModelInput, ENTRY.input)
    session = Session(model_path("nanodet", DEFAULT_CACHE), runtime, 1)
    detector = NanoDet(
        session, given, (given.width, given.height), min(score for score, _ in SETTINGS), 1.0
    )
    return [detector.detect([image])[0] for _, image in pets_data.frames(pets)]


def figures(raw: list[Boxes], truth: pd.DataFrame, score: float, overlap: float) -> dict[str, Any]:
    """AP of all frames and of every fifth, precision and recall of all at the score that starts a
    track.
    """
    out: dict[str, Any] = {"score": score, "overlap": overlap}
    found = pd.concat(
        [_table(i, boxes, score, overlap) for i, boxes in enumerate(raw)], ignore_index=True
    )
    for every in EVERY:
        some, true = (table[table["frame"] % every == 0] for table in (found, truth))
        measured = detection_figures(some, true, TrackSettings().high_score)
        out[f"ap, every {every}"] = measured["ap"]
        if every == 1:
            out |= {key: measured[key] for key in ("precision", "recall")}
    return out


def _table(frame: int, boxes: Boxes, score: float, overlap: float) -> pd.DataFrame:
    listed = np.flatnonzero(boxes.score > score)
    kept = listed[suppress(boxes.xyxy[listed], boxes.score[listed], overlap)]
    table = pd.DataFrame(boxes.xyxy[kept].astype(float), columns=BOX)
    return table.assign(
        camera_id=pets_data.CAMERA,
        frame=frame,
        t_utc=pets_data.time_of(frame),
        score=boxes.score[kept],
    )


if __name__ == "__main__":
    main()
