"""What faces say: evidence fused over a track and over the person that it was joined to.

Each look adds its log likelihood ratio; looks a second apart share pose and light, so they are
pooled by the second and damped by their correlation. A face that was compared and not proposed
speaks against, the more the larger it is: a person whose face was well seen and is not the
subject's never becomes the subject by a lucky look.

A masked face seldom proposes anybody. Those of one person are taken together, over seconds, as a
likelihood ratio on what the search holds of anybody who comes by. They are one look, however often
they are seen: who is like the subject above the mask stays so. So their mean counts, and masked
faces alone are a question at most.
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
Bools = NDArray[np.bool_]

# More likely than not.
_AS_LIKELY = 0.5
# At most so many are asked about where nobody is proposed. Chosen.
_ASKED = 3
# Who is less likely than this is nobody's rival. Chosen.
_RIVAL = 0.05


class MaskedSettings(Record):
    """How masked faces of one person count together, fitted by `python -m
    benchmarks.accuracy.masked_faces` (docs/accuracy.md): `gain` times the mean over seconds of what
    each says less `offset_small` (at 32 px) to `offset_large` (from 64 px on), damped where few
    seconds are seen (`few_s`), within `least` and `most`.

    `miss`: what a face says that was compared and stays below the policy's `masked_llr`, in the
    mean over others. `prior`: who shows nothing but masked faces is the subject with this
    probability before they are looked at: the prior of the models' calibrations.
    """

    gain: float = Field(default=2.4, gt=0)
    offset_small: float = 0.9
    offset_large: float = 2.2
    few_s: float = Field(default=0.6, ge=0)
    miss: float = -0.8
    least: float = Field(default=-2.0, le=0)
    most: float = Field(default=4.0, ge=0)
    prior: float = Field(default=0.05, gt=0, lt=1)


class SightSettings(Record):
    """How looks add up. Where no source stands, a number is chosen and was not varied; what they do
    together is tried in tests/tasks/people/test_sight.py.

    `look_s`: looks within it share pose and light and count once (`tasks.people.mask_over_time`
    takes the same). `correlation`: between looks of different seconds; many looks count as 1 /
    correlation independent ones. Chosen. `miss_*`: log likelihood ratio of a bare face compared and
    not proposed, at 32 and from 64 px on: a proposal that misses 7 of 10 of the subject's own faces
    at 32 px and 1 of 10 at 64 px. Assumed, not measured on enough footage. `masked_share` of it
    counts where the face may wear a mask: those are missed more often. Assumed. `masked`: of faces
    that do. `apart_m`, `apart_s`: two people are at different places when their mean positions over
    this time are this far apart: ten times the median error of a position (0.10 m,
    docs/accuracy.md), for as long as `look_s`.
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
    masked: MaskedSettings = MaskedSettings()


def by_ties(
    keyed: pd.DataFrame, settings: SightSettings, told: Mapping[str, float] | None = None
) -> dict[str, float]:
    """Probability of each person of whom a face was proposed, or of whom somebody has said whether
    they are the subject (`told`: log odds); of those whose masked faces speak for the subject,
    where they are as likely as not.
    """
    proposed = _with(keyed, "subject_p") | set(told or {})
    chances = _of_tied(keyed, settings, told)
    return {p: c for p, c in chances.items() if p in proposed or c >= _AS_LIKELY}


def asked_of(keyed: pd.DataFrame, settings: SightSettings) -> dict[str, float]:
    """Probability of the few people whose masked faces speak for the subject the most: whom to ask
    about where nobody is proposed.
    """
    chances = _of_tied(keyed, settings, None)
    masked = _with(keyed, "masked_llr")
    some = [p for p, c in chances.items() if p in masked and c > settings.masked.prior]
    return {p: chances[p] for p in sorted(some, key=lambda p: (-chances[p], p))[:_ASKED]}


def _of_tied(
    keyed: pd.DataFrame, settings: SightSettings, told: Mapping[str, float] | None
) -> dict[str, float]:
    evidence = tie_evidence(keyed, settings, told)
    tied = _with(keyed, "subject_p") | _with(keyed, "masked_llr") | set(told or {})
    return _exclusive({p: evidence[p] for p in sorted(tied)}, keyed, settings)


def tie_evidence(
    keyed: pd.DataFrame, settings: SightSettings, told: Mapping[str, float] | None = None
) -> dict[str, float]:
    """Log odds of each person whose face was compared, or of whom somebody has said it."""
    evidence = face_evidence(keyed, settings)
    told = told or {}
    # A bare face's probability holds a prior already, and so does what somebody says.
    bare = _with(keyed[keyed["masked_llr"].isna()], "subject_p")
    anybody = _with(keyed, "masked_llr") - bare - set(told)
    prior = settings.masked.prior
    rare = float(np.log(prior / (1 - prior)))
    evidence |= {p: evidence[p] + rare for p in anybody}
    return evidence | {p: evidence.get(p, 0.0) + odds for p, odds in told.items()}


def _with(keyed: pd.DataFrame, column: str) -> set[str]:
    """The people of whom a face has this."""
    return {str(p) for p in keyed.loc[keyed[column].notna(), "person"]}


def speaks_by_face(tracks: pd.DataFrame) -> pd.Series:
    """Which rows (TRACKS) have a face that speaks for the subject: proposed, or masked."""
    return tracks["subject_p"].notna() | tracks["masked_llr"].notna()


def face_evidence(keyed: pd.DataFrame, settings: SightSettings) -> dict[str, float]:
    """Log odds of each person whose face was compared."""
    faces = keyed[keyed["face_px"].notna()]
    return {str(p): _evidence(rows, settings) for p, rows in faces.groupby("person", sort=True)}


def _evidence(looks: pd.DataFrame, settings: SightSettings) -> float:
    """Log odds that these faces, all one person's, are the subject's.

    The calibrated probabilities of bare faces are used as if made at even odds; their prior is
    lower, which only makes this cautious.
    """
    each = each_face(looks, settings)
    second = np.floor(seconds_of(looks["t_utc"]) / settings.look_s)
    masked = masked_faces(looks)
    bare = _by_second(each[~masked], second[~masked])
    behind = _by_second(each[masked], second[masked])
    return _bare(bare, settings) + _masked(behind, settings.masked)


def _by_second(each: Array, second: Array) -> Array:
    """(n,) the mean of what the faces of each second say."""
    _, index = np.unique(second, return_inverse=True)
    return np.asarray(np.bincount(index, each) / np.bincount(index)) if len(each) else each


def _masked(pooled: Array, settings: MaskedSettings) -> float:
    if not len(pooled):
        return 0.0
    together = settings.gain * len(pooled) / (len(pooled) + settings.few_s) * pooled.mean()
    return float(np.clip(together, settings.least, settings.most))


def _bare(pooled: Array, settings: SightSettings) -> float:
    if not len(pooled):
        return 0.0
    # Looks that say next to nothing do not count as looks (Kish's effective number).
    weight = np.abs(pooled)
    effective = weight.sum() ** 2 / max(float((weight**2).sum()), 1e-12)
    return float(pooled.sum() / (1 + max(effective - 1, 0.0) * settings.correlation))


def masked_faces(looks: pd.DataFrame) -> Bools:
    """(n,) which faces count as masked: those that spoke for the subject so, and those that were
    compared, are not proposed and rather wear a mask.
    """
    worn = looks["mask_p"].to_numpy(float, na_value=np.nan) >= _AS_LIKELY
    missed = looks["face_px"].notna() & looks["subject_p"].isna() & worn
    return np.asarray(looks["masked_llr"].notna() | missed, bool)


def each_face(looks: pd.DataFrame, settings: SightSettings) -> Array:
    """(n,) what each face says, as log odds; NaN where none was compared."""
    p = np.clip(looks["subject_p"].to_numpy(float, na_value=np.nan), 1e-4, 1 - 1e-4)
    against = np.where(looks["face_px"].notna(), _against(looks, settings), np.nan)
    bare = np.where(np.isnan(p), against, np.log(p / (1 - p)))
    behind = _behind_mask(looks, settings.masked)
    return np.where(masked_faces(looks), behind, bare)


def _behind_mask(looks: pd.DataFrame, settings: MaskedSettings) -> Array:
    """(n,) what each face would say if it was masked."""
    said = np.nan_to_num(looks["masked_llr"].to_numpy(float, na_value=np.nan), nan=settings.miss)
    return said - _by_width(looks, settings.offset_small, settings.offset_large)


def _by_width(looks: pd.DataFrame, small: float, large: float) -> Array:
    """(n,) from `small` at 32 px to `large` from 64 px on."""
    width = looks["face_px"].to_numpy(float, na_value=np.nan)
    return np.interp(np.log2(np.maximum(width, 1.0)), np.log2([32.0, 64.0]), [small, large])


def _against(looks: pd.DataFrame, settings: SightSettings) -> Array:
    """(n,) what each face would say if it was compared and not proposed."""
    bare = _by_width(looks, settings.miss_small, settings.miss_large)
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
