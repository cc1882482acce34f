"""A plain function becomes a stage that operators see, in one line."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from prefect import Task, task
from prefect.cache_policies import NO_CACHE
from prefect.states import State

from data_contracts.errors import EncounterError, NotFound, StackError, StoreError
from flows.runtime.stats import recorded

P = ParamSpec("P")
T = TypeVar("T")


def plain(name: str, function: Callable[P, T]) -> Task[P, T]:
    """A Prefect task: passing faults are retried twice, nothing is persisted by the
    orchestrator.
    """
    wrap = task(
        name=name,
        retries=2,
        retry_delay_seconds=[2, 10],
        retry_condition_fn=_may_pass,
        cache_policy=NO_CACHE,
        persist_result=False,
    )
    return wrap(function)


def _may_pass(_task: object, _run: object, state: State) -> bool:
    """Whether trying again can help. A refusal, a destroyed key or a bad picture stays what it is;
    a run stops at once.
    """
    error = state.result(raise_on_failure=False)
    return may_pass(error) if isinstance(error, BaseException) else True


def may_pass(error: BaseException) -> bool:
    """Faults of network and stack pass, and errors that are none of ours may; all others last."""
    if isinstance(error, EncounterError):
        return isinstance(error, StoreError | StackError) and not isinstance(error, NotFound)
    return isinstance(error, Exception)


def stage(name: str, function: Callable[P, T]) -> Task[P, T]:
    """A task whose first argument is the run; its time is written down beside the run."""
    return plain(name, recorded(name, function))
