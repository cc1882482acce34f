"""Fan-out of units over Dask: results as they come, passing faults retried, lasting faults of one
input as errors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from data_contracts.errors import EncounterError
from flows.runtime.environment import environment, models
from infra import dask_cluster
from models.registry import let_go

_current_client: list[Any] = []


@contextmanager
def fan_out() -> Iterator[None]:
    """Hold a Dask client for the stages of one flow run; workers load the models once, and let go
    of them when no run is at work any more.
    """
    with dask_cluster.client(environment().settings, warm_up) as client:
        _current_client.append(client)
        try:
            yield
        finally:
            _current_client.pop()
            dask_cluster.rest(client, let_go)


def warm_up() -> None:
    """Load the models in a worker before its first unit."""
    models(environment())


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
    nothing finishes. Raises what `allowed` raises, and the first error that is not a fault of its
    input alone (`data_contracts.errors`): then what is unfinished is cancelled.
    """
    if not jobs:
        return
    results = dask_cluster.map_unordered(_current_client[-1], work, jobs, go_on=allowed)
    for count, (job, result) in enumerate(results, start=1):
        done(count, len(jobs))
        if isinstance(result, EncounterError) and result.effect != "gap":
            raise result
        yield job, result


def in_order(
    work: Callable[[J], R],
    jobs: Sequence[J],
    done: Callable[[int, int], None],
    allowed: Callable[[], None],
) -> list[tuple[J, R | EncounterError]]:
    """As `each`, all at once and in the order of the jobs, so that the same work gives the same
    tables.
    """
    found = {id(job): result for job, result in each(work, jobs, done, allowed)}
    return [(job, found[id(job)]) for job in jobs]
