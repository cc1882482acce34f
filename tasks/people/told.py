"""What faces, pointing and clothes say of a person up to a moment, and from it on: where the two
contradict each other somebody was taken for somebody else in between.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data_contracts.time import seconds_of
from tasks.people.all_evidence import TOGETHER
from tasks.people.face_evidence import SightSettings, each_face

Array = NDArray[np.float64]
_KEY = ["camera_id", "t_utc", "x0", "y0", "x1", "y1"]
# More than this is said by nothing: odds of 20,000 to 1. Chosen.
_MOST = 10.0


def tell(
    keyed: pd.DataFrame,
    settings: SightSettings,
    pointed: Mapping[str, Sequence[pd.Timestamp]] | None = None,
) -> pd.DataFrame:
    """For each row of `keyed` (TRACKS with `person`, and `llr` of looks where they were compared)
    the log likelihood ratios (the subject : somebody else) of what was seen of its person `before`
    and at this time, and at and `after` it.

    `pointed`: when persons were pointed at.
    """
    rows = keyed.sort_values("t_utc", kind="stable").reset_index(drop=True)
    face = np.nan_to_num(each_face(rows, settings))
    llr = rows["llr"].to_numpy(float) if "llr" in rows else np.full(len(rows), np.nan)
    before = np.zeros(len(rows))
    after = np.zeros(len(rows))
    for person, own in rows.groupby("person").indices.items():
        at = seconds_of(rows["t_utc"].iloc[own])
        for side, way in ((before, own), (after, own[::-1])):
            seconds = at if way is own else -at[::-1]
            faces = _so_far(face[way], seconds, settings)
            side[way] = np.clip(faces + _clothes_so_far(llr[way]), -_MOST, _MOST)
        for point in (pointed or {}).get(str(person), ()):
            before[own] += settings.pointed * (rows["t_utc"].iloc[own] >= point)
            after[own] += settings.pointed * (rows["t_utc"].iloc[own] <= point)
    return rows[_KEY].assign(before=before, after=after)


def said_of(tracks: pd.DataFrame, told: pd.DataFrame) -> Array:
    """(n, 2) what `told` says before and after each row of TRACKS; 0 where it says nothing."""
    once = told.drop_duplicates(_KEY)
    both = tracks[_KEY].merge(once, how="left", on=_KEY, validate="many_to_one")
    return np.nan_to_num(both[["before", "after"]].to_numpy(float))


def _so_far(face: Array, at: Array, settings: SightSettings) -> Array:
    """(n,) log odds of all faces up to each, as `face_evidence` adds them up."""
    second = np.floor((at - at[0]) / settings.look_s).astype(int) if len(at) else at
    _, index = np.unique(second, return_inverse=True)
    seen = (face != 0).astype(float)
    pooled = np.bincount(index, face) / np.maximum(np.bincount(index, seen), 1.0)
    weight = np.abs(pooled)
    effective = np.cumsum(weight) ** 2 / np.maximum(np.cumsum(weight**2), 1e-12)
    total = np.cumsum(pooled) / (1 + np.maximum(effective - 1, 0.0) * settings.correlation)
    return np.asarray(total[index])


def _clothes_so_far(llr: Array) -> Array:
    """(n,) what the clothes say up to each: they are one look."""
    known = np.isfinite(llr)
    count = np.cumsum(known)
    return TOGETHER * np.cumsum(np.where(known, llr, 0.0)) / np.maximum(count, 1)
