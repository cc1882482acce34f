"""Talking to the Prefect server: starting runs idempotently and reading their state."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import httpx

from data_contracts.errors import StackError
from data_contracts.time import now_utc
from infra.local.prefect_server import prefect_environment
from infra.settings import Settings

TRACE = "trace-case/trace-case"
REASSESS = "rerun-exposure/rerun-exposure"
# The name of a run's last state where its process ended with its worker, as in a power cut.
INTERRUPTED = "Interrupted"
# A worker knows which of its runs are dead (`flows.programs.dead_runs`); one whose whole machine is
# gone for good never says so.
_SILENT_AFTER = timedelta(hours=6)
_TRACE_FLOW = TRACE.partition("/")[0]
# As many runs as the server gives in one answer.
_PAGE = 200


def use_server(settings: Settings) -> None:
    """Point this process at the settings' Prefect server, telemetry off."""
    os.environ |= prefect_environment(settings)
    if "prefect" in sys.modules:
        from prefect.context import refresh_global_settings_context

        refresh_global_settings_context()


def client() -> Any:
    """A synchronous Prefect client."""
    from prefect.client.orchestration import get_client

    return get_client(sync_client=True)


def _deployment_id(api: Any, name: str) -> UUID:
    from prefect.exceptions import ObjectNotFound

    try:
        return api.read_deployment_by_name(name).id
    except ObjectNotFound as error:
        raise StackError(
            f"the server has no deployment {name}: register it with `prefect --no-prompt deploy "
            "--all`"
        ) from error


@contextmanager
def _asking_server() -> Iterator[None]:
    """A server that does not answer is a StackError. RuntimeError: Prefect, where the answer is
    not that of a Prefect server.
    """
    try:
        yield
    except (httpx.HTTPError, OSError, RuntimeError) as error:
        raise StackError(
            f"the Prefect server cannot be asked ({type(error).__name__}): encounter status shows "
            "what runs, encounter up starts what does not"
        ) from error


def start_trace(case_id: str, attempt: int = 0, again: bool = False) -> UUID:
    """Start trace-case for a case; the case id (and attempt) is the idempotency key, so asking
    twice starts one run.

    Returns the flow run's id. Raises StackError when the server cannot be reached.
    """
    return _start_run(
        TRACE,
        {"case_id": case_id, "again": again},
        case_id,
        idempotency_key=case_id if attempt == 0 else f"{case_id}#{attempt}",
        name=case_id if attempt == 0 else f"{case_id} attempt {attempt + 1}",
    )


def start_reassessment(case_id: str, policy: str) -> UUID:
    """Start rerun-exposure for a finished case under another policy. Raises StackError."""
    return _start_run(
        REASSESS, {"case_id": case_id, "policy": policy}, case_id, name=f"{case_id} under {policy}"
    )


def _start_run(deployment: str, parameters: dict[str, Any], case_id: str, **options: str) -> UUID:
    tags = ["encounter", f"case:{case_id}"]
    try:
        with client() as api:
            found = _deployment_id(api, deployment)
            run = api.create_flow_run_from_deployment(
                found, parameters=parameters, tags=tags, **options
            )
    except (httpx.HTTPError, OSError, RuntimeError) as error:
        raise StackError(
            f"the Prefect server cannot be reached ({type(error).__name__}); the case is stored "
            "and starts "
            "by itself when the server is back (or run: encounter up)"
        ) from error
    return run.id


def runs_by_case() -> dict[str, list[Any]]:
    """All trace runs by case, newest first, however they were started: one that an event started
    has no tag of its case, only its parameter. Raises StackError where the server is down.
    """
    found: dict[str, list[Any]] = {}
    for run in runs_of_flows(_TRACE_FLOW):
        found.setdefault(str(run.parameters.get("case_id")), []).append(run)
    return found


def runs_of(case_id: str) -> list[Any]:
    """All trace runs of a case, newest first. Raises StackError where the server is down."""
    return runs_by_case().get(case_id, [])


def runs_of_flows(*names: str) -> list[Any]:
    """All runs of these flows, newest first. Raises StackError where the server is down."""
    from prefect.client.schemas.filters import FlowFilter, FlowFilterName
    from prefect.client.schemas.sorting import FlowRunSort

    wanted = FlowFilter(name=FlowFilterName(any_=list(names)))
    newest = FlowRunSort.EXPECTED_START_TIME_DESC
    found: list[Any] = []
    with _asking_server(), client() as api:
        while True:
            page = api.read_flow_runs(
                flow_filter=wanted, sort=newest, limit=_PAGE, offset=len(found)
            )
            found += page
            if len(page) < _PAGE:
                return found


def newest_run_of(case_id: str) -> Any | None:
    """The last trace run of a case; None where there is none. Raises StackError."""
    return next(iter(runs_of(case_id)), None)


def server_listens() -> bool:
    """Whether anything listens where the server is: Prefect's client tries for half a minute where
    nothing does, and a page cannot wait for that.
    """
    address = urlsplit(os.environ.get("PREFECT_API_URL", ""))
    try:
        port = address.port or (443 if address.scheme == "https" else 80)
        with socket.create_connection((address.hostname or "", port), timeout=2.0):
            return True
    except (OSError, ValueError):
        return False


def state_of_run(flow_run_id: str) -> Any | None:
    """The state of a flow run; None of one that the server does not know. Raises StackError."""
    from prefect.exceptions import ObjectNotFound

    try:
        return read_run(flow_run_id).state
    except (ObjectNotFound, ValueError):
        return None


def current_task(flow_run_id: str) -> str:
    """The name of the last task that a flow run began; empty before the first. Raises StackError
    where the server is down.
    """
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
    from prefect.client.schemas.sorting import TaskRunSort

    wanted = FlowRunFilter(id=FlowRunFilterId(any_=[UUID(flow_run_id)]))
    with _asking_server(), client() as api:
        runs = api.read_task_runs(
            flow_run_filter=wanted, sort=TaskRunSort.EXPECTED_START_TIME_DESC, limit=1
        )
    return str(runs[0].name) if runs else ""


def read_run(flow_run_id: UUID | str) -> Any:
    """One flow run. Raises StackError where the server cannot be asked."""
    with _asking_server(), client() as api:
        return api.read_flow_run(UUID(str(flow_run_id)))


def flow_run_is_active(flow_run_id: str) -> bool:
    """Whether a run is still going on. Unknown runs, ended runs and runs silent for hours are
    not.
    """
    from prefect.exceptions import ObjectNotFound

    if not flow_run_id:
        return False
    try:
        run = read_run(flow_run_id)
    except (ObjectNotFound, ValueError):
        return False
    if run.state is None or run.state.is_final():
        return False
    return run.start_time is None or now_utc() - run.start_time < _SILENT_AFTER
