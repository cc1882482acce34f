"""rerun-exposure: assess stored encounters again under another policy; look again where new footage
arrived.
"""

from __future__ import annotations

from prefect import flow, get_run_logger

from data_contracts.run import only
from flows.cases.filing import filed_cases
from flows.cases.new_footage import has_new_footage
from flows.runtime.acting import acting, service
from flows.runtime.decisions import check_people, decisions_of_run
from flows.runtime.environment import environment
from flows.runtime.open_case import open_case, stopping_when_unauthorised
from flows.runtime.prefect_api import runs_of, start_trace
from flows.runtime.prefect_task import plain, task_of
from flows.stages import claim, exposure, publish
from flows.stages.claim import read_claim, runs_left
from flows.stages.operators import show
from flows.stages.published import last_run
from flows.stages.redact import carry_pictures

load_published = plain("load published run", publish.load_published)
read_decisions = plain("read decisions", decisions_of_run)
apply_decisions = task_of(exposure.apply_decisions)
assess_contacts = task_of(exposure.assess_contacts)
new_run = plain("new run", claim.next_run)
carry = task_of(carry_pictures)
publish_run = plain("report and publish", publish.publish)
tell_operators = plain("tell the operators", show)


def reassess(case_id: str, policy: str) -> str:
    """Contacts of a finished case under another policy, from its stored encounters and what two
    reviewers decided about them; no video is read. Raises BadInput where they decided since who is
    the subject: then people are to be found anew.
    """
    before = load_published(case_id)
    decisions = read_decisions(before.run)
    check_people(before, decisions)
    run = new_run(before.run, policy)
    seen_by = only(before.people.tables, "tracks", "members")
    meetings = apply_decisions(run, decisions=decisions, **before.meetings.tables, **seen_by)
    contacts = assess_contacts(run, **meetings.tables)
    pictures = carry(
        run,
        pictures=before.pictures["pictures"],
        before=before.contacts["contacts"],
        now=contacts["contacts"],
        from_run=before.run.run_id,
    )
    made = {"run": run, "meetings": meetings, "contacts": contacts, "pictures": pictures}
    result = before.model_copy(update=made)
    publish_run(run, result)
    tell_operators(result)
    return run.run_id


def _cases_with_new_footage() -> list[str]:
    """Finished cases for which footage has arrived that their last run did not have."""
    env = environment()
    return [case_id for case_id in filed_cases(env) if _has_news(case_id)]


cases_with_new_footage = plain("cases with news", _cases_with_new_footage)


def _has_news(case_id: str) -> bool:
    try:
        case = open_case(case_id)
        begun = read_claim(case.vault)
        if begun is not None and begun.state == "running":
            return False
        run = last_run(case.vault)
        if run is None or not runs_left(case):
            return False
        return has_new_footage(case, publish.load_manifest(case.vault, run))
    except Exception:  # noqa: BLE001  one case's fault is that case's
        return False


@flow(name="rerun-exposure", persist_result=False)
def rerun_exposure(case_id: str | None = None, policy: str | None = None) -> list[str]:
    """With a case and a policy: assess again. Without: start cases again for which footage has
    arrived since.
    """
    if case_id is not None and policy is not None:
        with acting(service("rerun-exposure")), stopping_when_unauthorised(case_id):
            return [reassess(case_id, policy)]
    with acting(service("rerun-exposure", repeats=True)):
        news = cases_with_new_footage()
    started = [str(start_trace(found, attempt=len(runs_of(found)), again=True)) for found in news]
    get_run_logger().info("%d cases started again for new footage", len(started))
    return started
