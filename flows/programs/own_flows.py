"""Which code a flow run executes: this project's flow of that name, whatever the server says.

Prefect loads what a deployment names: a path, pull steps, a storage block. Whoever may write to the
server could so run code of their own as the service's user, which reads the master key. Here the
server chooses a name and its parameters, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from prefect import Flow
from prefect.client.schemas.objects import FlowRun

from data_contracts.errors import BadInput
from flows.runtime.prefect_api import client


def _trace_case() -> Flow[..., Any]:
    from flows.trace_case import trace_case

    return trace_case


def _rerun_exposure() -> Flow[..., Any]:
    from flows.rerun_exposure import rerun_exposure

    return rerun_exposure


def _reconcile_flow() -> Flow[..., Any]:
    from flows.reconcile import reconcile

    return reconcile


def _purge_expired() -> Flow[..., Any]:
    from flows.purge_expired import purge_expired

    return purge_expired


# Functions, so that a run imports its own flow only.
FLOWS: dict[str, Callable[[], Flow[..., Any]]] = {
    "trace-case": _trace_case,
    "rerun-exposure": _rerun_exposure,
    "reconcile": _reconcile_flow,
    "purge-expired": _purge_expired,
}


def own_flow(run: FlowRun) -> Flow[..., Any]:
    """The flow that a run names. Raises BadInput for one that is not this project's."""
    with client() as api:
        name = api.read_flow(run.flow_id).name
    if name not in FLOWS:
        raise BadInput(
            f"this worker runs {', '.join(FLOWS)} and got a run of a flow of another name: a new "
            "flow is a line in flows/programs/own_flows.py"
        )
    return FLOWS[name]()
