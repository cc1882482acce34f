"""The plug is pulled: everything goes on by itself after the next `up`, housekeeping included."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from whole_stack import WholeStack, wait

pytestmark = [pytest.mark.stack, pytest.mark.scenario]
ACTIVE = {"Pending", "Submitting", "Running"}
FLOWS = ("trace-case", "reconcile", "purge-expired")
CASE = "K-POWER-001"


@pytest.fixture
def whole(tmp_path: Path) -> Iterator[WholeStack]:
    """A stack of its own."""
    found = WholeStack(tmp_path / "home")
    try:
        yield found
    finally:
        found.encounter("down")


def test_everything_goes_on_after_a_power_cut(whole: WholeStack) -> None:
    """The whole stack is killed while a trace, a reconcile and a purge are at work: after `up` the
    three are known to be dead, the case is traced by a new run, and both passes run again.
    """
    whole.encounter("up")
    whole.file_case(CASE)
    whole.start("reconcile/reconcile")
    wait("no trace runs", 120, lambda: ACTIVE & set(whole.states("trace-case")))
    _start_housekeeping(whole)
    before = {
        run["id"] for flow in FLOWS for run in whole.runs(flow) if run["state_name"] in ACTIVE
    }
    assert whole.cut() > len(FLOWS)
    min((whole.home / "runs").iterdir()).unlink()  # a file of a run is lost as well
    whole.encounter("up")
    wait("the case is not traced", 240, lambda: whole.is_published(CASE))
    for flow in FLOWS[1:]:
        whole.start(f"{flow}/{flow}")
        wait(f"{flow} is locked out", 150, lambda flow=flow: _completed(whole, flow, before))
    dead = {run["state_name"] for flow in FLOWS for run in whole.runs(flow) if run["id"] in before}
    assert dead <= {"Interrupted", "Completed"}


def _start_housekeeping(whole: WholeStack) -> None:
    """Both passes take seconds: they are started until they are at work beside the trace."""
    for _ in range(8):
        for flow in FLOWS[1:]:
            whole.start(f"{flow}/{flow}")
        with suppress(AssertionError):
            wait("not yet", 12, lambda: all(ACTIVE & set(whole.states(f)) for f in FLOWS), 0.1)
            return
    seen = {flow: whole.states(flow) for flow in FLOWS}
    raise AssertionError(f"a trace and both passes were never at work together: {seen}")


def _completed(whole: WholeStack, flow: str, before: set[str]) -> bool:
    runs = [run for run in whole.runs(flow) if run["id"] not in before]
    return any(run["state_name"] == "Completed" for run in runs)
