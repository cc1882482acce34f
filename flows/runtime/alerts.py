"""Alerts as Prefect automations: a pass that runs by itself has not succeeded for 15 minutes.

The server that runs the passes watches them, so that an alert needs nothing of this project to
live. It shows as an event `prefect.automation.triggered` in the UI; where the settings name a
notification block of the server, it is sent too.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx

from data_contracts.errors import StackError
from flows.runtime.prefect_api import client
from infra.passes import LATE_S, PASSES
from infra.settings import Settings


def register_alerts(settings: Settings, late: timedelta = timedelta(seconds=LATE_S)) -> None:
    """Make or renew the automation of each pass. Raises StackError."""
    try:
        with client() as api:
            action = _action(api, settings.prefect.alert_block)
            for name in PASSES:
                _register(api, _alert(name, late, action))
    except (httpx.HTTPError, OSError, RuntimeError) as error:
        raise StackError(
            f"the alerts cannot be registered at the Prefect server ({type(error).__name__}): run "
            "encounter up again"
        ) from error


def alert_name(name: str) -> str:
    """The automation's name, which is what people read."""
    return f"{name} has not succeeded for 15 minutes"


def _alert(name: str, late: timedelta, action: Any) -> Any:
    from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
    from prefect.events.schemas.events import ResourceSpecification

    runs = ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"})
    of_flow = ResourceSpecification(
        {"prefect.resource.role": "flow", "prefect.resource.name": name}
    )
    trigger = EventTrigger(
        posture=Posture.Proactive,
        match=runs,
        match_related=of_flow,
        expect={"prefect.flow-run.Completed"},
        threshold=1,
        within=late,
    )
    advice = "encounter status and encounter doctor say what is wrong"
    return AutomationCore(
        name=alert_name(name), description=advice, trigger=trigger, actions=[action]
    )


def _action(api: Any, block: str) -> Any:
    from prefect.events.actions import DoNothing, SendNotification
    from prefect.exceptions import ObjectNotFound

    if not block:
        return DoNothing()
    kind, _, name = block.partition("/")
    try:
        found = api.read_block_document_by_name(name, kind)
    except ObjectNotFound:
        raise StackError(
            f"prefect.alert_block names {block}, and the server has no such block: make it in the "
            "UI (Blocks), or take the setting out"
        ) from None
    return SendNotification(
        block_document_id=found.id,
        subject="Encounter: {{ automation.name }}",
        body="{{ automation.name }}. {{ automation.description }}.",
    )


def _register(api: Any, wanted: Any) -> None:
    there = api.read_automations_by_name(wanted.name)
    if there:
        api.update_automation(there[0].id, wanted)
    else:
        api.create_automation(wanted)
