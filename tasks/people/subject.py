"""Which tracks are the subject's: face evidence fused over a track and over the person that it was
joined to.

Each look adds its log likelihood ratio; looks a second apart share pose and light, so they are
pooled by the second and damped by their correlation. A face that was compared and not proposed
speaks against, the more the larger it is: a person whose face was well seen and is not the
subject's never becomes the subject by a lucky look.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from data_contracts.authorisation import AuthorisedCase
from data_contracts.policy import SearchSettings
from data_contracts.record import Record
from data_contracts.tables.contracts import LOOKS, MEMBERS, SIGHTINGS
from data_contracts.time import seconds_of
from tasks.consent.authorise import require
from tasks.people.way import Crowd, Presence, chances

Array = NDArray[np.float64]


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
    """

    look_s: float = Field(default=1.0, gt=0)
    correlation: float = Field(default=0.2, ge=0, le=1)
    miss_small: float = Field(default=-0.35, le=0)
    miss_large: float = Field(default=-2.2, le=0)
    masked_share: float = Field(default=0.15, ge=0, le=1)
    apart_m: float = Field(default=1.0, gt=0)
    apart_s: float = Field(default=1.0, gt=0)


def sight(
    case: AuthorisedCase,
    tracks: pd.DataFrame,
    members: pd.DataFrame,
    search: SearchSettings,
    settings: SightSettings | None = None,
    looks: pd.DataFrame | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Sightings (contract SIGHTINGS) and members with `subject_p` (contract MEMBERS).

    Every track of a person who is probably the subject is a sighting: by face where its own faces
    were proposed, by looks where its own clothes speak for it, else by position. A track that was
    joined to no one (no calibration) stands for itself. Of people who were at different places at
    one time, at most one can be the subject. With `looks` (contract LOOKS), faces, clothes and the
    way between people add up (`tasks.people.way`). Raises NotAuthorised without the face scope, and
    without the appearance scope where there are looks.
    """
    require(case, "face")
    settings = settings or SightSettings()
    if tracks.empty:
        return SIGHTINGS.empty(), MEMBERS.shape(members)
    owner = _owners(tracks, members)
    keyed = tracks.assign(
        person=[owner[key] for key in zip(tracks["camera_id"], tracks["track_id"], strict=True)]
    )
    probability = _by_face(keyed, settings)
    if looks is not None and len(looks):
        require(case, "appearance")
        keyed = _with_looks(keyed, looks)
        probability = _by_way(keyed, search, settings)
    rows = []
    likely = [name for name, p in probability.items() if p >= search.propose_probability]
    for _, part in keyed[keyed["person"].isin(likely)].groupby(
        ["camera_id", "track_id"], sort=True
    ):
        rows.append(_sighting(part, probability[str(part["person"].iloc[0])], search))
    rows.sort(key=lambda row: (row["start_utc"], row["camera_id"], row["track_id"]))
    for i, row in enumerate(rows, start=1):
        row["sighting_id"] = f"S-{i:02d}"
    return SIGHTINGS.shape(rows), MEMBERS.shape(
        members.assign(subject_p=members["person_id"].map(probability))
    )


def _owners(tracks: pd.DataFrame, members: pd.DataFrame) -> dict[tuple[Any, Any], str]:
    """The person of each (camera, track); tracks joined to no one stand for themselves."""
    owner: dict[tuple[Any, Any], str] = {
        (camera, number): f"{camera}/{number}"
        for camera, number in zip(tracks["camera_id"], tracks["track_id"], strict=True)
    }
    owner |= dict(
        zip(
            zip(members["camera_id"], members["track_id"], strict=True),
            members["person_id"].astype(str),
            strict=True,
        )
    )
    return owner


def _by_face(keyed: pd.DataFrame, settings: SightSettings) -> dict[str, float]:
    """Probability of each person of whom a face was proposed."""
    evidence = _face_evidence(keyed, settings)
    return _exclusive({p: evidence[p] for p in sorted(_proposed(keyed))}, keyed, settings)


def _proposed(keyed: pd.DataFrame) -> set[str]:
    return {str(p) for p in keyed.loc[keyed["subject_p"].notna(), "person"]}


def _face_evidence(keyed: pd.DataFrame, settings: SightSettings) -> dict[str, float]:
    """Log odds of each person whose face was compared."""
    faces = keyed[keyed["face_px"].notna()]
    return {str(p): _evidence(rows, settings) for p, rows in faces.groupby("person", sort=True)}


def _with_looks(keyed: pd.DataFrame, looks: pd.DataFrame) -> pd.DataFrame:
    """The tracks' rows with `llr` of the looks that were compared, by camera, time and box."""
    key = ["camera_id", "t_utc", "x0", "y0", "x1", "y1"]
    once = LOOKS.shape(looks).drop_duplicates(key)
    return keyed.merge(once[[*key, "llr"]], how="left", on=key, validate="many_to_one")


def _by_way(
    keyed: pd.DataFrame, search: SearchSettings, settings: SightSettings
) -> dict[str, float]:
    """Probability of each person for whom a face or clothes speak: all evidence together.

    Clothes of one person are one look, however often they are seen: the mean counts.
    """
    faces = _face_evidence(keyed, settings)
    clothes = keyed[keyed["llr"].notna()].groupby("person")["llr"].mean()
    proposed = _proposed(keyed)
    # Who has no place on the ground has no way: their clothes alone tie nobody to the subject.
    placed = {str(p) for p in keyed.loc[keyed["x_m"].notna(), "person"]}
    names = sorted(proposed | (placed & {str(p) for p in clothes.index[clothes > 0]}))
    where = {p: keyed[keyed["person"] == p] for p in names}
    begin = keyed["t_utc"].min()
    people = [
        _presence(p, rows, begin, faces.get(p, 0.0) + float(clothes.get(p, 0.0)), p in proposed)
        for p, rows in where.items()
    ]
    ticks = {p: _whereabouts(rows, settings) for p, rows in where.items()}
    return chances(
        people,
        lambda a, b: _apart(ticks[a], ticks[b], settings),
        _crowd(keyed),
        search.max_speed_mps,
    )


def _presence(
    name: str, rows: pd.DataFrame, begin: pd.Timestamp, log_odds: float, tied: bool
) -> Presence:
    rows = rows.sort_values("t_utc")
    at = seconds_of(rows["t_utc"], begin)
    place = rows[["x_m", "y_m"]].to_numpy(float)
    known = place[~np.isnan(place).any(axis=1)]
    ends = known[[0, -1]] if len(known) else np.full((2, 2), np.nan)
    return Presence(name, float(at[0]), float(at[-1]), ends[0], ends[1], log_odds, tied)


def _crowd(keyed: pd.DataFrame) -> Crowd:
    """How many people these tracks are, and how often one of them is new."""
    n = keyed["person"].nunique()
    pairs = keyed[["camera_id", "person"]].drop_duplicates()
    times = keyed["t_utc"]
    lasted_s = max((times.max() - times.min()).total_seconds(), 1.0)
    x_m, y_m = (float(keyed[c].max() - keyed[c].min()) for c in ("x_m", "y_m"))
    area_m2 = max(float(np.nan_to_num(x_m * y_m)), 1.0)
    a_camera = len(pairs) / keyed["camera_id"].nunique() / lasted_s
    return Crowd(n, a_camera, n / lasted_s / area_m2)


def _evidence(looks: pd.DataFrame, settings: SightSettings) -> float:
    """Log odds that these faces, all one person's, are the subject's.

    The calibrated probabilities are used as if made at even odds; their prior is lower, which only
    makes this cautious.
    """
    p = np.clip(looks["subject_p"].to_numpy(float, na_value=np.nan), 1e-4, 1 - 1e-4)
    against = _against(looks, settings)
    each = np.where(np.isnan(p), against, np.log(p / (1 - p)))
    at = seconds_of(looks["t_utc"])
    _, index = np.unique(np.floor(at / settings.look_s), return_inverse=True)
    pooled = np.bincount(index, each) / np.bincount(index)
    # Looks that say next to nothing do not count as looks (Kish's effective number).
    weight = np.abs(pooled)
    effective = weight.sum() ** 2 / max(float((weight**2).sum()), 1e-12)
    return float(pooled.sum() / (1 + max(effective - 1, 0.0) * settings.correlation))


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


def _exclusive(
    evidence: dict[str, float], keyed: pd.DataFrame, settings: SightSettings
) -> dict[str, float]:
    """Probability of each person, given that of those at different places at one time only one can
    be the subject.
    """
    odds = {p: float(np.exp(np.clip(value, -30, 30))) for p, value in evidence.items()}
    where = {p: _whereabouts(keyed[keyed["person"] == p], settings) for p in odds}
    return {
        p: o
        / (1 + o + sum(odds[q] for q in odds if q != p and _apart(where[p], where[q], settings)))
        for p, o in odds.items()
    }


def _whereabouts(rows: pd.DataFrame, settings: SightSettings) -> pd.DataFrame:
    """Mean position in each stretch of `apart_s`; the camera too, for tracks without positions."""
    ns = round(settings.apart_s * 1e9)
    tick = rows["t_utc"].astype("int64") * 1000 // ns
    return rows.assign(tick=tick).groupby("tick").agg(x_m=("x_m", "mean"), y_m=("y_m", "mean"))


def _apart(a: pd.DataFrame, b: pd.DataFrame, settings: SightSettings) -> bool:
    """Whether two people were at different places at one time: in most of the time that they have
    in common.
    """
    both = pd.concat([a.add_suffix("_a"), b.add_suffix("_b")], axis=1, join="inner")
    if both.empty:
        return False
    gap = both[["x_m_a", "y_m_a"]].to_numpy(float) - both[["x_m_b", "y_m_b"]].to_numpy(float)
    # Without positions two tracks at one time are two people.
    away = np.nan_to_num(np.hypot(gap[:, 0], gap[:, 1]), nan=np.inf)
    return bool(np.mean(away > settings.apart_m) > 0.5)


def _sighting(part: pd.DataFrame, probability: float, search: SearchSettings) -> dict[str, Any]:
    matched = part[part["subject_p"].notna()]
    by_looks = "llr" in part and part["llr"].mean() > 0
    return {
        "camera_id": str(part["camera_id"].iloc[0]),
        "track_id": int(part["track_id"].iloc[0]),
        "start_utc": part["t_utc"].min(),
        "end_utc": part["t_utc"].max(),
        "probability": probability,
        "band": "high" if probability >= search.high_probability else "question",
        "basis": "face" if len(matched) else "looks" if by_looks else "position",
        "n_faces": len(matched),
        "max_face_px": float(matched["face_px"].max()) if len(matched) else None,
        "x_m": float(part["x_m"].median()) if part["x_m"].notna().any() else None,
        "y_m": float(part["y_m"].median()) if part["y_m"].notna().any() else None,
        "review": "unreviewed",
    }
