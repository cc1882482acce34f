"""What faces say: evidence fused over a track and over the person that it was joined to.

Each look adds its log likelihood ratio; looks a second apart share pose and light, so they are
pooled by the second and damped by their correlation. A face that was compared and not proposed
speaks against, the more the larger it is: a person whose face was well seen and is not the
subject's never becomes the subject by a lucky look.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from data_contracts.policy import SearchSettings
from data_contracts.record import Record
from data_contracts.time import seconds_of

Array = NDArray[np.float64]


# Who is less likely than this is nobody's rival. Chosen.
_RIVAL = 0.05


class SightSettings(Record):
    """How looks add up. Where no source stands, a number is chosen and was not varied; what they do
    together is tried in tests/tasks/people/test_sight.py.

    `look_s`: looks within it share pose and light and count once (`tasks.people.mask_over_time`
    takes the same). `correlation`: between looks of different seconds; many looks count as 1 /
    correlation independent ones. Chosen. `miss_*`: log likelihood ratio of a bare face compared and
    not proposed, at 32 and from 64 px on: a proposal that misses 7 of 10 of the subject's own faces
    at 32 px and 1 of 10 at 64 px. Assumed, not measured on enough footage. `masked_share` of it
    counts when the face wears a mask: those are missed more often. Assumed. `apart_m`, `apart_s`:
    two people are at different places when their mean positions over this time are this far apart:
    ten times the median error of a position (0.10 m, docs/accuracy.md), for as long as `look_s`.
    `pointed`: log odds of somebody who was pointed at: of 150 who say "this is the subject" one
    errs. Chosen. `reviewed`: of somebody whom two reviewers confirmed, and against one whom they
    rejected: of 3,000 pairs who agree one errs. Chosen.
    """

    look_s: float = Field(default=1.0, gt=0)
    correlation: float = Field(default=0.2, ge=0, le=1)
    miss_small: float = Field(default=-0.35, le=0)
    miss_large: float = Field(default=-2.2, le=0)
    masked_share: float = Field(default=0.15, ge=0, le=1)
    apart_m: float = Field(default=1.0, gt=0)
    apart_s: float = Field(default=1.0, gt=0)
    pointed: float = Field(default=5.0, ge=0)
    reviewed: float = Field(default=8.0, ge=0)


def by_ties(
    keyed: pd.DataFrame, settings: SightSettings, told: Mapping[str, float] | None = None
) -> dict[str, float]:
    """Probability of each person of whom a face was proposed, or of whom somebody has said whether
    they are the subject (`told`: log odds).
    """
    evidence = tie_evidence(keyed, settings, told)
    tied = sorted(_proposed(keyed) | set(told or {}))
    return _exclusive({p: evidence[p] for p in tied}, keyed, settings)


def tie_evidence(
    keyed: pd.DataFrame, settings: SightSettings, told: Mapping[str, float] | None = None
) -> dict[str, float]:
    """Log odds of each person whose face was compared, or of whom somebody has said it."""
    evidence = face_evidence(keyed, settings)
    return evidence | {p: evidence.get(p, 0.0) + odds for p, odds in (told or {}).items()}


def _proposed(keyed: pd.DataFrame) -> set[str]:
    return {str(p) for p in keyed.loc[keyed["subject_p"].notna(), "person"]}


def face_evidence(keyed: pd.DataFrame, settings: SightSettings) -> dict[str, float]:
    """Log odds of each person whose face was compared."""
    faces = keyed[keyed["face_px"].notna()]
    return {str(p): _evidence(rows, settings) for p, rows in faces.groupby("person", sort=True)}


def _evidence(looks: pd.DataFrame, settings: SightSettings) -> float:
    """Log odds that these faces, all one person's, are the subject's.

    The calibrated probabilities are used as if made at even odds; their prior is lower, which only
    makes this cautious.
    """
    each = each_face(looks, settings)
    at = seconds_of(looks["t_utc"])
    _, index = np.unique(np.floor(at / settings.look_s), return_inverse=True)
    pooled = np.bincount(index, each) / np.bincount(index)
    # Looks that say next to nothing do not count as looks (Kish's effective number).
    weight = np.abs(pooled)
    effective = weight.sum() ** 2 / max(float((weight**2).sum()), 1e-12)
    return float(pooled.sum() / (1 + max(effective - 1, 0.0) * settings.correlation))


def each_face(looks: pd.DataFrame, settings: SightSettings) -> Array:
    """(n,) what each face says, as log odds; NaN where none was compared."""
    p = np.clip(looks["subject_p"].to_numpy(float, na_value=np.nan), 1e-4, 1 - 1e-4)
    against = np.where(looks["face_px"].notna(), _against(looks, settings), np.nan)
    return np.where(np.isnan(p), against, np.log(p / (1 - p)))


def _against(looks: pd.DataFrame, settings: SightSettings) -> Array:
    """(n,) what each face would say if it was compared and not proposed."""
    width = looks["face_px"].to_numpy(float)
    bare = np.interp(
        np.log2(np.maximum(width, 1.0)),
        np.log2([32.0, 64.0]),
        [settings.miss_small, settings.miss_large],
    )
    masked = np.nan_to_num(looks["mask_p"].to_numpy(float, na_value=np.nan), nan=0.5)
    return bare * (1 - masked * (1 - settings.masked_share))


def rivals_by_ties(
    found: Mapping[str, float],
    keyed: pd.DataFrame,
    search: SearchSettings,
    settings: SightSettings,
) -> dict[str, str]:
    """`rivals_of` people who were found by ties alone."""
    where = {p: whereabouts(keyed[keyed["person"] == p], settings) for p in found}
    return rivals_of(found, lambda a, b: apart(where[a], where[b], settings), search)


def rivals_of(
    found: Mapping[str, float], elsewhere: Callable[[str, str], bool], search: SearchSettings
) -> dict[str, str]:
    """Of each person who is a question, the likeliest of those who may be the subject in their
    place: seen `elsewhere` at the same time.
    """
    rivals = {}
    for name, chance in found.items():
        if search.propose_probability <= chance < search.high_probability:
            others = [p for p, c in found.items() if p != name and c >= _RIVAL]
            away = [p for p in others if elsewhere(name, p)]
            if away:
                rivals[name] = max(away, key=lambda p: (found[p], p))
    return rivals


def _exclusive(
    evidence: dict[str, float], keyed: pd.DataFrame, settings: SightSettings
) -> dict[str, float]:
    """Probability of each person, given that of those at different places at one time only one can
    be the subject.
    """
    odds = {p: float(np.exp(np.clip(value, -30, 30))) for p, value in evidence.items()}
    where = {p: whereabouts(keyed[keyed["person"] == p], settings) for p in odds}
    return {
        p: o
        / (1 + o + sum(odds[q] for q in odds if q != p and apart(where[p], where[q], settings)))
        for p, o in odds.items()
    }


def whereabouts(rows: pd.DataFrame, settings: SightSettings) -> pd.DataFrame:
    """Mean position in each stretch of `apart_s`; the camera too, for tracks without positions."""
    ns = round(settings.apart_s * 1e9)
    tick = rows["t_utc"].astype("int64") * 1000 // ns
    return rows.assign(tick=tick).groupby("tick").agg(x_m=("x_m", "mean"), y_m=("y_m", "mean"))


def apart(a: pd.DataFrame, b: pd.DataFrame, settings: SightSettings) -> bool:
    """Whether two people were at different places at one time: in most of the time that they have
    in common.
    """
    _, rows_a, rows_b = np.intersect1d(a.index, b.index, assume_unique=True, return_indices=True)
    if not len(rows_a):
        return False
    gap = a.to_numpy(float)[rows_a] - b.to_numpy(float)[rows_b]
    # Without positions two tracks at one time are two people.
    away = np.nan_to_num(np.hypot(gap[:, 0], gap[:, 1]), nan=np.inf)
    return bool(np.mean(away > settings.apart_m) > 0.5)
