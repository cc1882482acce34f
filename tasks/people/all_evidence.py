"""Faces, clothes and ways together: what is known of each person, as the chains of
`tasks.people.way` take it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from data_contracts.camera import Site
from data_contracts.policy import SearchSettings
from data_contracts.tables.contracts import LOOKS
from data_contracts.time import seconds_of
from tasks.people.face_evidence import SightSettings, apart, rivals_of, tie_evidence, whereabouts
from tasks.people.height_evidence import height_evidence
from tasks.people.step import Crowd, Presence
from tasks.people.way import chances

# Of several bodies of a person the mean ratio says so much more than one body's: the line that fits
# people of the sites by which `tasks.observe.looks` was fitted (`benchmarks.accuracy.looks`).
TOGETHER = 1.25
_SEVERAL = 3
# People among whom chains are sought: the sums cost its square.
_MOST_PEOPLE = 1500


def by_way(
    keyed: pd.DataFrame,
    alone: dict[str, float],
    told: Mapping[str, float],
    search: SearchSettings,
    settings: SightSettings,
    looks: Mapping[str, float] | None = None,
) -> tuple[dict[str, float], dict[str, str]]:
    """Probability of each person who is tied to the subject (`alone`: how surely, by that alone),
    and of those who are by ties, `looks` (by default clothes alone) and ways together. Who has no
    place on the ground has no way: only a face or somebody's word (`told`) ties them to the
    subject.

    And of each who is a question the likeliest of those who may be the subject in their place: seen
    at the same time elsewhere.
    """
    ties = tie_evidence(keyed, settings, told)
    looks = clothes_evidence(keyed) if looks is None else looks
    placed = {str(p) for p in keyed.loc[keyed["x_m"].notna(), "person"]}
    # In a crowd larger than this, those in unlike clothes are left out.
    names = sorted(placed | set(alone), key=lambda p: (p not in alone, -looks.get(p, 0.0), p))
    rows = {str(p): part for p, part in keyed.groupby("person", sort=True)}
    begin = keyed["t_utc"].min()
    people = [
        replace(
            _presence(p, rows[p], begin),
            log_odds=ties.get(p, 0.0),
            tied=p in alone,
            clothes=looks.get(p, 0.0),
            sure=alone.get(p, 0.0) >= search.high_probability,
        )
        for p in names[:_MOST_PEOPLE]
    ]
    where = {p.name: whereabouts(rows[p.name], settings) for p in people}
    elsewhere = partial(_elsewhere, where, settings)
    found = chances(people, elsewhere, _crowd(keyed), search.max_speed_mps)
    return (
        {p: c for p, c in found.items() if p in alone or c >= search.propose_probability},
        rivals_of(found, elsewhere, search),
    )


def _elsewhere(
    where: Mapping[str, pd.DataFrame], settings: SightSettings, one: str, other: str
) -> bool:
    return apart(where[one], where[other], settings)


def looks_evidence(
    keyed: pd.DataFrame, alone: Mapping[str, float], search: SearchSettings, site: Site | None
) -> dict[str, float]:
    """Log likelihood ratio of each person's clothes and body height together; of the clothes alone
    where no `site` says where the cameras stand.
    """
    clothes = clothes_evidence(keyed)
    if site is None:
        return clothes
    sure = {p for p, chance in alone.items() if chance >= search.high_probability}
    height = height_evidence(keyed, site, sure)
    return {p: clothes.get(p, 0.0) + height.get(p, 0.0) for p in {*clothes, *height}}


def clothes_evidence(keyed: pd.DataFrame) -> dict[str, float]:
    """Log likelihood ratio of each person's clothes (`with_looks`). They are one look, however
    often they are seen: the mean of the ratios counts, a little more than one of them.
    """
    judged = keyed[keyed["llr"].notna()].groupby("person")["llr"].agg(["mean", "size"])
    together = np.where(judged["size"] >= _SEVERAL, TOGETHER, 1.0) * judged["mean"]
    return dict(zip(judged.index.astype(str), together.astype(float), strict=True))


def _presence(name: str, rows: pd.DataFrame, begin: pd.Timestamp) -> Presence:
    rows = rows.sort_values("t_utc")
    at = seconds_of(rows["t_utc"], begin)
    place = rows[["x_m", "y_m"]].to_numpy(float)
    known = place[~np.isnan(place).any(axis=1)]
    ends = known[[0, -1]] if len(known) else np.full((2, 2), np.nan)
    return Presence(name, float(at[0]), float(at[-1]), ends[0], ends[1])


def _crowd(keyed: pd.DataFrame) -> Crowd:
    """How often one of these people is new, before one camera and at one place."""
    pairs = keyed[["camera_id", "person"]].drop_duplicates()
    times = keyed["t_utc"]
    lasted_s = max((times.max() - times.min()).total_seconds(), 1.0)
    x_m, y_m = (max(float(keyed[c].max() - keyed[c].min()), 1.0) for c in ("x_m", "y_m"))
    area_m2 = x_m * y_m
    a_camera = len(pairs) / keyed["camera_id"].nunique() / lasted_s
    return Crowd(a_camera, keyed["person"].nunique() / lasted_s / area_m2)


def with_looks(keyed: pd.DataFrame, looks: pd.DataFrame) -> pd.DataFrame:
    """The tracks' rows with `llr` of the looks that were compared, by camera, time and box."""
    key = ["camera_id", "t_utc", "x0", "y0", "x1", "y1"]
    once = LOOKS.shape(looks).drop_duplicates(key)
    return keyed.merge(once[[*key, "llr"]], how="left", on=key, validate="many_to_one")
