"""What a run leaves for people to decide: each sighting, each contact, and whether somebody is the
subject seen twice. Pure; opens nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from data_contracts.review import Question
from data_contracts.time import utc_of
from tasks.people.marked import TrackKey, mark_of
from tasks.review.reasons import Reason, of_contact, of_sighting
from tasks.review.worth import worth_of_contact, worth_of_sighting

_KEY = ["camera_id", "track_id"]


@dataclass(frozen=True)
class Results:
    """What a run found, as far as it is asked about: TRACKS, MEMBERS, SIGHTINGS, TRAJECTORY and
    CONTACTS.
    """

    tracks: pd.DataFrame
    members: pd.DataFrame
    sightings: pd.DataFrame
    trajectory: pd.DataFrame
    contacts: pd.DataFrame

    def rows_of(self, keys: set[TrackKey]) -> dict[TrackKey, pd.DataFrame]:
        """The rows of each of these tracks."""
        return {key: self._of_track[key] for key in sorted(keys) if key in self._of_track}

    @cached_property
    def _of_track(self) -> dict[TrackKey, pd.DataFrame]:
        parts = [rows for _, rows in self.tracks.groupby(_KEY)]
        keys = [(str(p["camera_id"].iloc[0]), int(p["track_id"].iloc[0])) for p in parts]
        return dict(zip(keys, parts, strict=True))

    def tracks_of(self, person_id: str) -> set[TrackKey]:
        """The tracks of an anonymous person."""
        own = self.members[self.members["person_id"] == person_id]
        return set(zip(own["camera_id"].astype(str), own["track_id"].astype(int), strict=True))


@dataclass(frozen=True)
class Open:
    """One question of a run: `name` as the report has it (S-03, C-01), the tracks that it is about,
    what an answer is worth (`tasks.review.worth`), what speaks for and against, the rival, and what
    the run says that reviewers decided.
    """

    name: str
    question: Question
    tracks: frozenset[TrackKey]
    worth: float
    reasons: tuple[Reason, ...]
    rival: str
    review: str

    def asked_before(self, question: Question, tracks: set[TrackKey]) -> bool:
        """Whether an earlier question, whose people own these `tracks` in the run, is about the
        same people at the same time.
        """
        if question.kind != self.question.kind:
            return False
        apart = (
            question.end_utc < self.question.start_utc or self.question.end_utc < question.start_utc
        )
        return not apart and bool(self.tracks & tracks)


def questions_of(case_id: str, run: Results) -> list[Open]:
    """All questions of a run's results, the one worth most first."""
    found = [_about_sighting(case_id, row, run) for row in _rows(run.sightings)]
    found += [_about_contact(case_id, row, run) for row in _rows(run.contacts)]
    made = [one for one in found if one is not None]
    return sorted(made, key=lambda one: (-one.worth, one.question.start_utc, one.name))


def _rows(table: pd.DataFrame) -> list[dict[Any, Any]]:
    return table[table["review"] != "rejected"].to_dict("records")


def _about_sighting(case_id: str, row: Mapping[Any, Any], run: Results) -> Open | None:
    key = (str(row["camera_id"]), int(row["track_id"]))
    rows = run.rows_of({key}).get(key)
    if rows is None:
        return None
    question = Question(
        case_id=case_id,
        kind="sighting",
        start_utc=utc_of(row["start_utc"]),
        end_utc=utc_of(row["end_utc"]),
        marks=(mark_of(rows),),
    )
    return Open(
        name=str(row["sighting_id"]),
        question=question,
        tracks=frozenset({key}),
        worth=worth_of_sighting(row, run.trajectory, run.contacts),
        reasons=of_sighting(row, rows),
        rival=_rival(row["rival"], run.contacts),
        review=str(row["review"]),
    )


def _about_contact(case_id: str, row: Mapping[Any, Any], run: Results) -> Open | None:
    """Of a contact that may be the subject again, whether it is; else whether it is one person, as
    near as is said.
    """
    doubted = bool(row["doubt"])
    start = row["start_utc"]
    end = row["end_utc"]
    marks = []
    keys = set()
    for key, rows in run.rows_of(run.tracks_of(str(row["person_id"]))).items():
        during = rows[rows["t_utc"].between(start, end)]
        if len(during):
            marks.append(mark_of(rows if doubted else during))
            keys.add(key)
    if not marks:
        return None
    question = Question(
        case_id=case_id,
        kind="same" if doubted else "contact",
        start_utc=utc_of(start),
        end_utc=utc_of(end),
        marks=tuple(marks),
    )
    return Open(
        name=str(row["contact_id"]),
        question=question,
        tracks=frozenset(keys),
        worth=worth_of_contact(row),
        reasons=of_contact(row),
        rival="",
        review=str(row["review"]),
    )


def _rival(person: str | None, contacts: pd.DataFrame) -> str:
    """Who else a sighting may be: a contact by its number, where it is one."""
    if pd.isna(person):
        return ""
    numbers = contacts.loc[contacts["person_id"] == person, "contact_id"]
    return str(numbers.iloc[0]) if len(numbers) else "somebody who is not a contact"
