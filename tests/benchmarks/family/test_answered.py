"""Reviewers who know the truth: they confirm the subject, reject others, and say nothing of
mixtures."""

from __future__ import annotations

import pandas as pd
from reviewed_run import results

from benchmarks.family.answered import after_answers
from benchmarks.family.trace import Traced
from benchmarks.site.run_tables import RunTables
from benchmarks.truth import Truth
from data_contracts.review import Decision
from data_contracts.tables.contracts import ENCOUNTER_POINTS, ENCOUNTERS, GAPS

FOUND = results()


def answers(right: dict[int, float], most: int = 5) -> list[Decision]:
    """What is decided where so much of each track (by number) is the subject's."""
    traced = Traced(
        RunTables(
            FOUND.trajectory,
            FOUND.sightings,
            ENCOUNTERS.empty(),
            ENCOUNTER_POINTS.empty(),
            FOUND.contacts,
            GAPS.empty(),
        ),
        FOUND.tracks,
        FOUND.members,
    )
    own = [
        rows.iloc[: round(right[int(number)] * len(rows))]
        for number, rows in FOUND.tracks.groupby("track_id")
        if int(number) in right
    ]
    boxes = pd.concat(own).rename(columns={"camera_id": "camera"})
    truth = Truth(pd.DataFrame(), boxes.assign(person="S"), pd.DataFrame())
    rounds: list[list[Decision]] = []

    def again(decisions: object) -> Traced:
        rounds.append(list(decisions))
        return traced

    assert after_answers(traced, truth, "S", most, again) is traced
    return rounds[-1] if rounds else []


def test_the_truth_is_answered() -> None:
    """Track 1 is the subject, 2 is not, by two reviewers each; of a half nobody says anything."""
    said = answers({1: 1.0, 2: 0.0})
    assert [d.state for d in said] == ["rejected", "confirmed"]
    assert all(len(d.reviewers) == 2 for d in said)
    assert [d.state for d in answers({1: 1.0, 2: 0.5})] == ["confirmed"]


def test_so_many_are_answered_each_round() -> None:
    """One in the first round, the next one in the second; none without."""
    assert len(answers({1: 1.0, 2: 0.0}, most=1)) == 2
    assert answers({1: 1.0, 2: 0.0}, most=0) == []
