"""Decisions of two reviewers, as the one function that makes them makes them."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd

from data_contracts.review import Answer, Decision, Given, Question, QuestionKind, Verdict
from data_contracts.time import utc_of
from tasks.people.marked import mark_of
from tasks.review.agreement import decide

NOW = datetime(2026, 11, 17, tzinfo=UTC)


def agreed(question: Question, verdict: Verdict, **more) -> Decision:
    """What two reviewers say alike."""
    answers = [
        Answer(
            case_id=question.case_id,
            question_id=question.question_id,
            reviewer=f"account:{who}",
            answered_utc=NOW,
            given=Given(verdict=verdict, reason="seen", **more),
        )
        for who in ("kim", "lee")
    ]
    made = decide(question, answers)
    assert made is not None
    return made


def decision_on(
    *tracks: pd.DataFrame, verdict: Verdict = "confirm", kind: QuestionKind = "sighting", **more
) -> Decision:
    """Two reviewers on the person of these tracks, a table of rows each."""
    times = pd.concat([t["t_utc"] for t in tracks])
    question = Question(
        case_id="K-2026-0042",
        kind=kind,
        start_utc=utc_of(times.min()),
        end_utc=utc_of(times.max()),
        marks=tuple(mark_of(rows) for rows in tracks),
    )
    return agreed(question, verdict, **more)
