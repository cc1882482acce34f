"""The plug is pulled: everything goes on by itself after the next `up`, housekeeping included."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from whole_stack import WholeStack, wait

pytestmark = [pytest.mark.stack, pytest.mark.scenario]
PASSES = ("reconcile", "purge-expired")
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
    whole.start("reconcile/reconcile")  # which starts the trace
    before = {wait("no trace runs", 120, lambda: whole.halt("trace-case"))}
    before |= {_halted(whole, flow) for flow in PASSES}
    assert whole.cut() > len(before)
    min((whole.home / "runs").iterdir()).unlink()  # a file of a run is lost as well
    whole.encounter("up")
    wait("the case is not traced", 600, lambda: whole.is_published(CASE))
    for flow in PASSES:
        whole.start(f"{flow}/{flow}")
        wait(f"{flow} is locked out", 150, lambda flow=flow: _completed(whole, flow, before))
    flows = ("trace-case", *PASSES)
    dead = [run["state_name"] for flow in flows for run in whole.runs(flow) if run["id"] in before]
    assert dead == ["Interrupted"] * len(before)


def _halted(whole: WholeStack, flow: str) -> str:
    """A run of a pass in the middle of its work."""
    for _ in range(4):
        whole.start(f"{flow}/{flow}")
        with suppress(AssertionError):
            return str(wait("not at work", 60, lambda: whole.halt(flow), 0.05))
    raise AssertionError(f"{flow} was never at work: {whole.states(flow)}")


def _completed(whole: WholeStack, flow: str, before: set[str]) -> bool:
    runs = [run for run in whole.runs(flow) if run["id"] not in before]
    return any(run["state_name"] == "Completed" for run in runs)
