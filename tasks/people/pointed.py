"""Whom somebody pointed at: the person in whose box the point lies, and that person's track."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data_contracts.pointing import Pointing
from data_contracts.time import CLOCK_S

Array = NDArray[np.float64]

# A track has a box in each frame that was looked at; one that was lost for so long is not there.
POINT_WITHIN_S = 2.5 * CLOCK_S


def at_point(boxes: Array, x_px: float, y_px: float) -> int | None:
    """The row of the box (n, 4) in which a point lies; of several the one whose middle is nearest,
    as a share of its width. None where there is none.
    """
    middle = (boxes[:, 0] + boxes[:, 2]) / 2
    width = np.maximum(boxes[:, 2] - boxes[:, 0], 1.0)
    inside = (boxes[:, 0] <= x_px) & (x_px <= boxes[:, 2])
    inside &= (boxes[:, 1] <= y_px) & (y_px <= boxes[:, 3])
    away = np.where(inside, np.abs(x_px - middle) / width, np.inf)
    return int(np.argmin(away)) if inside.any() else None


def pointed_tracks(tracks: pd.DataFrame, points: Sequence[Pointing]) -> set[tuple[str, int]]:
    """(camera, track) of each person pointed at; a point at which nobody was tracked has none."""
    found = set()
    for point in points:
        rows = tracks[tracks["camera_id"] == point.camera_id]
        away_s = (rows["t_utc"] - pd.Timestamp(point.t_utc)).abs().dt.total_seconds()
        rows = rows.assign(away_s=away_s)[away_s <= POINT_WITHIN_S]
        # Each track's box that is nearest in time.
        rows = rows.sort_values("away_s", kind="stable").drop_duplicates("track_id")
        row = at_point(rows[["x0", "y0", "x1", "y1"]].to_numpy(float), point.x_px, point.y_px)
        if row is not None:
            found.add((point.camera_id, int(rows["track_id"].iloc[row])))
    return found
