"""The list of an account's cases, and a case's page."""

from __future__ import annotations

from typing import NamedTuple

from starlette.responses import Response

from data_contracts.audit import Action
from data_contracts.errors import KeyMissing, NotFound
from flows.cases.assignment import sees
from flows.cases.case_state import CaseState, case_state
from flows.cases.filing import filed_cases
from flows.cases.progress import Watch
from flows.cases.receipts import earlier_receipt
from flows.desk.page import page
from flows.desk.visit import Visit
from flows.runtime.audit import audit
from flows.runtime.open_case import OpenCase, open_case
from flows.stages.publish import load_manifest
from flows.stages.published import published_runs
from tasks.artefacts.exports import PICTURES, REPORT

_VIEW: Action = "view"


class RunFiles(NamedTuple):
    """A published run as the case's page lists it: the artefacts beside the report."""

    run_id: str
    policy: str
    published_utc: object
    files: tuple[str, ...]
    pictures: tuple[str, ...]


@page("GET", "/cases", "list cases")
def list_cases(visit: Visit) -> Response:
    """The cases that are assigned to the account, the last filed first; and those it saw that are
    gone.
    """
    own = [c for c in filed_cases(visit.env) if sees(visit.env, c, visit.name)]
    audit(visit.env, _VIEW, objects=("case list",), counts={"cases": len(own)})
    states = [case_state(visit.env, case_id, count_questions=True) for case_id in own]
    for case_id in own:
        visit.desk.seen.add(visit.name, case_id)
    gone = [c for c in visit.desk.seen.of(visit.name) if c not in own and _is_gone(visit, c)]
    return visit.show("cases.html", cases=sorted(states, key=_newest_first), gone=gone)


def _newest_first(found: CaseState) -> tuple[float, str]:
    return (-found.filed_utc.timestamp() if found.filed_utc else 0.0, found.case_id)


def _is_gone(visit: Visit, case_id: str) -> bool:
    return not visit.env.cases.has_key(case_id)


@page("GET", "/cases/{case_id}", "see case")
def show_case(visit: Visit) -> Response:
    """State and published runs of a case; of one that was destroyed, that it was and why."""
    try:
        case = open_case(visit.case_id, visit.env)
    except (KeyMissing, NotFound):
        return show_gone(visit)
    audit(visit.env, _VIEW, case=case.authorised, objects=("case page",))
    state = case_state(visit.env, visit.case_id, count_questions=True)
    progress = Watch(visit.env, visit.case_id).look()
    return visit.show("case.html", case=case, state=state, runs=_runs(case), progress=progress)


def show_gone(visit: Visit) -> Response:
    """The page of a case that was destroyed. Raises NotFound where there never was one."""
    receipt = earlier_receipt(visit.env, visit.case_id)
    return visit.show("gone.html", 410, receipt=receipt)


def _runs(case: OpenCase) -> list[RunFiles]:
    """The published runs, the last first."""
    out = []
    for found in reversed(published_runs(case.vault)):
        names = [a.name for a in load_manifest(case.vault, found.run).artefacts]
        beside = tuple(n for n in names if n != REPORT and not n.startswith(PICTURES))
        pictures = tuple(n for n in names if n.startswith(PICTURES))
        out.append(RunFiles(found.run.run_id, found.policy, found.published_utc, beside, pictures))
    return out
