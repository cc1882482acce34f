"""Where a face, pointing or two reviewers tie a track to the subject: what looks may be learnt
from.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from data_contracts.pointing import Pointing
from data_contracts.tables.contracts import TRACKS
from tasks.people.pointed import pointed_tracks

# So long before and after, a track is still theirs: farther away it may have gone over to somebody
# else where people met. Chosen.
TIE_S = 10.0
_TIES = ("face", "pointed", "confirmed")


def tied_rows(
    tracks: pd.DataFrame, sightings: pd.DataFrame, points: Sequence[Pointing] = ()
) -> pd.DataFrame:
    """The rows (TRACKS) of surely the subject's tracks within `TIE_S` of a face that was proposed,
    or of an instant at which they were pointed at; tracks that two reviewers confirmed, whole.
    """
    sure = sightings[(sightings["band"] == "high") & sightings["basis"].isin(_TIES)]
    own = tracks.merge(sure[["camera_id", "track_id", "basis"]], on=["camera_id", "track_id"])
    if own.empty:
        return TRACKS.empty()
    ties = own.loc[own["subject_p"].notna(), ["camera_id", "track_id", "t_utc"]]
    moments = {key: list(part["t_utc"]) for key, part in ties.groupby(["camera_id", "track_id"])}
    for point in points:
        for key in pointed_tracks(tracks, (point,)):
            moments.setdefault(key, []).append(pd.Timestamp(point.t_utc))
    near = [
        part[(part["basis"] == "confirmed") | _within(part["t_utc"], moments.get(key, []))]
        for key, part in own.groupby(["camera_id", "track_id"])
    ]
    return TRACKS.shape(pd.concat(near, ignore_index=True))


def _within(times: pd.Series, moments: list[pd.Timestamp]) -> np.ndarray:
    away = [(times - moment).abs().dt.total_seconds() <= TIE_S for moment in moments]
    return np.any(away, axis=0) if away else np.zeros(len(times), bool)
