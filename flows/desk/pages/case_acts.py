"""What is done to a case: run again, stopped, withdrawn. Each asks first."""

from __future__ import annotations

from starlette.responses import Response

from data_contracts.deletion import KINDS
from data_contracts.errors import StackError
from flows.cases.destroy import Unfinished, plan_of
from flows.cases.forget_runs import stop_runs
from flows.cases.withdraw import withdraw_case
from flows.desk.page import page
from flows.desk.visit import Visit
from flows.runtime.audit import audit
from flows.runtime.open_case import open_case
from flows.runtime.prefect_api import runs_of, server_listens, start_trace
from tasks.ending.purge import WITHDRAWN


def _case(visit: Visit) -> str:
    return f"/cases/{visit.case_id}"


def _ask_server() -> None:
    """Raises StackError at once where the orchestrator is down."""
    if not server_listens():
        raise StackError("the Prefect server does not answer: encounter up starts it")


@page("POST", "/cases/{case_id}/run", "run case")
def run_again(visit: Visit) -> Response:
    """Start a new run, as `encounter case run` does."""
    case = open_case(visit.case_id, visit.env)
    _ask_server()
    earlier = runs_of(visit.case_id)
    if any(run.state is not None and not run.state.is_final() for run in earlier):
        return visit.problem(409, visit.text("A run of this case is under way already."))
    audit(visit.env, "start", case=case.authorised)
    start_trace(visit.case_id, attempt=len(earlier), again=True)
    return visit.go(_case(visit))


@page("GET", "/cases/{case_id}/stop", "stop case")
def ask_to_stop(visit: Visit) -> Response:
    """Says what stopping does, and asks."""
    open_case(visit.case_id, visit.env)
    return visit.show("stop.html")


@page("POST", "/cases/{case_id}/stop", "stop case")
def stop(visit: Visit) -> Response:
    """End the case's runs; what is published stays, and nothing starts by itself again."""
    _ask_server()
    audit(visit.env, "stop", case_id=visit.case_id)
    stop_runs(visit.case_id, "stopped on the desk")
    return visit.go(_case(visit))


@page("GET", "/cases/{case_id}/withdraw", "withdraw consent")
def ask_to_withdraw(visit: Visit) -> Response:
    """What would go, and the field that confirms it."""
    return _asked(visit)


def _asked(visit: Visit, problem: str = "") -> Response:
    plan = plan_of(visit.case_id, WITHDRAWN, visit.env)
    found = {kind: count for kind, count in plan.found.items() if count}
    return visit.show(
        "withdraw.html", 400 if problem else 200, found=found, kinds=KINDS, problem=problem
    )


@page("POST", "/cases/{case_id}/withdraw", "withdraw consent")
def withdraw(visit: Visit) -> Response:
    """Withdraw the consent: running work stops, the case is destroyed. As `encounter consent
    withdraw` does.
    """
    if visit.sent("confirmed").strip() != visit.case_id:
        return _asked(visit, visit.text("Type the case's id to confirm."))
    try:
        withdraw_case(visit.env, visit.case_id)
    except Unfinished:
        heading = visit.text("The case is destroyed: nobody can read it any more.")
        detail = visit.text("Some of it is still to be deleted: the next pass goes on.")
        return visit.problem(200, heading, detail)
    return visit.go(_case(visit))
