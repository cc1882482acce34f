"""Ending what the orchestrator has of a case: running work is stopped, then runs, artifacts, logs
and events are deleted.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import httpx

from data_contracts.errors import StackError
from data_contracts.mention import artifact_keys
from flows.runtime.prefect_api import client, runs_of_flows
from infra.local import prefect_database
from infra.settings import Settings

# The flows that work on one case; a run that an event started has no tag, only its parameter.
_CASE_FLOWS = ("trace-case", "rerun-exposure")
_PAGE_SIZE = 200
# A flow notices by itself within seconds, the worker ends its process within ten; then its state is
# set for it.
STOP_S = 15.0
_POLL_S = 0.5
# Events reach the database a moment after what they tell of: until then they are deleted again.
_QUIET_S = 3.0
_SETTLE_S = 30.0


class Forgotten(NamedTuple):
    """What was deleted."""

    runs: int
    artifacts: int
    database_rows: int


def known(settings: Settings) -> bool:
    """Whether this installation has an orchestrator at all."""
    return settings.prefect.api_url is not None


def case_runs(case_id: str) -> list[Any]:
    """Every flow run of a case, however it was started. Raises StackError when the server cannot be
    reached.
    """
    return [
        run
        for run in runs_of_flows(*_CASE_FLOWS)
        if run.parameters.get("case_id") == case_id or f"case:{case_id}" in run.tags
    ]


def stop_runs(case_id: str, why: str, limit_s: float = STOP_S) -> int:
    """End a case's running and waiting work: each run ends as Cancelled and says why. Returns how
    many there were.

    Their pending Dask futures go with the run's client; what a worker is busy with stops at its
    next look at the case.
    """
    from prefect.states import Cancelled, Cancelling

    active = [run.id for run in case_runs(case_id) if run.state is None or not run.state.is_final()]
    ends = time.monotonic() + limit_s
    with client() as api:
        for run_id in active:
            api.set_flow_run_state(run_id, Cancelling(message=why))
        waiting = set(active)
        while waiting and time.monotonic() < ends:
            time.sleep(_POLL_S)
            waiting = {i for i in waiting if not _is_final(api, i)}
        for run_id in active:
            api.set_flow_run_state(run_id, Cancelled(message=why), force=True)
    return len(active)


def _is_final(api: Any, run_id: Any) -> bool:
    state = api.read_flow_run(run_id).state
    return state is not None and state.is_final()


def forget_case(settings: Settings, case_id: str) -> Forgotten:
    """Delete a case's runs with their task runs, states and logs, its artifacts, and in the local
    server its events.

    A server that is down does not matter where its database is this home's own. Raises StackError.
    """
    database = prefect_database.local_database(settings)
    runs = prefect_database.run_ids(database, case_id) if database else ()
    try:
        deleted, artifacts = _delete_by_api(case_id)
    except StackError:
        if database is None:
            raise
        deleted = len(runs)
        artifacts = 0
    rows = _delete_rows(database, case_id, runs) if database else 0
    return Forgotten(deleted, artifacts, rows)


def _delete_by_api(case_id: str) -> tuple[int, int]:
    runs = case_runs(case_id)
    try:
        with client() as api:
            for run in runs:
                _gone_is_well(api.delete_flow_run, run.id)
            artifacts = artifacts_of(api, case_id)
            for artifact in artifacts:
                _gone_is_well(api.delete_artifact, artifact.id)
    except (httpx.HTTPError, OSError, RuntimeError) as error:
        raise _server_unreachable(error) from error
    return len(runs), len(artifacts)


def artifacts_of(api: Any, case_id: str) -> list[Any]:
    """The case's artifacts, all versions."""
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

    wanted = ArtifactFilter(key=ArtifactFilterKey(any_=list(artifact_keys(case_id).values())))
    return api.read_artifacts(artifact_filter=wanted, limit=_PAGE_SIZE)


def _delete_rows(database: Any, case_id: str, runs: tuple[str, ...]) -> int:
    """Delete until nothing new has come for a while, then make the freed pages go."""
    total = rows = prefect_database.delete_rows(database, case_id, runs)
    ends = time.monotonic() + _SETTLE_S
    quiet_from = time.monotonic()
    while runs and time.monotonic() < min(ends, quiet_from + _QUIET_S):
        time.sleep(_POLL_S)
        rows = prefect_database.delete_rows(database, case_id, runs)
        total += rows
        quiet_from = time.monotonic() if rows else quiet_from
    if total:
        prefect_database.compact(database)
    return total


def still_known(settings: Settings, case_id: str) -> str:
    """What of the case the orchestrator still has; empty where it has nothing."""
    database = prefect_database.local_database(settings)
    if database is not None and prefect_database.names(database, case_id):
        return "the orchestrator's database still names the case"
    try:
        return "the orchestrator still has runs of the case" if case_runs(case_id) else ""
    except StackError:
        if database is None:
            raise
        return ""


def _gone_is_well(delete: Any, found_id: Any) -> None:
    from prefect.exceptions import ObjectNotFound

    try:
        delete(found_id)
    except ObjectNotFound:
        return


def _server_unreachable(error: Exception) -> StackError:
    return StackError(
        f"the Prefect server cannot be reached ({type(error).__name__}): encounter up"
    )
