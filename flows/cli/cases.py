"""`encounter case`: what is done with a case, from filing to closing it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from data_contracts.errors import BadInput, ModelUnavailable
from flows.cli import ending
from flows.cli.console import read_text, say
from flows.cli.expire import expire
from flows.cli.listing import Column, Json, Listing
from flows.cli.pointing import point
from flows.cli.reviewing import review

if TYPE_CHECKING:
    from flows.cases.case_state import CaseState
    from flows.runtime.environment import Environment
    from models.registry import Models

app = typer.Typer(help="Cases: file, list, show, run, fetch, close.", no_args_is_help=True)
CaseId = Annotated[str, typer.Argument(help="Case id, such as K-2026-0042.")]
RunId = Annotated[str | None, typer.Option("--run", help="A published run; default: the last one.")]
OfPolicy = Annotated[
    str | None, typer.Option("--policy", help="The last published run under this policy.")
]
CASES = Listing(
    "case list",
    (
        Column("case", "case"),
        Column("state", "state"),
        Column("since_utc", "since (UTC)"),
        Column("published_runs", "published runs"),
    ),
)


@app.command("file")
def file(
    case_id: CaseId,
    subject: Annotated[str, typer.Option(help="Pseudonym of the subject; never a name.")],
    itinerary: Annotated[Path, typer.Option(help="CSV: place, from, to, tolerance_min.")],
    reference: Annotated[
        list[Path], typer.Option(help="Reference picture or folder of them; repeat.")
    ],
    consent: Annotated[Path, typer.Option(help="Signed consent token.")],
    approval: Annotated[Path, typer.Option(help="Signed approval token.")],
    policy: Annotated[str, typer.Option(help="Exposure policy by name.")] = "who",
    onset: Annotated[
        str | None, typer.Option(help="Onset of symptoms, ISO 8601 with offset.")
    ] = None,
    sample: Annotated[str | None, typer.Option(help="Time of the positive sample.")] = None,
) -> None:
    """File a case: checks consent and approval, stores everything under the case's own key and
    starts the trace.
    """
    from flows.cases.filing import Papers, file_case
    from flows.cli.request import build_request, read_references
    from flows.cli.server import server_environment

    references = read_references(reference)
    request = build_request(case_id, subject, onset, sample, itinerary, policy, references)
    papers = Papers(request, read_text(consent), read_text(approval), references)
    env = server_environment()
    started = file_case(env, papers, _models_at_hand(env))
    if started:
        say(f"case {case_id} is filed; its trace has started: encounter case show {case_id}")
    else:
        say(
            f"case {case_id} is filed; the Prefect server is down, the trace starts when it is "
            "back (encounter up)"
        )


def _models_at_hand(env: Environment) -> Models | None:
    from flows.runtime.environment import models

    try:
        return models(env)
    except ModelUnavailable:
        return None


@app.command("list")
def show_all(as_json: Json = False) -> None:
    """All filed cases and their state; and cases whose end is not finished, with the steps."""
    from flows.cases.case_state import case_state
    from flows.cases.filing import filed_cases
    from flows.cases.unfinished import unfinished_ends
    from flows.runtime.environment import environment

    env = environment()
    rows = [_case_row(case_state(env, case_id)) for case_id in filed_cases(env)]
    for end in unfinished_ends(env):
        why = "; ".join(end.failed) or "its purge was broken off"
        state = f"destroyed, not finished: {why}"
        rows.append({"case": end.case_id, "state": state, "since_utc": None, "published_runs": 0})
    CASES.tell(rows, as_json)


def _case_row(found: CaseState) -> dict[str, Any]:
    """A row of the list; of a case that cannot be read that it still can be destroyed."""
    broken = f"cannot be read ({found.fault}); it expires, and can be purged"
    return {
        "case": found.case_id,
        "state": broken if found.state == "unreadable" else found.state,
        "since_utc": found.since_utc,
        "published_runs": found.published_runs,
    }


@app.command("show")
def show(
    case_id: CaseId, run: RunId = None, policy: OfPolicy = None, as_json: Json = False
) -> None:
    """A case's state, contacts and artefacts, of the last published run or the one asked for."""
    from flows.cli.server import server_environment
    from flows.cli.showing import show_case
    from flows.runtime.open_case import open_case

    server_environment()
    show_case(open_case(case_id), run, policy, as_json)


@app.command("run")
def run_again(
    case_id: CaseId, wait: Annotated[bool, typer.Option(help="Wait for the end.")] = False
) -> None:
    """Run a case again; what was finished for the same footage and models is not done twice. What
    is published stays until the new run is.
    """
    from flows.cli.server import server_environment
    from flows.cli.waiting import wait_for_trace
    from flows.runtime.open_case import open_case
    from flows.runtime.prefect_api import runs_of, start_trace

    server_environment()
    vault = open_case(case_id).vault
    started = start_trace(case_id, attempt=len(runs_of(case_id)), again=True)
    say(f"started: run {started}")
    if wait:
        wait_for_trace(vault, str(started))


@app.command("fetch")
def fetch(
    case_id: CaseId,
    out: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("out"),
    run: RunId = None,
    policy: OfPolicy = None,
) -> None:
    """Decrypt the artefacts of the last published run, or of the one asked for, into a folder that
    only you can read.
    """
    from flows.runtime.open_case import open_case
    from flows.stages import publish
    from flows.stages.published import choose_run

    case = open_case(case_id)
    folder = publish.fetch(case.vault, choose_run(case.vault, run, policy).run, out / case_id)
    say(
        f"written to {folder}; delete it when you have read it; the purge of the case on this "
        "machine does too"
    )


@app.command("look")
def look(
    case_id: CaseId,
    sighting_id: Annotated[str, typer.Argument(help="A question, such as S-03.")],
    out: Annotated[Path, typer.Option(help="JPEG file to write; it must not be there yet.")],
    run: RunId = None,
) -> None:
    """Show a reviewer whom a question is about, one at a time: decoded anew, written to the audit
    log first, and kept nowhere else.
    """
    from flows.cases.look import look_at_question
    from flows.runtime.environment import environment
    from infra.local.traces import remember_fetched

    env = environment()
    remember_fetched(env.settings.paths, case_id, [out])
    try:
        file = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise BadInput(f"{out}: cannot be made as a new file ({error.strerror})") from None
    with os.fdopen(file, "wb") as written:
        try:
            written.write(look_at_question(env, case_id, sighting_id, run))
        except BaseException:
            out.unlink()
            raise
    say(f"written to {out}; it may show a stranger: delete it when you have decided")


@app.command("assess")
def assess_again(
    case_id: CaseId,
    policy: Annotated[str, typer.Option(help="Exposure policy by name.")],
    as_json: Json = False,
) -> None:
    """Assess the stored encounters under another policy; no video is read. Published beside the
    runs that there are.
    """
    from data_contracts.policies import load_policy
    from flows.cli.server import server_environment
    from flows.cli.showing import show_case
    from flows.cli.waiting import wait_for
    from flows.runtime.decisions import check_people, decisions_of
    from flows.runtime.open_case import open_case
    from flows.runtime.prefect_api import start_reassessment
    from flows.stages.publish import load_manifest
    from flows.stages.published import choose_run

    server_environment()
    load_policy(policy)
    vault = open_case(case_id).vault
    check_people(load_manifest(vault, choose_run(vault).run).result, decisions_of(vault))
    wait_for(str(start_reassessment(case_id, policy)))
    show_case(open_case(case_id), None, policy, as_json)


app.command("point")(point)
app.command("review")(review)
app.command("expire")(expire)
app.command("purge")(ending.purge)
app.command("close")(ending.close)
app.command("notice")(ending.notice)
