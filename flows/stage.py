"""A plain function becomes a stage that operators see, in one line."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from prefect import Task, task
from prefect.cache_policies import NO_CACHE

from flows.stats import recorded

P = ParamSpec("P")
T = TypeVar("T")


def plain(name: str, function: Callable[P, T]) -> Task[P, T]:
    """A Prefect task: passing faults are retried twice, nothing is persisted by the orchestrator."""
    wrap = task(name=name, retries=2, retry_delay_seconds=[2, 10], cache_policy=NO_CACHE, persist_result=False)
    return wrap(function)


def stage(name: str, function: Callable[P, T]) -> Task[P, T]:
    """A task whose first argument is the run; its time is written down beside the run."""
    return plain(name, recorded(name, function))
