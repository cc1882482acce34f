"""What two reviewers decided about people, in a run's own tracks: who is the subject, and who is
not.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import pandas as pd

from data_contracts.authorisation import AuthorisedCase
from data_contracts.gap import gap_row
from data_contracts.review import Decision, Mark
from data_contracts.tables.contracts import GAPS
from data_contracts.time import CLOCK_S, Interval
from tasks.consent.authorise import require
from tasks.people.face_evidence import SightSettings, apart, whereabouts
from tasks.people.join import JoinSettings
from tasks.people.marked import TrackKey, marked_tracks

# Of a track that is confirmed at least this share was asked about. A rejected one is rejected
# whole: nobody may be shown who was not the subject.
_COVERED = 0.5
_LOST = (
    "two reviewers confirmed the subject here; this run followed nobody there, or whoever it is "
    "was confirmed elsewhere at the same time, or rejected"
)
_ADVICE = "look at the questions again: encounter case review"


class Settled(NamedTuple):
    """The tracks of those whom two reviewers confirmed as the subject, and of those whom they
    rejected.
    """

    confirmed: frozenset[TrackKey] = frozenset()
    rejected: frozenset[TrackKey] = frozenset()

    def review_of(self, key: TrackKey) -> str:
        """What stands in a sighting's column `review`."""
        return "confirmed" if key in self.confirmed else "unreviewed"

    def never_together(
        self, tracks: pd.DataFrame, pointed: Collection[TrackKey]
    ) -> tuple[frozenset[TrackKey], frozenset[TrackKey]]:
        """Tracks of which one of the first is nobody of the second: who was rejected is not who a
        face, pointing or reviewers say is the subject.
        """
        faces = tracks.loc[tracks["subject_p"].notna(), ["camera_id", "track_id"]]
        tied = set(zip(faces["camera_id"].astype(str), faces["track_id"].astype(int), strict=True))
        return self.rejected, frozenset((tied | {*pointed} | self.confirmed) - self.rejected)


NOTHING_SETTLED = Settled()


def settled_tracks(
    tracks: pd.DataFrame, decisions: Sequence[Decision], settings: SightSettings | None = None
) -> Settled:
    """Whom the decisions are about in TRACKS. Rejected beats confirmed, and of two who were
    confirmed and were at different places at one time neither is: one of the decisions is wrong.
    """
    rejected = marked_tracks(tracks, _marks(decisions, "rejected"))
    confirmed = marked_tracks(tracks, _marks(decisions, "confirmed"), _COVERED) - rejected
    rows = {
        key: tracks[(tracks["camera_id"] == key[0]) & (tracks["track_id"] == key[1])]
        for key in confirmed
    }
    apart_from_another = {
        key
        for pair in combinations(sorted(confirmed), 2)
        if _two_people(rows[pair[0]], rows[pair[1]], settings or SightSettings())
        for key in pair
    }
    return Settled(frozenset(confirmed - apart_from_another), frozenset(rejected))


def told_of(
    owner: Mapping[TrackKey, str],
    pointed: Collection[TrackKey],
    settled: Settled,
    settings: SightSettings,
) -> dict[str, float]:
    """Log odds of each person of whom somebody has said that they are the subject, or are not."""
    told: dict[str, float] = {}
    for keys, odds in (
        (pointed, settings.pointed),
        (settled.confirmed, settings.reviewed),
        (settled.rejected, -settings.reviewed),
    ):
        for person in {owner[key] for key in keys}:
            told[person] = told.get(person, 0.0) + odds
    return told


def decision_gaps(
    case: AuthorisedCase, sightings: pd.DataFrame, decisions: Sequence[Decision]
) -> pd.DataFrame:
    """Rows of GAPS: where two reviewers confirmed the subject and no sighting of this run is."""
    require(case)
    confirmed = sightings[sightings["review"] == "confirmed"]
    rows = [
        gap_row("not_seen", m.camera_id, Interval(m.start_utc, m.end_utc), _LOST, _ADVICE)
        for m in _marks(decisions, "confirmed")
        if not _met(confirmed, m)
    ]
    return GAPS.shape(rows)


def rejected_marks(decisions: Sequence[Decision]) -> list[Mark]:
    """Of people who are not the subject."""
    return _marks(decisions, "rejected")


def confirmed_marks(decisions: Sequence[Decision]) -> list[Mark]:
    """Of people who are the subject."""
    return _marks(decisions, "confirmed")


def _marks(decisions: Iterable[Decision], state: str) -> list[Mark]:
    return [
        mark
        for d in decisions
        if d.question.kind != "contact" and d.state == state
        for mark in d.question.marks
    ]


def _two_people(one: pd.DataFrame, other: pd.DataFrame, settings: SightSettings) -> bool:
    """Whether two tracks cannot be one person's."""
    if one["camera_id"].iloc[0] == other["camera_id"].iloc[0]:
        both = set(one["t_utc"]) & set(other["t_utc"])
        return len(both) * CLOCK_S > JoinSettings().same_camera_overlap_s
    placed = one[one["x_m"].notna()]
    beside = other[other["x_m"].notna()]
    if placed.empty or beside.empty:
        return False
    return apart(whereabouts(placed, settings), whereabouts(beside, settings), settings)


def _met(confirmed: pd.DataFrame, mark: Mark) -> bool:
    own = confirmed[confirmed["camera_id"] == mark.camera_id]
    return bool(((own["start_utc"] <= mark.end_utc) & (own["end_utc"] >= mark.start_utc)).any())
