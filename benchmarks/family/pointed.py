"""The one instant at which somebody points at the subject of a scene."""

from __future__ import annotations

import numpy as np

from benchmarks.truth import Truth
from data_contracts.pointing import Pointing

# Somebody is pointed at where a person at the screen sees them well.
_VISIBLE = 0.8


def pointed_at(truth: Truth, subject: str, number: int) -> Pointing:
    """An instant drawn by the story's `number` at which a camera sees the subject well, at the
    middle of their box.
    """
    boxes = truth.boxes[
        (truth.boxes["person"] == subject)
        & (truth.boxes["visible"] >= _VISIBLE)
        & (truth.boxes["footage"] == "ok")
    ]
    row = boxes.iloc[int(np.random.default_rng([number, 1]).integers(len(boxes)))]
    return Pointing(
        camera_id=str(row["camera"]),
        t_utc=row["t_utc"].to_pydatetime(),
        x_px=float(row["x0"] + row["x1"]) / 2,
        y_px=float(row["y0"] + row["y1"]) / 2,
        pointed_by="account:benchmark",
    )
