"""Two reviewers who know the truth answer a scene's questions, as they would at the desk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from benchmarks.family.figures import same_person
from benchmarks.family.trace import Traced
from benchmarks.truth import Truth
from data_contracts.review import Answer, Decision, Given, Question
from tasks.review.agreement import decide
from tasks.review.questions import Results, questions_of

_ROUNDS = 2
_CASE = "K-FAMILY"
# A reviewer says yes or no where so much of what they are shown is one person, or is not.
_CLEAR = 0.8
_AT = datetime(2026, 12, 1, tzinfo=UTC)


def after_answers(
    traced: Traced,
    truth: Truth,
    subject: str,
    most: int,
    again: Callable[[Sequence[Decision]], Traced],
) -> Traced:
    """What a scene comes to after its questions of sightings are answered: twice the `most` that
    are worth most, and traced `again` with what was decided.
    """
    decisions: list[Decision] = []
    for _ in range(_ROUNDS if most else 0):
        fresh = list(_answered(traced, truth, subject, most, {_who(d.question) for d in decisions}))
        if not fresh:
            break
        decisions += fresh
        traced = again(decisions)
    return traced


def _answered(
    traced: Traced, truth: Truth, subject: str, most: int, before: set[object]
) -> Iterator[Decision]:
    run = traced.run
    results = Results(traced.tracks, traced.members, run.sightings, run.trajectory, run.contacts)
    boxes = truth.boxes[truth.boxes["person"] == subject]
    asked = 0
    for one in questions_of(_CASE, results):
        if asked == most:
            return
        if one.question.kind != "sighting" or _who(one.question) in before:
            continue
        asked += 1
        rows = results.rows_of(set(one.tracks))
        (own,) = rows.values()
        seen = own[own["score"] > 0]
        right = same_person(seen, boxes[boxes["camera"] == own["camera_id"].iloc[0]]).mean()
        verdict = "confirm" if right >= _CLEAR else "reject" if right <= 1 - _CLEAR else None
        if verdict is not None:
            yield from _decided(one.question, verdict)


def _decided(question: Question, verdict: str) -> Iterator[Decision]:
    given = Given(verdict=verdict, reason="the truth")
    answers = [
        Answer(
            case_id=_CASE,
            question_id=question.question_id,
            reviewer=f"account:{name}",
            answered_utc=_AT,
            given=given,
        )
        for name in ("one", "two")
    ]
    decision = decide(question, answers)
    if decision is not None:
        yield decision


def _who(question: Question) -> object:
    mark = question.marks[0]
    return (mark.camera_id, mark.start_utc, mark.end_utc)
