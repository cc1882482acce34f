"""What `encounter case show` says of a case."""

from __future__ import annotations

from typing import Any

from data_contracts.errors import StackError
from data_contracts.run import Claim, Published, Run
from data_contracts.tables.contracts import CONTACTS
from data_contracts.time import now_utc
from flows.cli.console import print_json, print_table, say
from flows.cli.listing import json_value
from flows.runtime.audit import audit
from flows.runtime.environment import environment
from flows.runtime.open_case import OpenCase
from flows.runtime.prefect_api import flow_run_is_active, runs_of
from flows.stages import publish
from flows.stages.claim import read_claim
from flows.stages.published import choose_run, published_runs
from infra.case_store import CaseVault
from tasks.artefacts.report.words import Clock

_CONTACT_HEADINGS = (
    "contact",
    "from (UTC)",
    "exposure",
    "closest",
    "masks: subject / contact",
    "how sure",
    "state",
)


def show_case(case: OpenCase, run_id: str | None, policy: str | None, as_json: bool) -> None:
    """State, contacts and artefacts of a published run; what else is published; whether a new run
    is under way. Raises NotFound where the run asked for is not published.
    """
    runs = published_runs(case.vault)
    chosen = choose_run(case.vault, run_id, policy) if runs or run_id or policy else None
    claim = read_claim(case.vault)
    begun = claim if claim is not None and claim.state == "running" else None
    if as_json:
        print_json(_case_object(case.vault, chosen, runs, begun))
        return
    if chosen is None:
        _tell_unfinished(case, begun)
        return
    print_contacts(case.vault, chosen.run)
    artefacts = len(publish.load_manifest(case.vault, chosen.run).artefacts)
    say(
        f"run {chosen.run.run_id}, policy {chosen.policy}; {artefacts} artefacts: encounter case "
        f"fetch {case.vault.case_id} --run {chosen.run.run_id}"
    )
    _tell_others(runs, chosen)
    if begun is not None:
        _tell_begun(case, begun)


def print_contacts(vault: CaseVault, run: Run) -> None:
    """The contacts of a published run: a table, and the rule that each met."""
    rows = _audited_contacts(vault, run)
    if not rows:
        say("no contacts under this policy; see the report for what was not looked at")
        return
    print_table(_CONTACT_HEADINGS, [_contact_cells(row) for row in rows])
    for row in rows:
        doubt = f"; in doubt: {row['doubt']}" if row["doubt"] else ""
        say(f"{row['contact_id']}: {row['rule']}; seen by {row['cameras']}{doubt}")


def _audited_contacts(vault: CaseVault, run: Run) -> list[dict[str, Any]]:
    audit(environment(), "view", case_id=run.case_id, run_id=run.run_id, objects=("contacts",))
    found = publish.read_table(vault, run, CONTACTS).sort_values("start_utc")
    return [{str(k): v for k, v in row.items()} for row in found.to_dict("records")]


def _contact_cells(row: dict[str, Any]) -> list[str]:
    return [
        str(row["contact_id"]),
        f"{row['start_utc']:%m-%d %H:%M:%S}",
        f"{row['exposure_s']:.0f} s ({row['exposure_s_lo']:.0f} to {row['exposure_s_hi']:.0f})",
        f"{row['min_m']:.1f} m",
        f"{row['subject_mask']} / {row['person_mask']}",
        f"{row['probability']:.2f}" + ("" if row["band"] == "high" else " (a question)"),
        "confirmed" if row["review"] == "confirmed" else "proposed",
    ]


def _tell_others(runs: list[Published], chosen: Published) -> None:
    """The last run of each other policy; how many more there are."""
    last = {found.run.policy: found for found in runs}
    others = [found for policy, found in last.items() if policy != chosen.run.policy]
    for found in others:
        say(f"also published: policy {found.policy}: --policy {found.run.policy}")
    more = len(runs) - len(others) - 1
    if more:
        say(f"{more} more published; --json names all, --run shows one")


def _tell_unfinished(case: OpenCase, begun: Claim | None) -> None:
    if begun is not None:
        say(f"case {case.vault.case_id} has no finished run yet")
        _tell_begun(case, begun, "the first")
        return
    states = [f"{r.name}: {r.state.name if r.state else '?'}" for r in runs_of(case.vault.case_id)]
    told = "; ".join(states) or "it has not been started"
    say(f"case {case.vault.case_id} has no finished run yet; {told}")


def _tell_begun(case: OpenCase, begun: Claim, which: str = "a new") -> None:
    since = Clock(case.site).moment(begun.started_utc, now_utc())
    match _going_on(begun):
        case True:
            say(f"{which} run is under way since {since}")
        case False:
            again = f"encounter case run {case.vault.case_id}"
            say(f"{which} run was begun {since} and ended without a result; start it with: {again}")
        case None:
            say(f"{which} run was begun {since}; the Prefect server cannot be asked how it goes")


def _going_on(begun: Claim) -> bool | None:
    """Whether the claim's run goes on; None where the server cannot be asked."""
    try:
        return flow_run_is_active(begun.flow_run_id)
    except StackError:
        return None


def _case_object(
    vault: CaseVault, chosen: Published | None, runs: list[Published], begun: Claim | None
) -> dict[str, Any]:
    under_way = None
    if begun is not None:
        state = {True: "running", False: "ended", None: "unknown"}[_going_on(begun)]
        under_way = {"since_utc": json_value(begun.started_utc), "state": state}
    return {
        "case": vault.case_id,
        **(_named_run(chosen) if chosen else {"run": None, "policy": None, "published_utc": None}),
        "contacts": _contact_records(vault, chosen.run) if chosen else None,
        "published": [_named_run(found) for found in runs],
        "under_way": under_way,
    }


def _named_run(found: Published) -> dict[str, Any]:
    at = json_value(found.published_utc)
    return {"run": found.run.run_id, "policy": found.policy, "published_utc": at}


def _contact_records(vault: CaseVault, run: Run) -> list[dict[str, Any]]:
    return [{k: json_value(v) for k, v in row.items()} for row in _audited_contacts(vault, run)]
