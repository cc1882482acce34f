"""What reviewers were asked and answered: stored under the case's key, a place for each answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from data_contracts import object_key
from data_contracts.errors import BadInput
from data_contracts.review import Answer, Decision, Question
from data_contracts.run import Outcome, Run
from flows.runtime.open_case import open_case
from infra.case_store import PAPER_BYTES, CaseVault
from tasks.review.agreement import decide


@dataclass(frozen=True)
class Answered:
    """A question that somebody has answered, with all answers: for the program's own eyes. What a
    reviewer may see of them says `flows.cases.review`.
    """

    question: Question
    answers: tuple[Answer, ...]

    @property
    def decision(self) -> Decision | None:
        """What the answers decide; None while the question is open."""
        return decide(self.question, self.answers)


def read_answered(vault: CaseVault) -> tuple[Answered, ...]:
    """All answered questions of a case. Raises BadInput, or KeyMissing, where an object is
    damaged, or is not what its name says: nothing is decided then.
    """
    objects: dict[str, dict[str, bytes]] = {}
    folder = f"{object_key.review(vault.case_id)}/"
    for item in vault.list(folder):
        question_id, _, name = item.key.removeprefix(folder).partition("/")
        objects.setdefault(question_id, {})[name] = vault.get(item.key, PAPER_BYTES)
    return tuple(_answered(vault.case_id, name, found) for name, found in sorted(objects.items()))


def decisions_of(vault: CaseVault) -> tuple[Decision, ...]:
    """All that two reviewers of a case agree on."""
    return tuple(d for found in read_answered(vault) if (d := found.decision) is not None)


def about_people(decisions: Sequence[Decision]) -> tuple[str, ...]:
    """What was decided about who is the subject, by the questions' ids: what a run of which the
    tracks are kept must have known.
    """
    told = (d for d in decisions if d.question.kind != "contact")
    return tuple(sorted(f"{d.question.question_id} {d.state}" for d in told))


def check_people(before: Outcome, decisions: Sequence[Decision]) -> None:
    """Raise BadInput where the run does not know who is the subject, as reviewers decided: its
    pictures may show somebody else.
    """
    if before.decided != about_people(decisions):
        raise BadInput(
            f"case {before.run.case_id}: reviewers have decided since its last run who is the "
            f"subject; run it again first: encounter case run {before.run.case_id}"
        )


def decisions_of_run(run: Run) -> tuple[Decision, ...]:
    """Those of a run's case, as they are now."""
    return decisions_of(open_case(run.case_id).vault)


def store_answer(vault: CaseVault, question: Question, answer: Answer) -> bool:
    """Store an answer, and its question where it is the first; whether it was: False where this
    reviewer had answered before. What is stored stays.
    """
    key = object_key.review_question(vault.case_id, question.question_id)
    vault.put_if_absent(key, question.model_dump_json().encode())
    key = object_key.review_answer(vault.case_id, answer.question_id, answer.reviewer)
    return vault.put_if_absent(key, answer.model_dump_json().encode())


def _answered(case_id: str, question_id: str, objects: Mapping[str, bytes]) -> Answered:
    """A question's objects by name, each checked against the place in which it lies."""
    where = object_key.review_question(case_id, question_id)
    data = objects.get(where.rpartition("/")[2])
    if data is None:
        raise _wrong_place(object_key.review(case_id, question_id), "a question with its answers")
    question = Question.stored(data, where)
    if (question.case_id, question.question_id) != (case_id, question_id):
        raise _wrong_place(where, f"question {question_id}")
    answers = []
    for name, given in sorted(objects.items()):
        key = object_key.review(case_id, question_id, name)
        if key == where:
            continue
        answer = Answer.stored(given, key)
        if key != object_key.review_answer(case_id, answer.question_id, answer.reviewer):
            raise _wrong_place(key, "the answer of the reviewer whom its name says")
        if answer.case_id != case_id:
            raise _wrong_place(key, f"an answer of case {case_id}")
        answers.append(answer)
    return Answered(question, tuple(answers))


def _wrong_place(key: str, expected: str) -> BadInput:
    return BadInput(f"{key}: expected {expected}, got another record: it was moved or changed")
