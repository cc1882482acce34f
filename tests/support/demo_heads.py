"""The demo's true boxes, detectors that see nobody, and how much of a face is left in a picture."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from tasks.redaction.redact import Detectors, Found

DEMO = Path(__file__).parents[2] / "demo"


@lru_cache
def boxes(camera: str) -> pd.DataFrame:
    """True boxes of one camera."""
    table = pd.read_csv(DEMO / "truth" / "boxes.csv")
    table = table[table["camera"] == camera]
    return table.assign(
        t_utc=pd.to_datetime(table["t_utc"], utc=True).astype("datetime64[us, UTC]")
    )


def nobody(images: list[np.ndarray]) -> list[Found]:
    """A detector that misses everybody."""
    return [(np.zeros((0, 4)), np.zeros(0)) for _ in images]


BLIND = Detectors(people=nobody)


def now(camera: str, time) -> pd.DataFrame:
    """True boxes at a frame's time."""
    table = boxes(camera)
    return table[(table["t_utc"] - pd.Timestamp(time)).abs() < timedelta(milliseconds=60)]


def alike(a: np.ndarray, b: np.ndarray, where: np.ndarray) -> float:
    """Correlation of detail finer than a fifth of the head, in a mask; 0 where there is none."""
    sigma = max(1.5, np.sqrt(where.sum()) / 6)
    fine = [
        (im.astype(float) - cv2.GaussianBlur(im.astype(float), (0, 0), sigma))[where].ravel()
        for im in (a, b)
    ]
    if min(part.std() for part in fine) < 1e-6:
        return 0.0
    return float(np.corrcoef(fine[0], fine[1])[0, 1])
