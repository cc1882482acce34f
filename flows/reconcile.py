"""reconcile: every filed case has a run. An event or a start that was lost while the server was
down is made up for.
"""

from __future__ import annotations

from prefect import flow, get_run_logger

from data_contracts.errors import EncounterError
from flows.cases.filing import filed_cases
from flows.runtime.acting import acting, service
from flows.runtime.environment import environment
from flows.runtime.open_case import open_case
from flows.runtime.prefect_api import runs_by_case, start_trace
from flows.runtime.prefect_task import plain
from flows.stages.claim import read_claim

# A case whose runs died is started again this often; then a person must look (its last run says why
# it failed).
MAX_ATTEMPTS = 3
# Ended by itself. A run also completes when it leaves a case to another run, which may have died
# since.
ENDED = ("CRASHED", "FAILED", "COMPLETED")


def needs_run(published: bool, states: list[str]) -> int | None:
    """The number of the attempt to start, or None where the case needs no run.

    `states` are the state types of its runs so far. Runs that ended without a result are followed
    by another, up to MAX_ATTEMPTS; one that a person cancelled is not.
    """
    if published or any(s not in ENDED for s in states):
        return None
    return len(states) if len(states) < MAX_ATTEMPTS else None


def _start_missing() -> dict[str, int]:
    """Start every filed, still authorised case that has no run; counts of cases by what was
    done.
    """
    env = environment()
    counts = {"filed": 0, "started": 0, "refused": 0}
    runs = runs_by_case()
    for case_id in filed_cases(env):
        counts["filed"] += 1
        try:
            claim = read_claim(env.cases.open(case_id))
        except EncounterError:  # damaged, or ended a moment ago: no other case waits for it
            counts["refused"] += 1
            continue
        states = [run.state.type.value for run in runs.get(case_id, []) if run.state is not None]
        attempt = needs_run(claim is not None and claim.state == "published", states)
        if attempt is None:
            continue
        try:
            open_case(case_id, env)
        except EncounterError:
            counts["refused"] += 1
            continue
        start_trace(case_id, attempt)
        counts["started"] += 1
    return counts


start_missing = plain("start what has no run", _start_missing)


@flow(name="reconcile", persist_result=False)
def reconcile() -> dict[str, int]:
    """Start every filed case that has no run."""
    with acting(service("reconcile", repeats=True)):
        counts = start_missing()
    get_run_logger().info("filed %(filed)d, started %(started)d, refused %(refused)d", counts)
    return counts
