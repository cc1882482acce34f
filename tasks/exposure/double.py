"""Who may be the subject once more: a track that was not joined with the subject's own.

Where one camera places somebody wrongly, the subject stands beside themselves, and for long. Two
people are two where a camera sees both at a time, in boxes that are apart. Without such proof, who
keeps nearer than people stand to each other, or who would stand at the subject's place at another
body height, may be the subject. That is said as a doubt of the encounter, which a person decides.
Nothing about anyone's looks is used.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from data_contracts.camera import Site
from data_contracts.record import Record
from data_contracts.tables.contracts import ENCOUNTERS
from data_contracts.time import CLOCK_S
from tasks.people.other_view import OtherViewSettings, one_height
from tasks.people.switched import share_inside

_BOX = ["x0", "y0", "x1", "y1"]
_TRACK = ["camera_id", "track_id"]


class DoubleSettings(Record):
    """When somebody near may be the subject again. Chosen for the reason beside each.

    `near_m`: nearer than people stand for long (Hall 1966: intimate distance, up to 0.46 m).
    `share` of an encounter's time without proof that is spent so near, or explained by one body
    height. `apart_s`: proof takes this long, longer than a wrong box lasts. `overlap`: boxes of
    which more than this share of the smaller one lies in the other may be of one body. `misfit`: as
    in `OtherViewSettings`, where 2 is expected of one body.
    """

    near_m: float = 0.4
    share: float = 0.5
    apart_s: float = 1.0
    overlap: float = 0.6
    misfit: float = 6.0


class People(NamedTuple):
    """TRACKS and MEMBERS of a site, and which persons are proposed as the subject."""

    tracks: pd.DataFrame
    members: pd.DataFrame
    subject_person_ids: set[str]
    site: Site

    def rows_of(self, person_ids: set[str]) -> pd.DataFrame:
        """Detected rows of these persons' tracks."""
        own = self.members[self.members["person_id"].isin(person_ids)]
        return self.tracks[self.tracks["score"] > 0].merge(own[_TRACK], on=_TRACK)


def with_doubts(
    encounters: pd.DataFrame,
    points: pd.DataFrame,
    people: People,
    settings: DoubleSettings | None = None,
) -> pd.DataFrame:
    """ENCOUNTERS with `doubt`: empty, or in words why this person may be the subject.

    `points`: their ENCOUNTER_POINTS.
    """
    settings = settings or DoubleSettings()
    subject = people.rows_of(people.subject_person_ids)
    doubts = []
    for row in encounters.to_dict("records"):
        at = points[points["encounter_id"] == row["encounter_id"]]
        person = _within(people.rows_of({row["person_id"]}), at)
        doubts.append(_doubt(at, _within(subject, at), person, people.site, settings))
    return ENCOUNTERS.shape(encounters.assign(doubt=pd.Series(doubts, encounters.index, dtype=str)))


def _within(rows: pd.DataFrame, points: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["t_utc"].between(points["t_utc"].min(), points["t_utc"].max())]


def _doubt(
    points: pd.DataFrame,
    subject: pd.DataFrame,
    person: pd.DataFrame,
    site: Site,
    settings: DoubleSettings,
) -> str:
    """Why one encounter's person may be the subject; empty where a camera told the two apart."""
    if _apart_s(subject, person, settings) >= settings.apart_s:
        return ""
    dt = points["dt_s"].to_numpy(float)
    near = np.hypot(*points[["dx_m", "dy_m"]].to_numpy(float).T) < settings.near_m
    if dt[near].sum() >= settings.share * dt.sum():
        return (
            f"may be the subject: within {settings.near_m:g} m for {dt[near].sum():.0f} s of "
            f"{dt.sum():.0f} s, and no camera saw the two apart"
        )
    fit = one_height(subject, person, site, OtherViewSettings(misfit=settings.misfit))
    if fit is not None and fit.common_s >= settings.share * dt.sum():
        return (
            f"may be the subject: somebody {fit.height_m:.2f} m tall would stand at the subject's "
            "place, and no camera saw the two apart"
        )
    return ""


def _apart_s(subject: pd.DataFrame, person: pd.DataFrame, settings: DoubleSettings) -> float:
    """For how long one camera saw both in boxes that are apart, in seconds."""
    both = subject.merge(person, on=["camera_id", "t_utc"], suffixes=("", "_other"))
    if both.empty:
        return 0.0
    one = both[_BOX].to_numpy(float)
    other = both[[f"{c}_other" for c in _BOX]].to_numpy(float)
    apart = both[share_inside(one, other) < settings.overlap]
    return float(apart["t_utc"].nunique() * CLOCK_S)
