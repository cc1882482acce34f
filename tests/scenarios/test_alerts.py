"""The alerts at a real Prefect server: they fire where a pass does not succeed, and only there."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from whole_stack import ask_server, wait

from data_contracts.errors import StackError
from flows.runtime.alerts import alert_name, register_alerts
from flows.runtime.prefect_api import use_server
from infra.local.stack import StackInfo
from infra.settings import Settings, load_settings

pytestmark = [pytest.mark.stack, pytest.mark.scenario]


def _fired(settings: Settings) -> set[str]:
    wanted = {"filter": {"event": {"name": ["prefect.automation.triggered"]}}}
    events = ask_server(settings, "POST", "events/filter", wanted)["events"]
    return {event["resource"]["prefect.resource.name"] for event in events}


def _automations(settings: Settings) -> list[dict[str, Any]]:
    found = ask_server(settings, "POST", "automations/filter", {})
    return [one for one in found if one["name"].endswith("has not succeeded for 15 minutes")]


def test_an_alert_fires_where_a_pass_does_not_succeed(stack: StackInfo) -> None:
    """purge-expired completes again and again, reconcile only fails: reconcile's alert fires,
    purge-expired's does not. Registered anew there are two still, of 15 minutes.
    """
    from prefect.events import emit_event

    settings = stack.settings
    use_server(settings)
    ended = threading.Event()

    def passes() -> None:
        while not ended.wait(2):
            for flow, state in (("purge-expired", "Completed"), ("reconcile", "Failed")):
                emit_event(
                    f"prefect.flow-run.{state}",
                    {"prefect.resource.id": f"prefect.flow-run.{time.time_ns()}"},
                    related=[
                        {
                            "prefect.resource.id": f"prefect.flow.{flow}",
                            "prefect.resource.role": "flow",
                            "prefect.resource.name": flow,
                        }
                    ],
                )

    running = threading.Thread(target=passes)
    running.start()
    try:
        register_alerts(settings, timedelta(seconds=60))
        late = alert_name("reconcile")
        wait("no alert fired", 300, lambda: late in _fired(settings), every_s=2)
        assert alert_name("purge-expired") not in _fired(settings)
    finally:
        ended.set()
        running.join()
    register_alerts(settings)
    found = _automations(settings)
    assert {one["trigger"]["within"] for one in found} == {900.0}
    assert len(found) == 2


def test_an_unknown_block_is_named(stack: StackInfo) -> None:
    """A block that the server does not have is an error that says what to do."""
    given = stack.settings.prefect.model_dump() | {"alert_block": "slack-webhook/nobody"}
    settings = load_settings(home=stack.settings.home, prefect=given)
    use_server(settings)
    with pytest.raises(StackError, match="slack-webhook/nobody, and the server has no such block"):
        register_alerts(settings)
