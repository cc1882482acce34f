"""Frames of the demo footage with the true boxes of who is in them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from tasks.footage.reading import frames

DEMO = Path(__file__).parents[2] / "demo"
START = datetime(2026, 11, 16, tzinfo=UTC)
PICTURES = {p.name: p.read_bytes() for p in sorted((DEMO / "reference").glob("*.jpg"))}


def frames_at(camera, name, seconds):
    """(image, boxes (n, 4), names) of the frame `seconds` into the segment `MM.SS` of a camera."""
    minute, second = (int(v) for v in name.split("."))
    start = START + timedelta(minutes=minute, seconds=second)
    data = (DEMO / "footage" / camera / "2026-11-16" / "00" / f"{name}.mp4").read_bytes()
    frame = next(
        f for f in frames(data, start) if (f.t_utc - start).total_seconds() >= seconds - 0.01
    )
    truth = pd.read_csv(DEMO / "truth" / "boxes.csv", parse_dates=["t_utc"])
    here = truth[
        (truth["camera"] == camera) & (abs(truth["t_utc"] - frame.t_utc) < pd.Timedelta("50ms"))
    ]
    return frame.image, here[["x0", "y0", "x1", "y1"]].to_numpy(np.float64), list(here["person"])
