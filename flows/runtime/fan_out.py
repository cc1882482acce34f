"""Fan-out of units over Dask: results as they come, passing faults retried, lasting faults of one
input as errors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from data_contracts.errors import (
    CaseStopped,
    EncounterError,
    KeyMissing,
    ModelUnavailable,
    NotAuthorised,
    StoreError,
)
from flows.runtime.environment import environment
from flows.runtime.segment_job import warm_up
from infra import dask_cluster

# Faults of the system, or of the authorisation: they stop the run. Anything else is a fault of one
# input.
STOPPING = (NotAuthorised, CaseStopped, KeyMissing, StoreError, ModelUnavailable)

_current: list[Any] = []


@contextmanager
def fan_out() -> Iterator[None]:
    """Hold a Dask client for the stages of one flow run; workers load the models once."""
    with dask_cluster.client(environment().settings, warm_up) as client:
        _current.append(client)
        try:
            yield
        finally:
            _current.pop()


J = TypeVar("J")
R = TypeVar("R")


def each(
    work: Callable[[J], R],
    jobs: Sequence[J],
    done: Callable[[int, int], None],
    allowed: Callable[[], None],
) -> Iterator[tuple[J, R | EncounterError]]:
    """Run `work` on each job in the workers; yield (job, result or error) as they finish.

    `done(finished, total)` is told after each; `allowed()` is asked every few seconds, also while
    nothing finishes. Raises the first STOPPING error, and what `allowed` raises: then what is
    unfinished is cancelled.
    """
    if not jobs:
        return
    results = dask_cluster.map_unordered(_current[-1], work, jobs, go_on=allowed)
    for count, (job, result) in enumerate(results, start=1):
        done(count, len(jobs))
        if isinstance(result, STOPPING):
            raise result
        yield job, result
