"""reconcile: every filed case has a run. An event or a start that was lost while the server was
down is made up for.
"""

from __future__ import annotations

from typing import Any

from prefect import flow, get_run_logger
from prefect.states import Completed, State

from data_contracts.errors import StackError
from flows.cases.filing import filed_cases
from flows.runtime.acting import acting, service
from flows.runtime.environment import Environment, environment
from flows.runtime.open_case import open_case
from flows.runtime.prefect_api import INTERRUPTED, runs_by_case, start_trace
from flows.runtime.prefect_task import plain
from flows.stages.claim import read_claim
from infra.held_file import alone
from infra.local import disk_room
from infra.passes import note_success

# A case whose runs died is started again this often; then a person must look (its last run says why
# it failed).
MAX_ATTEMPTS = 3
# A run that ended with its worker (a power cut, a reboot) is not the case's fault, unless it always
# is.
MAX_INTERRUPTIONS = 20
# Ended by itself. A run also completes when it leaves a case to another run, which may have died
# since.
ENDED = ("CRASHED", "FAILED", "COMPLETED", INTERRUPTED)


def needs_run(published: bool, states: list[str]) -> int | None:
    """The number of the attempt to start, or None where the case needs no run.

    `states` are the state types of its runs so far, INTERRUPTED where a run ended with its worker.
    Runs that ended without a result are followed by another, up to MAX_ATTEMPTS and
    MAX_INTERRUPTIONS; one that a person cancelled is not.
    """
    if published or any(s not in ENDED for s in states):
        return None
    interrupted = states.count(INTERRUPTED)
    few = len(states) - interrupted < MAX_ATTEMPTS and interrupted < MAX_INTERRUPTIONS
    return len(states) if few else None


def _start_missing() -> dict[str, int]:
    """Start every filed, still authorised case that has no run; counts of cases by what was
    done.
    """
    env = environment()
    counts = {"filed": 0, "started": 0, "refused": 0}
    if disk_room.any_full(env.settings):
        get_run_logger().error("the disk is full, so no case is started: free some room")
        return counts
    runs = runs_by_case()
    for case_id in filed_cases(env):
        counts["filed"] += 1
        try:
            counts["started"] += _started(env, case_id, runs.get(case_id, []))
        except StackError:  # the orchestrator's fault, not the case's
            raise
        except Exception:  # noqa: BLE001  one case's fault is that case's: case list tells it
            counts["refused"] += 1
    return counts


def _started(env: Environment, case_id: str, runs: list[Any]) -> bool:
    claim = read_claim(env.cases.open(case_id))
    states = [_word(run.state) for run in runs if run.state is not None]
    attempt = needs_run(claim is not None and claim.state == "published", states)
    if attempt is None:
        return False
    open_case(case_id, env)
    start_trace(case_id, attempt)
    return True


def _word(state: Any) -> str:
    return INTERRUPTED if state.name == INTERRUPTED else str(state.type.value)


start_missing = plain("start what has no run", _start_missing)


@flow(name="reconcile", persist_result=False)
def reconcile() -> dict[str, int] | State:
    """Start every filed case that has no run."""
    held = environment().settings.paths.held("reconcile")
    with alone(held) as mine, acting(service("reconcile", repeats=True)):
        if not mine:
            return Completed(message="another pass is at work")
        counts = start_missing()
        note_success(environment().settings.paths, "reconcile")
    get_run_logger().info("filed %(filed)d, started %(started)d, refused %(refused)d", counts)
    return counts
