"""Which pictures to make: one still and one short clip per sighting and per contact. Pure; opens
nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from data_contracts.record import Record
from data_contracts.time import CLOCK_S, Interval, Utc

# Positions are on a common clock, frames on each camera's own: at most a step of the clock apart.
_SAME_INSTANT = pd.Timedelta(seconds=CLOCK_S)
# Who is asked about must be the same person through these: neighbours in time tell (see
# `tasks.redaction.still_subject`).
_QUESTION_S = 2.0


class PictureJob(Record):
    """One clip and still: `name` without suffix, camera, time span, best moment, the subject's
    tracks (likeliest first).
    """

    name: str
    camera_id: str
    start_utc: Utc
    end_utc: Utc
    still_utc: Utc
    subject_tracks: tuple[int, ...]


def plan_pictures(
    sightings: pd.DataFrame,
    contacts: pd.DataFrame,
    encounter_points: pd.DataFrame,
    tracks: pd.DataFrame,
    members: pd.DataFrame,
    *,
    clip_s: float = 6.0,
) -> list[PictureJob]:
    """Jobs in the order of the tables: SIGHTINGS, then CONTACTS. `clip_s`: longest clip, seconds.

    A sighting is pictured where its face is widest, else where its box is largest; a contact where
    the two are closest while both are seen by one camera. Rejected rows get no picture. A
    question's picture shows nobody: who is asked about may be a stranger (see `question_job`).
    """
    asked = sightings[sightings["review"] != "rejected"]
    sure = surely(asked)
    certain = set(sure["sighting_id"])
    jobs = [
        _of_sighting(row, tracks, clip_s, _own(row, sure) if row["sighting_id"] in certain else ())
        for row in asked.to_dict("records")
    ]
    wanted = contacts[contacts["review"] != "rejected"]
    jobs += [
        _of_contact(row, sure, encounter_points, tracks, members, clip_s)
        for row in wanted.to_dict("records")
    ]
    return [job for job in jobs if job is not None]


def surely(sightings: pd.DataFrame) -> pd.DataFrame:
    """The SIGHTINGS that may be shown as the subject in every picture: likely by a face, or
    confirmed. Whom clothes alone tell may be somebody else in like clothes.
    """
    shown = (sightings["band"] == "high") & (sightings["basis"] != "looks")
    return sightings[
        (sightings["review"] != "rejected") & (shown | (sightings["review"] == "confirmed"))
    ]


def question_job(row: dict[Any, Any], tracks: pd.DataFrame) -> PictureJob | None:
    """The short clip and still in which a reviewer sees whom a question (a row of SIGHTINGS) is
    about, and nobody else; None where the track has no box.
    """
    return _of_sighting(row, tracks, _QUESTION_S, (int(row["track_id"]),))


def _of_sighting(
    row: dict[Any, Any], tracks: pd.DataFrame, clip_s: float, own: tuple[int, ...]
) -> PictureJob | None:
    camera = str(row["camera_id"])
    track = int(row["track_id"])
    rows = tracks[
        (tracks["camera_id"] == camera) & (tracks["track_id"] == track) & (tracks["score"] > 0)
    ]
    if rows.empty:
        return None
    faces = rows[rows["subject_p"].notna() & rows["face_px"].notna()]
    by = (
        faces.sort_values("face_px")
        if len(faces)
        else rows.assign(px=rows["y1"] - rows["y0"]).sort_values("px")
    )
    best = by.iloc[-1]
    name = str(row["sighting_id"])
    return _picture_job(name, camera, best["t_utc"], _span_of(row), own, clip_s)


def _own(row: dict[Any, Any], sure: pd.DataFrame) -> tuple[int, ...]:
    """The subject's tracks on a sighting's camera, its own first."""
    track = int(row["track_id"])
    return (track, *sorted(_tracks_on(sure, str(row["camera_id"])) - {track}))


def _of_contact(
    row: dict[Any, Any],
    sure: pd.DataFrame,
    points: pd.DataFrame,
    tracks: pd.DataFrame,
    members: pd.DataFrame,
    clip_s: float,
) -> PictureJob | None:
    encounters = str(row["encounter_ids"]).split(",")
    mine = points[points["encounter_id"].isin([e.strip() for e in encounters]) & points["seen"]]
    person = members[members["person_id"] == row["person_id"]]
    if mine.empty or person.empty:
        return None
    best = _closest_on_one_camera(mine, sure, person, tracks)
    if best is None:
        return None
    camera, at = best
    name = str(row["contact_id"])
    own = tuple(sorted(_tracks_on(sure, camera)))
    return _picture_job(name, camera, at, _span_of(row), own, clip_s)


def _closest_on_one_camera(
    points: pd.DataFrame, sure: pd.DataFrame, person: pd.DataFrame, tracks: pd.DataFrame
) -> tuple[str, datetime] | None:
    """The camera and instant at which both are seen and the two are closest; larger boxes win
    between cameras.
    """
    distance = np.hypot(points["dx_m"], points["dy_m"])
    near = pd.DataFrame({"t_utc": points["t_utc"], "distance": distance}).sort_values("t_utc")
    seen = tracks[tracks["score"] > 0]
    best: tuple[float, float, str, datetime] | None = None
    for camera in sorted(set(person["camera_id"]) & set(sure["camera_id"])):
        here = seen[seen["camera_id"] == camera]
        subject = here[here["track_id"].isin(_tracks_on(sure, camera))]
        other = here[here["track_id"].isin(person.loc[person["camera_id"] == camera, "track_id"])]
        both = subject.merge(other, on="t_utc", suffixes=("", "_other"))
        both = pd.merge_asof(
            both.sort_values("t_utc"),
            near,
            on="t_utc",
            direction="nearest",
            tolerance=_SAME_INSTANT,
        )
        both = both.dropna(subset="distance").sort_values("distance", kind="stable")
        if both.empty:
            continue
        row = both.iloc[0]
        size = float(min(row["y1"] - row["y0"], row["y1_other"] - row["y0_other"]))
        # Distances are the same instant seen twice, so a decimetre decides, then the size.
        found = (round(float(row["distance"]), 1), -size, camera, row["t_utc"])
        best = found if best is None or found < best else best
    return None if best is None else (best[2], best[3])


def _span_of(row: dict[Any, Any]) -> Interval:
    return Interval(row["start_utc"], row["end_utc"])


def _tracks_on(sure: pd.DataFrame, camera: str) -> set[int]:
    return {int(t) for t in sure.loc[sure["camera_id"] == camera, "track_id"]}


def _picture_job(
    name: str, camera: str, at: datetime, whole: Interval, own: tuple[int, ...], clip_s: float
) -> PictureJob:
    """A clip of `clip_s` around a moment, within the `whole` time of what it shows."""
    span = timedelta(seconds=clip_s)
    least = timedelta(seconds=0.5)
    begin = max(whole.start_utc, at - span / 2)
    finish = min(whole.end_utc, begin + span)
    begin = max(whole.start_utc, finish - span)
    # A passing of a fraction of a second still needs frames around it.
    begin = min(begin, at - least)
    finish = max(finish, at + least)
    return PictureJob(
        name=name,
        camera_id=camera,
        start_utc=pd.Timestamp(begin).to_pydatetime(),
        end_utc=pd.Timestamp(finish).to_pydatetime(),
        still_utc=pd.Timestamp(at).to_pydatetime(),
        subject_tracks=own,
    )
