"""`python -m benchmarks.template [SITE]`: what the template's rotation costs beside the face
embedder, in CPU milliseconds.

SITE is laid out like demo/; its reference pictures are the faces. One thread; medians.
"""

from __future__ import annotations

import argparse
import os
import secrets
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from models.registry import load
from tasks.footage.picture import decode_picture
from tasks.observe.rotation import Rotation


def cpu_ms(work: Callable[[], object], times: int) -> float:
    """Median CPU time of a call."""
    taken = []
    for _ in range(times):
        start = time.process_time()
        work()
        taken.append(1000 * (time.process_time() - start))
    return statistics.median(taken)


def main() -> None:
    """Print one line a size, then the embedder's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("site", type=Path, nargs="?", default=Path("demo"))
    site = parser.parse_args().site
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    cv2.setNumThreads(1)
    print(f"{'size':>6} {'make R':>10} {'turn 1 face':>12} {'turn 8 faces':>13}")
    for d in (128, 512, 1024):
        made = cpu_ms(lambda d=d: Rotation(secrets.token_bytes(32)).apply(np.ones((1, d))), 7)
        rotation = Rotation(secrets.token_bytes(32))
        faces = np.ones((8, d), np.float32)
        one, eight = (
            cpu_ms(lambda n=n, r=rotation, f=faces: [r.apply(f[:n]) for _ in range(20)], 9) / 20
            for n in (1, 8)
        )
        print(f"{d:>6} {made:>10.2f} {one:>12.3f} {eight:>13.3f}")
    models = load()
    pictures = [
        decode_picture(p.name, p.read_bytes()) for p in sorted((site / "reference").glob("*.jpg"))
    ]
    marks = [faces.landmarks[0] for faces in models.face.detect(pictures)]
    embed = cpu_ms(lambda: models.embed_and_mask(pictures, marks), 9) / len(pictures)
    print(f"embedding and mask of one face: {embed:.1f}")


if __name__ == "__main__":
    main()
