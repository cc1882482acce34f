"""Whom somebody pointed at: the person in whose box the point lies, and that person's track."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data_contracts.authorisation import AuthorisedCase
from data_contracts.gap import gap_row
from data_contracts.pointing import Pointing
from data_contracts.tables.contracts import GAPS
from data_contracts.time import CLOCK_S, Interval
from tasks.consent.authorise import require

Array = NDArray[np.float64]

# A track has a box in each frame that was looked at; one that was lost for so long is not there.
POINT_WITHIN_S = 2.5 * CLOCK_S
_MISSED = (
    "somebody pointed at the subject here; nobody could be followed there, or whoever it is cannot "
    "be the subject beside what else was pointed at or seen"
)
_NOT_POINTED = "consent and approval name the appearance alone, and nobody was pointed at"
_ADVICE = "point at the subject: encounter case point, then run the case again"


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


def pointing_gaps(
    case: AuthorisedCase, sightings: pd.DataFrame, points: Sequence[Pointing]
) -> pd.DataFrame:
    """Rows of GAPS: points at which nobody was followed or who is pointed at is somebody else, and
    a case that has nothing to start from.
    """
    require(case)
    rows = [
        gap_row("not_seen", p.camera_id, Interval(p.t_utc, p.t_utc), _MISSED, _ADVICE)
        for p in points
        if not _met(sightings, p)
    ]
    if not points and "face" not in case.scopes:
        rows.append(gap_row("not_seen", "", case.span, _NOT_POINTED, _ADVICE))
    return GAPS.shape(rows)


def _met(sightings: pd.DataFrame, point: Pointing) -> bool:
    own = sightings[(sightings["basis"] == "pointed") & (sightings["camera_id"] == point.camera_id)]
    at = pd.Timestamp(point.t_utc)
    slack = pd.Timedelta(seconds=POINT_WITHIN_S)
    return bool(((own["start_utc"] - slack <= at) & (at <= own["end_utc"] + slack)).any())
