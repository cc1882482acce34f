"""The worker: starts a process for each flow run, always the same program in the same folder.

Prefect's process worker takes command, environment and working folder from the pool, the deployment
and the run, which anyone with the server's login may write. This one takes none of them. Outside
Prefect's limits it looks every ten seconds which runs have no process any more (`dead_runs`).
"""

from __future__ import annotations

import asyncio
import os
import sys
import warnings
from pathlib import Path
from typing import Any

from data_contracts.errors import StackError
from flows.programs.dead_runs import TakenRuns, look
from infra.local import disk_room
from infra.no_dumps import no_dumps
from infra.settings import load_settings
from infra.stack_record import read_record

PROJECT = Path(__file__).resolve().parents[2]
# Nothing of a job can be varied: the server refuses a run or deployment that tries. (It takes no
# template without any configuration; without `env` in it, variables of that name change nothing.)
JOB_TEMPLATE: dict[str, Any] = {
    "job_configuration": {"stream_output": True},
    "variables": {"type": "object", "properties": {}, "additionalProperties": False},
}


def command(pool: str, limit: int, cases: int) -> list[str]:
    """The command line of a worker of this pool that runs up to `limit` flows at once, and of them
    up to `cases` traces.
    """
    return [sys.executable, "-m", __name__, pool, str(limit), str(cases)]


# How many cases are traced at once: the server counts the queue's runs that are pending or running,
# so no slot of it can leak.
CASES_QUEUE = "cases"
_LOOK_S = 10.0


def _fixed_job() -> type[Any]:
    """The configuration of every job, whatever the server's template and variables are."""
    from prefect.utilities.processutils import command_to_string
    from prefect.workers.process import ProcessJobConfiguration

    program = command_to_string([sys.executable, "-m", "flows.programs.flow_run"])

    class FixedJob(ProcessJobConfiguration):
        @classmethod
        async def from_template_and_values(
            cls, base_job_template: dict[str, Any], values: dict[str, Any], client: Any = None
        ) -> FixedJob:
            return cls(command=program, working_dir=PROJECT)

    return FixedJob


async def _own_flow(run: Any, **_: Any) -> Any:
    """For the hooks of a run that crashed, which Prefect runs in the worker itself."""
    from flows.programs.own_flows import own_flow

    return await asyncio.to_thread(own_flow, run)


async def _close_pool(pool: str) -> None:
    """Make the pool, or take away what an earlier template let vary."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
    from prefect.exceptions import ObjectNotFound

    async with get_client() as api:
        try:
            found = await api.read_work_pool(pool)
        except ObjectNotFound:
            made = WorkPoolCreate(name=pool, type="process", base_job_template=JOB_TEMPLATE)
            await api.create_work_pool(made)
            return
        if found.type != "process":
            raise StackError(
                f"the pool {pool} is for workers of type {found.type}: set prefect.pool to another "
                "name, or delete that pool on the server"
            )
        await api.update_work_pool(pool, WorkPoolUpdate(base_job_template=JOB_TEMPLATE))


async def _limit_cases(pool: str, cases: int) -> None:
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound

    async with get_client() as api:
        try:
            queue = await api.read_work_queue_by_name(CASES_QUEUE, work_pool_name=pool)
        except ObjectNotFound:
            queue = await api.create_work_queue(CASES_QUEUE, work_pool_name=pool)
        await api.update_work_queue(queue.id, concurrency_limit=cases)


def _own_worker(taken: TakenRuns) -> type[Any]:
    """Prefect's process worker, which leaves word of each run that it takes before the server hears
    of it.
    """
    from prefect.workers.process import ProcessWorker

    class OwnWorker(ProcessWorker):
        async def _submit_run(self, flow_run: Any) -> None:
            taken.begin(str(flow_run.id))
            try:
                await super()._submit_run(flow_run)
            finally:
                taken.end(str(flow_run.id))

        async def run(self, flow_run: Any, *rest: Any, **more: Any) -> Any:
            taken.begin(str(flow_run.id))
            try:
                return await super().run(flow_run, *rest, **more)
            finally:
                taken.end(str(flow_run.id))

    return OwnWorker


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _look_after_room() -> None:
    """Where the disk is full the reserve is given up, so that the orchestrator can start what
    deletes; where there is room again it is made.
    """
    settings = load_settings()
    try:
        if disk_room.give_up_reserves(settings):
            _say("the disk is full: its reserve is given up; free some room")
        disk_room.keep_reserves(settings)
    except OSError as error:
        _say(f"the room on the disk cannot be looked at ({error.strerror}): tried again")


async def _keep_looking(taken: TakenRuns) -> None:
    while True:
        await asyncio.sleep(_LOOK_S)
        await asyncio.to_thread(_look_after_room)
        await asyncio.to_thread(look, taken, _say)


async def _serve_pool(pool: str, limit: int, cases: int) -> None:
    from prefect.utilities.processutils import setup_signal_handlers_worker
    from prefect.workers import process

    process.load_flow_from_flow_run = _own_flow  # type: ignore[assignment]
    # Prefect's list of worker types has ours in the place of its own.
    warnings.filterwarnings("ignore", message="Type 'OwnWorker'", category=UserWarning)
    await _close_pool(pool)
    await _limit_cases(pool, cases)
    settings = load_settings()
    taken = TakenRuns(settings.paths)
    record = read_record(settings.paths)
    if record is not None and settings.prefect.api_url == record.prefect_api_url:
        await asyncio.to_thread(taken.adopt, pool)
    await asyncio.to_thread(look, taken, _say)
    worker = _own_worker(taken)(
        work_pool_name=pool, name="local", limit=limit, base_job_template=JOB_TEMPLATE
    )
    worker.job_configuration = _fixed_job()
    setup_signal_handlers_worker(os.getpid(), "the process worker", print)
    looking = asyncio.create_task(_keep_looking(taken))
    try:
        await worker.start()
    finally:
        looking.cancel()


def main(pool: str, limit: int, cases: int) -> None:
    """Serve until SIGTERM."""
    no_dumps()
    asyncio.run(_serve_pool(pool, limit, cases))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
