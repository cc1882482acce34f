"""Recall and false alarms of the person detector on a synthetic site.

python -m benchmarks.accuracy.persons demo --size 640x384 --size 960x544
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from supervision import box_iou_batch

from benchmarks.accuracy.footage import frames
from models.registry import load
from models.settings import ModelSettings

SCORE = 0.35  # a box that starts a track; lower ones only keep one alive


def main() -> None:
    """Print a table for each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("site", type=Path)
    parser.add_argument("--size", action="append", default=None)
    parser.add_argument("--every", type=int, default=10)
    parser.add_argument("--runtime", default="auto")
    given = parser.parse_args()
    for size in given.size or ["640x384"]:
        measure(given.site, size, given.every, given.runtime)


def measure(site: Path, size: str, every: int, runtime: str) -> None:
    """Print recall by height and visibility, false boxes and time for one canvas size."""
    width, height = (int(v) for v in size.split("x"))
    detector = load(ModelSettings(person_size=(width, height), runtime=runtime)).person
    rows = []
    false = 0
    n = 0
    seconds = 0.0
    for frame in frames(site, every):
        start = time.process_time()
        found = detector.detect([frame.image])[0]
        seconds += time.process_time() - start
        boxes = found.xyxy[found.score >= SCORE]
        overlap = box_iou_batch(frame.truth[["x0", "y0", "x1", "y1"]].to_numpy(float), boxes)
        n += 1
        false += int((overlap.max(0) < 0.2).sum()) if len(frame.truth) else len(boxes)
        best = overlap.max(1) if len(boxes) else np.zeros(len(frame.truth))
        rows += [
            (r.y1 - r.y0, r.visible, b >= 0.5)
            for r, b in zip(frame.truth.itertuples(), best, strict=True)
        ]
    table = pd.DataFrame(rows, columns=["height", "visible", "hit"])
    print(
        f"{size}: {n} frames, {seconds / n * 1e3:.1f} ms CPU/frame, false boxes a frame "
        f"{false / n:.3f}"
    )
    for low, high in ((0.3, 0.7), (0.7, 1.01)):
        part = table[(table.visible >= low) & (table.visible < high)]
        print(
            f"  visible {low:.0%} to {min(high, 1):.0%}: recall {part.hit.mean():.3f} "
            f"(n={len(part)})"
        )
    clear = table[table.visible >= 0.7]
    for tall, part in clear.groupby(
        pd.cut(clear.height, [0, 60, 90, 120, 180, 300, 800]), observed=True
    ):
        print(f"    height {tall} px: {part.hit.mean():.3f} (n={len(part)})")


if __name__ == "__main__":
    main()
