"""`encounter case review`: what a case's reviewers are asked, and their answers."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError

from data_contracts.errors import BadInput, NotAuthorised
from data_contracts.record import first_fault
from data_contracts.review import Answer, Given, Question
from flows.cli.console import say, write_private
from flows.cli.listing import Column, Json, Listing
from flows.runtime.acting import Acting, acting

if TYPE_CHECKING:
    from flows.cases.review import Asked
    from flows.runtime.environment import Environment

QUESTIONS = Listing(
    "case review",
    (
        Column("question", "question"),
        Column("name", "about"),
        Column("kind", "kind"),
        Column("camera", "camera"),
        Column("start_utc", "from (UTC)"),
        Column("end_utc"),
        Column("worth", "worth", lambda value: f"{value:.2f}"),
        Column("state", "state"),
        Column("answers", "answers"),
        Column("waits", "waits for you"),
        Column("rival"),
        Column("reasons"),
    ),
)
_ASKS = {
    "sighting": "Is this the subject?",
    "same": "Is this person nobody but the subject, seen twice?",
    "contact": "Is this one person, other than the subject, and as near as is said?",
}


def review(
    case_id: Annotated[str, typer.Argument(help="Case id, such as K-2026-0042.")],
    show: Annotated[
        str | None, typer.Option(help="A question, by its id or as the report has it (S-03).")
    ] = None,
    answer: Annotated[
        tuple[str, str] | None,
        typer.Option(
            metavar="QUESTION VERDICT", help="Answer it: confirm, reject or cannot-say. For good."
        ),
    ] = None,
    reason: Annotated[
        str, typer.Option(help="Why; needed with reject and cannot-say. No names.")
    ] = "",
    mask: Annotated[
        str | None,
        typer.Option(help="Of a contact that you confirm: masked or bare, where it is wrong."),
    ] = None,
    account: Annotated[
        str | None,
        typer.Option(
            help="Your reviewer's account; its password is asked for, or read from input."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="With --show: folder for its still and clip, all hidden.")
    ] = None,
    as_json: Json = False,
) -> None:
    """What there is to decide about a case, most valuable first; with --show what speaks for and
    against; with --answer your answer. Two reviewers who agree decide, each under an own account.
    """
    from flows.cases.review import answer as give_answer
    from flows.cases.review import questions
    from flows.runtime.environment import environment

    env = environment()
    with _as_reviewer(env, account):
        if answer is not None:
            _tell_answered(
                case_id, give_answer(env, case_id, answer[0], _given(answer[1], reason, mask))
            )
            return
        asked = questions(env, case_id)
        if show is None:
            QUESTIONS.tell([_row(one) for one in asked], as_json)
            return
        found = [one for one in asked if show in (one.question.question_id, one.name)]
        if not found:
            raise BadInput(f"no question {show}: encounter case review {case_id} lists them")
        _show(env, case_id, found[0], out)


def _given(verdict: str, reason: str, mask: str | None) -> Given:
    try:
        return Given.model_validate({"verdict": verdict, "reason": reason, "person_mask": mask})
    except ValidationError as error:
        raise BadInput(f"answer: {first_fault(error)}") from None


def _as_reviewer(env: Environment, account: str | None) -> AbstractContextManager[None]:
    """Acts under a reviewer's account whose password is given; without one as who runs this."""
    from flows.desk.accounts import Accounts

    if account is None:
        return nullcontext()
    accounts = Accounts(env.settings.paths.desk_accounts_file)
    password = _typed(f"password of {account}")
    known = accounts.find(account)
    code = _typed("one-time code") if known and known.totp else ""
    found = accounts.verify(account, password, code)
    if found is None or found.must_change:
        raise NotAuthorised(
            f"account {account[:40]}: no such account, another password, or a first one, which "
            "must be changed on the desk"
        )
    if "reviewer" not in found.roles:
        raise NotAuthorised(f"account {account[:40]} is not a reviewer's: see desk account list")
    return acting(Acting("account", account, "reviewer"))


def _typed(what: str) -> str:
    """Something secret: asked for at a terminal, else a line of standard input."""
    if sys.stdin.isatty():
        return str(typer.prompt(what, hide_input=True, err=True))
    return sys.stdin.readline().rstrip("\n")


def _row(asked: Asked) -> dict[str, Any]:
    question = asked.question
    return {
        "question": question.question_id,
        "name": asked.name or None,
        "kind": question.kind,
        "camera": _cameras(question),
        "start_utc": question.start_utc,
        "end_utc": question.end_utc,
        "worth": asked.worth,
        "state": asked.state,
        "answers": asked.answers,
        "waits": asked.waits,
        "rival": asked.rival or None,
        "reasons": [
            {"about": r.about, "speaks": r.speaks, "words": r.words, "ratio": r.ratio}
            for r in asked.reasons
        ],
    }


def _cameras(question: Question) -> str:
    return ", ".join(sorted({mark.camera_id for mark in question.marks}))


def _show(env: Environment, case_id: str, asked: Asked, out: Path | None) -> None:
    question = asked.question
    cameras = _cameras(question)
    say(f"{question.question_id} {asked.name}: {_ASKS[question.kind]}")
    say(f"{cameras}, {question.start_utc:%Y-%m-%d %H:%M:%S} to {question.end_utc:%H:%M:%S} UTC")
    for reason in asked.reasons:
        ratio = "" if reason.ratio is None else f" ({reason.ratio:+.1f})"
        say(f"{reason.speaks}: {reason.about}: {reason.words}{ratio}")
    if asked.rival:
        say(f"against: or it is {asked.rival}")
    say(f"state: {asked.state}, {asked.answers} answers")
    for given in (*([asked.own] if asked.own else []), *asked.others):
        say(f"answered {_in_words(given)}")
    if asked.name and out is not None:
        _write_pictures(env, case_id, asked.name, out)
    elif asked.name:
        say(f"its still and clip: --out FOLDER, or pictures/{asked.name}.mp4 of case fetch")
    if asked.name and question.kind == "sighting":
        say(f"whom it is about, if unsure: encounter case look {case_id} {asked.name} --out FILE")


def _write_pictures(env: Environment, case_id: str, name: str, out: Path) -> None:
    from flows.cases.review import pictures
    from infra.local.traces import remember_fetched

    made = pictures(env, case_id, name)
    remember_fetched(env.settings.paths, case_id, [out / file for file in made])
    for file, data in made.items():
        write_private(out / file, data)
        say(f"written to {out / file}: everybody but the subject is hidden")
    if not made:
        say("the run made no picture of it")


def _in_words(answer: Answer) -> str:
    given = answer.given
    return f"{given.verdict}{f': {given.reason}' if given.reason else ''}"


def _tell_answered(case_id: str, asked: Asked) -> None:
    question = asked.question
    about = f"{question.question_id}, {_cameras(question)} from {question.start_utc:%H:%M:%S} UTC"
    if asked.state == "open":
        say(f"{about}: written down; it is open until two reviewers agree")
    else:
        say(
            f"{about}: {asked.state} by two reviewers; what follows from it: encounter case run "
            f"{case_id}"
        )
