"""Review: what a case's reviewers are asked, and their answers. What the desk and the command line
call:

- `questions(env, case_id)`: the queue as the present account may see it, most valuable first.
- `answer(env, case_id, question_id, given)`: the present account's answer, once and for good.
- `pictures(env, case_id, name)`: the still and clip of what is asked about, as the run made them:
  everybody but the subject is hidden. Whom an unsure sighting is about shows `flows.cases.look`.
- `decided(env, case_id)`: what two reviewers agree on, which the next run takes as input.

Who acts says `flows.runtime.acting`: an answer needs an account of its own in the role of a
reviewer. A reviewer sees the others' answers when their own is given, or when nothing is open any
more.
"""

from __future__ import annotations

from dataclasses import dataclass

from data_contracts.audit import Actor
from data_contracts.errors import BadInput, NotAuthorised
from data_contracts.review import Answer, Decision, Given, Question, State
from data_contracts.run import Run
from data_contracts.time import now_utc
from flows.cases.old_pictures import delete_pictures_of_rejected
from flows.runtime.acting import who_acts_now
from flows.runtime.audit import audit, refusals_written, who_acts
from flows.runtime.decisions import (
    Answered,
    about_people,
    decisions_of,
    read_answered,
    store_answer,
)
from flows.runtime.environment import Environment
from flows.runtime.open_case import OpenCase, open_case
from flows.runtime.pointings import read_pointings
from flows.runtime.results import load
from flows.stages.publish import load_manifest, read_artefact
from flows.stages.published import choose_run
from tasks.artefacts.exports import PICTURE_TYPES, PICTURES
from tasks.consent.person_name import folded
from tasks.people.marked import marked_tracks
from tasks.people.pointed import pointed_tracks
from tasks.review.agreement import decide
from tasks.review.questions import Open, Results, questions_of
from tasks.review.reasons import Reason


@dataclass(frozen=True)
class Asked:
    """A question as one reviewer may see it.

    `name`: of what is asked about in the run that was published last (S-03, C-01), empty where
    that run has it no more. `answers`: how many there are. `own`: this reviewer's. `others`:
    everybody else's, empty until this reviewer's own is given or the question is decided.
    `pointed`: this account pointed at the person, and so has said already what it would be asked.
    `waits`: whether this reviewer may answer.
    """

    question: Question
    name: str
    state: State
    worth: float
    reasons: tuple[Reason, ...]
    rival: str
    answers: int
    own: Answer | None
    others: tuple[Answer, ...]
    pointed: bool
    waits: bool


def questions(env: Environment, case_id: str) -> list[Asked]:
    """All questions of a case: those that are open first, by what an answer is worth.

    Raises NotAuthorised, NotFound where no run is published, BadInput or KeyMissing where an answer
    is damaged.
    """
    case = open_case(case_id, env)
    run = choose_run(case.vault).run
    reviewer = _reviewer_of_page(env)
    audit(env, "view", case=case.authorised, run_id=run.run_id, objects=("questions",))
    return _queue(env, case, run, reviewer)


def answer(env: Environment, case_id: str, question_id: str, given: Given) -> Asked:
    """Write down the present account's answer to a question, by its id or by what it is about in
    the run that was published last (S-03); and the question as it stands then. Pictures of runs
    that show as the subject whom two reviewers have rejected now are deleted.

    Raises NotAuthorised where no account of a reviewer acts, BadInput where there is no such open
    question or this reviewer has answered it, StoreError when the audit log cannot be written:
    then nothing is stored.
    """
    case = open_case(case_id, env)
    with refusals_written(env, case_id):
        reviewer = reviewer_now(env)
    run = choose_run(case.vault).run
    asked = _find(_queue(env, case, run, reviewer), question_id)
    _check_open(asked)
    made = Answer(
        case_id=case_id,
        question_id=asked.question.question_id,
        reviewer=reviewer,
        answered_utc=now_utc(),
        given=given,
    )
    audit(
        env,
        "decision",
        case=case.authorised,
        run_id=run.run_id,
        objects=(made.question_id, given.verdict),
        matched=(asked.name,) if asked.name else (),
        verified_by=(reviewer,),
    )
    if not store_answer(case.vault, asked.question, made):
        raise _answered_already(asked.question)
    now = _find(_queue(env, case, run, reviewer), made.question_id)
    if now.state == "rejected":
        delete_pictures_of_rejected(env, case_id)
    return now


def pictures(env: Environment, case_id: str, name: str) -> dict[str, bytes]:
    """Still and clip of a sighting or contact (S-03, C-01) of the run that was published last, by
    their file names; empty where the run made none. Raises BadInput where one was changed.
    """
    case = open_case(case_id, env)
    run = choose_run(case.vault).run
    wanted = {f"{PICTURES}{name}{suffix}" for suffix in PICTURE_TYPES}
    found = [a for a in load_manifest(case.vault, run).artefacts if a.name in wanted]
    names = tuple(a.name for a in found)
    audit(env, "view", case=case.authorised, run_id=run.run_id, objects=names)
    return {
        artefact.name.removeprefix(PICTURES): read_artefact(case.vault, run, artefact)
        for artefact in found
    }


def decided(env: Environment, case_id: str) -> tuple[Decision, ...]:
    """What two reviewers of a case agree on. Raises as `questions` does."""
    return decisions_of(open_case(case_id, env).vault)


def reviewer_now(env: Environment) -> Actor:
    """The present account as a reviewer, by a pseudonym: accounts whose names look alike are one.
    Raises NotAuthorised where what acts is not an account in the role of a reviewer.
    """
    who = who_acts_now()
    key = env.audit_log.key
    if who.kind != "account" or who.role != "reviewer":
        raise NotAuthorised(
            f"expected the account of a reviewer, got a {who.kind} as {who.role}: an answer counts "
            "under a reviewer's own account alone"
        )
    name = folded(who.name)
    if key is None or not name:
        raise NotAuthorised(
            "an account's name with a letter or a digit, and the installation's key, are expected: "
            "answer on the machine of the installation"
        )
    return f"account:{key.pseudonym(f'reviewer {name}')}"


def _reviewer_of_page(env: Environment) -> Actor | None:
    """The reviewer who reads; None for anybody else, who sees nobody's answer to what is open."""
    try:
        return reviewer_now(env)
    except NotAuthorised:
        return None


def _queue(env: Environment, case: OpenCase, run: Run, reviewer: Actor | None) -> list[Asked]:
    results = _results_of(case, run)
    own_points = [p for p in read_pointings(case) if p.pointed_by == who_acts(env)]
    pointed = pointed_tracks(results.tracks, own_points)
    left = list(read_answered(case.vault))
    who = {a.question: marked_tracks(results.tracks, a.question.marks) for a in left}
    queue = []
    for one in questions_of(case.vault.case_id, results):
        before = [a for a in left if one.asked_before(a.question, who[a.question])]
        left = [a for a in left if a not in before]
        answered = _goes_on(one, before, results.decided)
        stands = _stands(one, answered.decision, results.decided)
        queue.append(_seen_by(reviewer, answered, one, bool(one.tracks & pointed), stands))
    queue += [_seen_by(reviewer, answered, None, False, True) for answered in left]
    return sorted(queue, key=lambda asked: asked.state != "open")


def _goes_on(one: Open, before: list[Answered], known: frozenset[str]) -> Answered:
    """Of several earlier questions that are about the same as one of this run, the first that is
    open; else one whose decision stands. Where none does, a question of its own.
    """
    own = Answered(one.question, ())
    standing = [a for a in before if a.question == one.question or _stands(one, a.decision, known)]
    standing.sort(key=lambda a: (a.decision is not None, a.question.question_id))
    return standing[0] if standing else own


def _stands(one: Open, decision: Decision | None, known: frozenset[str]) -> bool:
    """Whether a decision is in force: not where the run knew it and nothing follows from it, as its
    track goes on much longer now, or two were confirmed at different places at one time.
    """
    return (
        decision is None
        or one.review != "unreviewed"
        or not known.intersection(about_people([decision]))
    )


@dataclass(frozen=True)
class _KnownResults(Results):
    """A run's results, and the decisions about people that it knew."""

    decided: frozenset[str]


def _results_of(case: OpenCase, run: Run) -> _KnownResults:
    result = load_manifest(case.vault, run).result
    tables = {
        name: load(case.vault, result.people[name]) for name in ("tracks", "members", "sightings")
    }
    return _KnownResults(
        **tables,
        decided=frozenset(result.decided),
        trajectory=load(case.vault, result.trace["trajectory"]),
        contacts=load(case.vault, result.contacts["contacts"]),
    )


def _seen_by(
    reviewer: Actor | None, answered: Answered, one: Open | None, pointed: bool, stands: bool
) -> Asked:
    """The question as a reviewer may see it. One whose decision does not stand is open again."""
    decision = decide(answered.question, answered.answers) if stands else None
    own = next((a for a in answered.answers if a.reviewer == reviewer), None)
    others = tuple(a for a in answered.answers if a is not own)
    return Asked(
        question=answered.question,
        name=one.name if one else "",
        state=decision.state if decision else "open",
        worth=one.worth if one else 0.0,
        reasons=one.reasons if one else (),
        rival=one.rival if one else "",
        answers=len(answered.answers),
        own=own,
        others=others if own is not None or decision is not None else (),
        pointed=pointed,
        waits=reviewer is not None and own is None and decision is None and not pointed,
    )


def _find(queue: list[Asked], question_id: str) -> Asked:
    for asked in queue:
        if question_id in (asked.question.question_id, asked.name):
            return asked
    there = ", ".join(a.name or a.question.question_id for a in queue) or "none"
    raise BadInput(f"no question {question_id[:40]}: expected one of this case's: {there}")


def _check_open(asked: Asked) -> None:
    if asked.own is not None:
        raise _answered_already(asked.question)
    if asked.pointed:
        raise BadInput(
            f"{asked.question.question_id}: you pointed at this person; two others are to say "
            "whether that was right"
        )
    if asked.state != "open":
        raise BadInput(
            f"{asked.question.question_id}: two reviewers have decided already ({asked.state}); "
            "run the case again to see what it changes"
        )


def _answered_already(question: Question) -> BadInput:
    return BadInput(
        f"{question.question_id}: you have answered this already; an answer is not changed, and "
        "another reviewer's is needed"
    )
