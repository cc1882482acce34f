"""Where the subject's track has gone over to somebody else, because another camera sees the subject at another place.

Two people who part after a talk may exchange tracks: each box goes on smoothly, and nothing in the picture tells. A camera
from the side that kept them apart does. Nothing but position and time is used, and only of tracks that are the subject's.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]
# Beyond this and two deviations the places are not one person's; within it they are. Half of the distance at which people
# talk (Hall 1966: personal distance, 0.46 to 1.2 m): what is nearer to the subject elsewhere than to whom they talk to.
_APART_M = 0.5
_SIGMAS = 2.0
# Rows of two cameras at most this far apart in time are one moment: half of the frames' interval at 5 a second, and jitter.
_SAME_MOMENT = pd.Timedelta(milliseconds=150)
# Strayed stretches have smaller numbers than this; people drawn from other cameras have -1, -2 and on (`tasks.elsewhere`).
STRAYED = -1_000_000


def without_strayed(own: pd.DataFrame, tracks: pd.DataFrame, subject_tracks: pd.DataFrame) -> pd.DataFrame:
    """TRACKS of one camera (`own`) in which the strayed stretches of the subject's tracks are tracks of their own.

    `tracks`: TRACKS of all cameras; `subject_tracks`: camera_id and track_id of what is the subject's on any camera. A stretch
    reaches from the last place that agreed, or showed the subject's face, to the next one that does. Its number is new
    and negative, so that redaction takes it for a bystander.
    """
    if own.empty:
        return own
    camera = str(own["camera_id"].iloc[0])
    keys = set(zip(subject_tracks["camera_id"], subject_tracks["track_id"], strict=True))
    theirs = np.array([key in keys for key in zip(tracks["camera_id"], tracks["track_id"], strict=True)], bool)
    placed = tracks[theirs & (tracks["score"] > 0) & tracks["x_m"].notna() & (tracks["camera_id"] != camera)]
    elsewhere = [rows.sort_values("t_utc") for _, rows in placed.groupby("camera_id")]
    number = own["track_id"].to_numpy().copy()
    for strayed, track in enumerate(sorted(t for c, t in keys if c == camera), start=1):
        rows = np.flatnonzero(own["track_id"].to_numpy() == track)
        rows = rows[np.argsort(own["t_utc"].to_numpy()[rows], kind="stable")]
        number[rows[_strayed(own.iloc[rows], elsewhere)]] = STRAYED - strayed
    return own.assign(track_id=number)


def _strayed(rows: pd.DataFrame, elsewhere: list[pd.DataFrame]) -> NDArray[np.bool_]:
    """(n,) of one track's rows in order of time: where it is somebody else's."""
    far, agrees = np.zeros(len(rows), bool), rows["subject_p"].notna().to_numpy(bool, copy=True)
    for other in elsewhere:
        away, sd = _apart(rows, other)
        far |= away > _APART_M + _SIGMAS * sd
        agrees |= away <= _APART_M
    agrees &= ~far
    # Stretches between places that agree: each is strayed as a whole where any place in it is far.
    stretch = np.cumsum(agrees)
    return np.asarray(~agrees & np.isin(stretch, stretch[far]))


def _apart(rows: pd.DataFrame, other: pd.DataFrame) -> tuple[Array, Array]:
    """(n,) metres between a track and the subject as another camera sees them at the time, and their deviation; NaN where
    one of the two is not seen.

    Where that camera has two tracks of the subject, the nearer one.
    """
    seen = rows[(rows["score"] > 0) & rows["x_m"].notna()]
    at = rows["t_utc"].to_numpy()
    away, sd = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
    columns = ["t_utc", "x_m", "y_m", "cov_xx", "cov_xy", "cov_yy"]
    for _, track in other.groupby("track_id"):
        both = pd.merge_asof(
            seen[columns],
            track[columns],
            on="t_utc",
            suffixes=("", "_other"),
            direction="nearest",
            tolerance=_SAME_MOMENT,
        ).dropna()
        gap = both[["x_m", "y_m"]].to_numpy(float) - both[["x_m_other", "y_m_other"]].to_numpy(float)
        distance = np.hypot(*gap.T)
        xx, xy, yy = (
            both[c].to_numpy(float) + both[f"{c}_other"].to_numpy(float) for c in ("cov_xx", "cov_xy", "cov_yy")
        )
        along = gap / np.maximum(distance, 1e-6)[:, None]
        variance = along[:, 0] ** 2 * xx + 2 * along[:, 0] * along[:, 1] * xy + along[:, 1] ** 2 * yy
        index = np.searchsorted(at, both["t_utc"].to_numpy())
        better = ~(away[index] <= distance)
        away[index[better]], sd[index[better]] = distance[better], np.sqrt(variance[better])
    return away, sd
