"""Which flow runs this home's worker took, and which of them are over though nobody said so.

The worker writes a file for each run before the orchestrator hears that it was taken; the run's
process holds it. A file that nobody holds is a run without a process: it is marked, and its case is
started again. Why it is so: docs/decisions/0013-dead-is-known.md.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

import httpx

from flows.runtime.prefect_api import INTERRUPTED, client
from infra.held_file import hold, hold_existing, make_durable
from infra.home import Home

_RECONCILE = "reconcile/reconcile"
# Those with schedules: of ticks that were missed only the last one matters.
_SCHEDULED = ("reconcile", "purge-expired", "rerun-exposure")
_PAGE = 200


class TakenRuns:
    """The runs that one worker took in its life, and the files of all workers of its home."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self._mine: set[str] = set()
        self._at_work: dict[str, int] = defaultdict(int)

    def adopt(self, pool: str) -> None:
        """Count every run of the pool that is said to be at work as taken here: for a server of
        this home's own, whose runs nobody else takes. A file may be lost, or a run be older than
        files are.
        """
        with client() as api:
            for run in _said_to_work(api, pool):
                if not self.home.run_file(str(run.id)).exists():
                    make_durable(self.home.run_file(str(run.id)))

    def begin(self, run_id: str) -> None:
        """The worker starts with a run, or goes on with it: it is not judged until `end`."""
        self._at_work[run_id] += 1
        self._mine.add(run_id)
        make_durable(self.home.run_file(run_id))

    def end(self, run_id: str) -> None:
        """The worker has done its part; what it left open is judged by the next look."""
        self._at_work[run_id] -= 1

    def end_dead(self) -> int:
        """Mark the runs that have no process; how many of them were cases'. Raises httpx errors
        where the server does not answer: they are looked at again.
        """
        cases = 0
        with client() as api:
            for path in self._not_at_work():
                file = hold(path)
                if file is None:
                    continue
                with file:
                    cases += self._marked(api, path.name)
                    path.unlink()
        return cases

    def drop_missed(self) -> int:
        """Delete the ticks of each schedule that were missed while nothing ran, all but the last
        one; returns how many.
        """
        from prefect.exceptions import ObjectNotFound

        dropped = 0
        with client() as api:
            for run in _missed(api):
                if not self._at_work[str(run.id)]:
                    try:
                        api.delete_flow_run(run.id)
                    except ObjectNotFound:
                        continue
                    dropped += 1
        return dropped

    def _not_at_work(self) -> list[Path]:
        found = sorted(self.home.runs.iterdir()) if self.home.runs.is_dir() else []
        return [path for path in found if not self._at_work[path.name]]

    def _marked(self, api: Any, run_id: str) -> bool:
        """Whether it was a case's run that was not over."""
        from prefect.exceptions import ObjectNotFound
        from prefect.states import Cancelled, Crashed, State

        try:
            run = api.read_flow_run(UUID(run_id))
        except (ObjectNotFound, ValueError):
            return False
        if run.state is None or run.state.is_final() or run.state.is_scheduled():
            return False
        name = "Crashed" if run_id in self._mine else INTERRUPTED
        ended: State[Any] = Crashed(name=name, message="its process is gone")
        if run.state.is_cancelling():
            ended = Cancelled(message="its process is gone")
        api.set_flow_run_state(run.id, ended, force=True)
        return "case_id" in run.parameters


def hold_run(home: Home, run_id: str) -> BinaryIO | None:
    """What a run's process holds to its end; None where the run was given up already."""
    return hold_existing(home.run_file(run_id))


def start_reconcile() -> None:
    """Have the cases of dead runs started again now, not at the next tick. Nothing where the
    deployment is not registered yet.
    """
    from prefect.exceptions import ObjectNotFound

    with client() as api:
        try:
            found = api.read_deployment_by_name(_RECONCILE)
        except ObjectNotFound:
            return
        api.create_flow_run_from_deployment(found.id)


def look(taken: TakenRuns, tell: Callable[[str], None]) -> None:
    """One look at everything; says what it did, and never raises."""
    try:
        missed = taken.drop_missed()
        if missed:
            tell(f"{missed} ticks that were missed are dropped")
        dead = taken.end_dead()
        if dead:
            tell(f"{dead} runs of cases had no process any more: they are marked, reconcile starts")
            start_reconcile()
    except (httpx.HTTPError, OSError, RuntimeError) as error:
        tell(f"runs cannot be looked at ({type(error).__name__}): tried again")


def _said_to_work(api: Any, pool: str) -> list[Any]:
    from prefect.client.schemas.filters import (
        FlowRunFilter,
        FlowRunFilterState,
        FlowRunFilterStateType,
        WorkPoolFilter,
        WorkPoolFilterName,
    )
    from prefect.client.schemas.objects import StateType

    types = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]
    at_work = FlowRunFilterState(type=FlowRunFilterStateType(any_=types))
    return list(
        api.read_flow_runs(
            work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[pool])),
            flow_run_filter=FlowRunFilter(state=at_work),
            limit=_PAGE,
        )
    )


def _missed(api: Any) -> list[Any]:
    from prefect.client.schemas.filters import (
        FlowFilter,
        FlowFilterName,
        FlowRunFilter,
        FlowRunFilterExpectedStartTime,
        FlowRunFilterState,
        FlowRunFilterStateType,
    )
    from prefect.client.schemas.objects import StateType
    from prefect.client.schemas.sorting import FlowRunSort

    from data_contracts.time import now_utc

    waiting = FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED]))
    due = FlowRunFilterExpectedStartTime(before_=now_utc())
    runs = api.read_flow_runs(
        flow_filter=FlowFilter(name=FlowFilterName(any_=list(_SCHEDULED))),
        flow_run_filter=FlowRunFilter(state=waiting, expected_start_time=due),
        sort=FlowRunSort.EXPECTED_START_TIME_DESC,
        limit=_PAGE,
    )
    last: set[Any] = set()
    missed = []
    for run in runs:
        if run.auto_scheduled and run.deployment_id in last:
            missed.append(run)
        elif run.auto_scheduled:
            last.add(run.deployment_id)
    return missed
