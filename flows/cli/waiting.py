"""Waiting for a flow run with progress."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

from data_contracts.errors import EncounterError
from flows.cli.console import say, working
from flows.runtime.prefect_api import client, current_task
from flows.stages.claim import read_claim
from infra.case_store import CaseVault

# The server answers on the cores that the models work on.
_POLL_S = 2.0


def wait_for(flow_run_id: str, limit_s: float = 3600.0) -> None:
    """Show the stages until the run ends. Raises EncounterError when it fails or takes longer than
    `limit_s`.
    """
    ends = time.monotonic() + limit_s
    with client() as api, working("waiting for the worker", kept=True) as tell:
        while time.monotonic() < ends:
            run = _read_run(api, flow_run_id)
            if run.state is not None and run.state.is_final():
                tell(run.state.name.lower())
                if run.state.is_completed():
                    return
                raise EncounterError(
                    f"the run ended as {run.state.name}: {first_line(run.state.message)}"
                )
            tell(current_task(flow_run_id) or "waiting for the worker")
            time.sleep(_POLL_S)
    raise EncounterError(f"the run is not finished after {limit_s:.0f} s; see the Prefect UI")


def wait_for_trace(vault: CaseVault, flow_run_id: str) -> None:
    """Wait until the case's trace is published, be it by this run or by the one that has the case.
    Raises EncounterError where that one ends without: a run that leaves a case to another completes
    at once.
    """
    while True:
        wait_for(flow_run_id)
        claim = read_claim(vault)
        if claim is not None and claim.state == "published":
            return
        if claim is None or claim.flow_run_id in ("", flow_run_id):
            raise EncounterError(
                f"run {flow_run_id} ended, and nothing of it is published: encounter case show "
                f"{vault.case_id}"
            )
        say(f"run {claim.flow_run_id} traces this case already: waiting for that one")
        flow_run_id = claim.flow_run_id


def _read_run(api: Any, flow_run_id: str) -> Any:
    from prefect.exceptions import ObjectNotFound

    try:
        return api.read_flow_run(UUID(str(flow_run_id)))
    except ObjectNotFound:
        raise EncounterError(
            "the run is gone: its case was withdrawn, expired or closed while it ran"
        ) from None


def first_line(text: str | None) -> str:
    """The first line of a message, or a hint."""
    return (text or "see the Prefect UI").strip().splitlines()[0][:300]
