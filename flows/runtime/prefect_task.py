"""Stages and plain functions as Prefect tasks: retried where that can help, told in one sentence,
nothing of them persisted by the orchestrator.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from prefect import Task, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.states import State

from data_contracts.errors import may_pass
from data_contracts.run import Run, StageResult
from flows.runtime.stage import Stage

P = ParamSpec("P")
T = TypeVar("T")


class _OneSentence(logging.Filter):
    """Drops Prefect's own line at the end of a task: the stage has told what it did."""

    def filter(self, record: logging.LogRecord) -> bool:
        return "Finished in state Completed(" not in record.getMessage()


logging.getLogger("prefect.task_runs").addFilter(_OneSentence())


def task_of(stage: Stage) -> Task[..., StageResult]:
    """A stage as a task that says what it made: counts and seconds, nothing personal."""

    def told(run: Run, **given: Any) -> StageResult:
        began = time.monotonic()
        result = stage(run, **given)
        get_run_logger().info("%s", sentence(stage.name, result, time.monotonic() - began))
        return result

    told.__name__ = stage.function.__name__
    told.__doc__ = stage.function.__doc__
    return plain(stage.name, told)


def plain(name: str, function: Callable[P, T]) -> Task[P, T]:
    """A function as a task: passing faults are retried twice."""
    wrap = task(
        name=name,
        retries=2,
        retry_delay_seconds=[2, 10],
        retry_condition_fn=_may_pass,
        cache_policy=NO_CACHE,
        persist_result=False,
    )
    return wrap(function)


def sentence(name: str, result: StageResult, seconds: float) -> str:
    """What a stage made, such as `encounters: 812 points, 4 encounters (0.6 s)`."""
    counts = ", ".join(f"{n} {what.replace('_', ' ')}" for what, n in result.counts().items())
    return f"{name}: {counts or 'done'} ({seconds:.1f} s)"


def _may_pass(_task: object, _run: object, state: State) -> bool:
    """Whether trying again can help. A refusal, a destroyed key or a bad picture stays what it is;
    a run stops at once.
    """
    error = state.result(raise_on_failure=False)
    return may_pass(error) if isinstance(error, BaseException) else True
