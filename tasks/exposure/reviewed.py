"""What two reviewers decided about encounters: which stand, which do not, the mask they saw."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from data_contracts.review import Decision, Mark
from data_contracts.tables.contracts import ENCOUNTER_POINTS, ENCOUNTERS
from tasks.people.decided import rejected_marks
from tasks.people.marked import marked_tracks

_MASK_P = {"masked": 1.0, "bare": 0.0}


def as_reviewed(
    encounters: pd.DataFrame,
    points: pd.DataFrame,
    tracks: pd.DataFrame,
    members: pd.DataFrame,
    decisions: Sequence[Decision],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """ENCOUNTERS with `review`, and their ENCOUNTER_POINTS, after the decisions.

    A person who is not the subject, as reviewers say, may not be the subject seen twice: `doubt`
    is empty then. Where decisions contradict each other the rejection stands.
    """
    owners = _Owners(tracks, members)
    met = encounters.copy()
    at = points.copy()
    about = [d for d in decisions if d.question.kind == "contact"]
    for decision in sorted(about, key=lambda d: d.state == "rejected"):
        question = decision.question
        during = (met["start_utc"] <= question.end_utc) & (met["end_utc"] >= question.start_utc)
        rows = during & met["person_id"].isin(owners.of(question.marks))
        met.loc[rows, "review"] = decision.state
        if decision.state == "confirmed" and decision.person_mask is not None:
            met.loc[rows, "person_mask"] = decision.person_mask
            own = at["encounter_id"].isin(met.loc[rows, "encounter_id"])
            at.loc[own, "person_mask_p"] = _MASK_P[decision.person_mask]
    strangers = owners.of(rejected_marks(decisions))
    met.loc[met["person_id"].isin(strangers), "doubt"] = ""
    return ENCOUNTERS.shape(met), ENCOUNTER_POINTS.shape(at)


class _Owners:
    """Finds the anonymous persons whom marks are of."""

    def __init__(self, tracks: pd.DataFrame, members: pd.DataFrame) -> None:
        self._tracks = tracks
        keys = zip(members["camera_id"], members["track_id"], strict=True)
        self._owner = dict(zip(keys, members["person_id"], strict=True))

    def of(self, marks: Sequence[Mark]) -> set[str]:
        """Their names in this run."""
        found = marked_tracks(self._tracks, marks)
        return {str(self._owner[key]) for key in found if key in self._owner}
