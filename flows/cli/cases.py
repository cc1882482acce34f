"""`encounter case file | list | show | run | fetch | look | assess | purge | close | notice`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.markup import escape
from rich.table import Column, Table

from data_contracts.case import CaseRequest
from data_contracts.errors import BadInput, EncounterError, ModelUnavailable
from data_contracts.policies import load_policy
from data_contracts.run import Run
from data_contracts.tables.contracts import CONTACTS
from data_contracts.time import now_utc, parse_utc
from flows.cases.filing import Papers, file_case, filed_cases
from flows.cases.look import look_at_question
from flows.cases.unfinished import unfinished_ends
from flows.cli import ending
from flows.cli.console import console, read_file, read_text, say
from flows.cli.expire import expire
from flows.cli.waiting import wait_for
from flows.runtime.audit import audit
from flows.runtime.environment import Environment, environment, models
from flows.runtime.open_case import open_case
from flows.runtime.prefect_api import runs_of, start_reassessment, start_trace, use_server
from flows.stages import publish
from flows.stages.claim import last_run, read_claim
from infra.case_store import CaseVault
from infra.local.traces import remember_fetched
from models.registry import Models
from tasks.search.itinerary import read_itinerary

app = typer.Typer(help="Cases: file, list, show, run, fetch, close.", no_args_is_help=True)
CaseId = Annotated[str, typer.Argument(help="Case id, such as K-2026-0042.")]
PICTURES = (".jpg", ".jpeg", ".png")


def build_request(
    case_id: str,
    subject: str,
    onset: str | None,
    sample: str | None,
    itinerary: Path,
    policy: str,
    references: dict[str, bytes],
) -> CaseRequest:
    """A request from what a person typed. Raises BadInput with the field that is wrong."""
    try:
        return CaseRequest(
            case_id=case_id,
            subject=subject,
            onset_utc=parse_utc(onset, "--onset") if onset else None,
            sample_utc=parse_utc(sample, "--sample") if sample else None,
            itinerary=read_itinerary(read_text(itinerary), itinerary.name),
            policy=policy,
            reference_images=tuple(sorted(references)),
            filed_utc=now_utc(),
        )
    except ValidationError as error:
        item = error.errors()[0]
        raise BadInput(
            f"{'.'.join(str(p) for p in item['loc']) or 'case'}: {item['msg']}"
        ) from error


def read_references(paths: list[Path]) -> dict[str, bytes]:
    """Reference pictures by name, from files or folders. Raises BadInput when there is none."""
    files = [f for p in paths for f in (sorted(p.iterdir()) if p.is_dir() else [p])]
    found = {f.name: read_file(f) for f in files if f.suffix.lower() in PICTURES}
    if not found:
        raise BadInput("no reference pictures (.jpg, .png) were found")
    return found


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
    try:
        return models(env)
    except ModelUnavailable:
        return None


@app.command("list")
def show_all() -> None:
    """All filed cases and their state; and cases whose end is not finished, with the steps."""
    env = environment()
    table = Table(Column("case", no_wrap=True), "state", "since (UTC)", box=None)
    for case_id in filed_cases(env):
        table.add_row(case_id, *_state(env, case_id))
    for end in unfinished_ends(env):
        state = "; ".join(end.failed) or "its purge was broken off"
        table.add_row(end.case_id, escape(f"destroyed, not finished: {state}"), "")
    console.print(table)


def _state(env: Environment, case_id: str) -> tuple[str, str]:
    """A case's state and since when; of one that cannot be read that it still can be destroyed."""
    try:
        claim = read_claim(env.cases.open(case_id))
    except EncounterError as error:
        return escape(f"cannot be read ({error}); it expires, and can be purged"), ""
    return (claim.state, f"{claim.started_utc:%Y-%m-%d %H:%M}") if claim else ("filed", "")


@app.command("show")
def show(case_id: CaseId) -> None:
    """A case's state, contacts and artefacts."""
    server_environment()
    case = open_case(case_id)
    run = last_run(case.vault)
    if run is None:
        states = [f"{r.name}: {r.state.name if r.state else '?'}" for r in runs_of(case_id)]
        say(
            f"case {case_id} has no finished run yet. "
            + ("; ".join(states) or "It has not been started.")
        )
        return
    manifest = publish.load_manifest(case.vault, run)
    print_contacts(case.vault, run)
    say(
        f"run {run.run_id}, policy {manifest.policy}; {len(manifest.artefacts)} artefacts: "
        f"encounter case fetch {case_id}"
    )


def print_contacts(vault: CaseVault, run: Run) -> None:
    """The contacts of a finished run: a table, and the rule that each met."""
    audit(environment(), "view", case_id=run.case_id, run_id=run.run_id, objects=("contacts",))
    contacts = publish.read_table(vault, run, CONTACTS).sort_values("start_utc")
    if contacts.empty:
        say("no contacts under this policy; see the report for what was not looked at")
        return
    table = Table(
        "contact", "from (UTC)", "exposure", "closest", "masks: subject / contact", "how sure"
    )
    for row in contacts.to_dict("records"):
        table.add_row(
            str(row["contact_id"]),
            f"{row['start_utc']:%m-%d %H:%M:%S}",
            f"{row['exposure_s']:.0f} s ({row['exposure_s_lo']:.0f} to {row['exposure_s_hi']:.0f})",
            f"{row['min_m']:.1f} m",
            f"{row['subject_mask']} / {row['person_mask']}",
            f"{row['probability']:.2f}" + ("" if row["band"] == "high" else " (a question)"),
        )
    console.print(table)
    for row in contacts.to_dict("records"):
        say(f"{row['contact_id']}: {row['rule']}; seen by {row['cameras']}")


@app.command("run")
def run_again(
    case_id: CaseId, wait: Annotated[bool, typer.Option(help="Wait for the end.")] = False
) -> None:
    """Run a case again; what was finished for the same footage and models is not done twice."""
    server_environment()
    open_case(case_id)
    started = start_trace(case_id, attempt=len(runs_of(case_id)), again=True)
    say(f"started: run {started}")
    if wait:
        wait_for(str(started))


@app.command("fetch")
def fetch(
    case_id: CaseId, out: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("out")
) -> None:
    """Decrypt the artefacts of the last finished run into a folder that only you can read."""
    case = open_case(case_id)
    run = last_run(case.vault)
    if run is None:
        raise BadInput(f"case {case_id} has no finished run yet: encounter case show {case_id}")
    folder = publish.fetch(case.vault, run, out / case_id)
    say(
        f"written to {folder}; delete it when you have read it; the purge of the case on this "
        "machine does too"
    )


@app.command("look")
def look(
    case_id: CaseId,
    sighting_id: Annotated[str, typer.Argument(help="A question, such as S-03.")],
    out: Annotated[Path, typer.Option(help="JPEG file to write; it must not be there yet.")],
) -> None:
    """Show a reviewer whom a question is about, one at a time: decoded anew, written to the audit
    log first, and kept nowhere else.
    """
    env = environment()
    remember_fetched(env.settings.paths, case_id, [out])
    try:
        file = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise BadInput(f"{out}: cannot be made as a new file ({error.strerror})") from None
    with os.fdopen(file, "wb") as written:
        try:
            written.write(look_at_question(env, case_id, sighting_id))
        except BaseException:
            out.unlink()
            raise
    say(f"written to {out}; it may show a stranger: delete it when you have decided")


@app.command("assess")
def assess_again(
    case_id: CaseId, policy: Annotated[str, typer.Option(help="Exposure policy by name.")]
) -> None:
    """Assess the stored encounters under another policy; no video is read."""
    server_environment()
    load_policy(policy)
    wait_for(str(start_reassessment(case_id, policy)))
    case = open_case(case_id)
    run = last_run(case.vault)
    assert run is not None
    print_contacts(case.vault, run)


app.command("purge")(ending.purge)
app.command("expire")(expire)
app.command("close")(ending.close)
app.command("notice")(ending.notice)


def server_environment() -> Environment:
    """The environment, with this process pointed at the Prefect server."""
    env = environment()
    use_server(env.settings)
    return env
