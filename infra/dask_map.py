"""Fan-out over Dask workers: results as they finish, a fault of one item as an error beside the
item.

Items and results should be references and small tables, never frames.
"""

from __future__ import annotations

import logging
import queue
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from distributed import Client, Future, KilledWorker

from data_contracts.errors import EncounterError, StackError, WorkerLost, may_pass

log = logging.getLogger(__name__)

I = TypeVar("I")  # noqa: E741 - an item
R = TypeVar("R")

_NO_WORKER_S = 90.0
_POLL_S = 2.0
_RETRY_WAIT_S = 0.5


def map_unordered(
    connected: Client,
    function: Callable[[I], R],
    items: Sequence[I],
    on_result: Callable[[I, R | EncounterError], None] | None = None,
    retries: int = 2,
    go_on: Callable[[], None] | None = None,
) -> Iterator[tuple[I, R | EncounterError]]:
    """Run `function(item)` in the workers; yield (item, result) or (item, error) as they finish.

    A fault that may pass (`data_contracts.errors`) is tried again in the worker, `retries` times.
    An item that kills its worker again and again yields a WorkerLost, an exception of another
    library an EncounterError that names it. `go_on` is called every few seconds, also while
    nothing finishes, and may raise to stop. What is unfinished when the caller stops is cancelled.
    Raises StackError when no worker is left.
    """
    attempt = _Attempt(function, retries)
    futures = connected.map(attempt, items, pure=False)
    by_key = {future.key: item for future, item in zip(futures, items, strict=True)}
    finished: queue.SimpleQueue[Future] = queue.SimpleQueue()
    for future in futures:
        future.add_done_callback(finished.put)
    waiting = {future.key: future for future in futures}
    del futures
    try:
        while waiting:
            future = _next(connected, finished, go_on or _yes)
            if waiting.pop(future.key, None) is None:
                continue
            item = by_key[future.key]
            outcome = _outcome(future, by_key[future.key])
            del future
            if on_result is not None:
                on_result(item, outcome)
            yield item, outcome
    finally:
        if waiting:
            connected.cancel(list(waiting.values()), force=True)


class _Attempt:
    """The work with its retries, as it travels to a worker.

    What it raises is always an EncounterError without context: contexts of foreign errors may not
    survive pickling, and their messages may hold values that must not leave the worker.
    """

    def __init__(self, function: Callable[[Any], Any], retries: int) -> None:
        self.function = function
        self.retries = retries
        self.__name__ = getattr(function, "__name__", "work")

    def __call__(self, item: Any) -> Any:
        for attempt in range(self.retries + 1):
            try:
                return self.function(item)
            except EncounterError as error:
                failure = error.bare()
            except Exception as error:  # noqa: BLE001 - an error of the program must not stop the other items
                failure = _unexpected(item, error)
            if attempt == self.retries or not may_pass(failure):
                break
            time.sleep(_RETRY_WAIT_S * 2**attempt)
        raise failure


def _unexpected(item: object, error: BaseException) -> EncounterError:
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    place = " < ".join(f"{Path(f.filename).name}:{f.lineno}" for f in reversed(frames))
    log.error("unexpected %s at %s", type(error).__name__, place)
    return EncounterError(
        f"{one_line(item)}: unexpected {type(error).__name__} at {place}; please report it"
    )


def _yes() -> None:
    """Go on."""


def _next(
    connected: Client, finished: queue.SimpleQueue[Future], go_on: Callable[[], None]
) -> Future:
    """The next future that is done. Raises StackError when there has been no worker for a while."""
    deadline = time.monotonic() + _NO_WORKER_S
    while True:
        go_on()
        try:
            return finished.get(timeout=_POLL_S)
        except queue.Empty:
            if connected.status != "running":
                raise StackError(
                    "the connection to the Dask scheduler is lost: start the run again"
                ) from None
            if connected.nthreads():
                deadline = time.monotonic() + _NO_WORKER_S
            elif time.monotonic() > deadline:
                raise StackError(
                    f"no Dask worker for {_NO_WORKER_S:.0f} s: they die while starting; "
                    "look for memory and model files, then start the run again"
                ) from None


def _outcome(future: Future, item: object) -> Any:
    if future.status == "finished":
        return future.result()
    if future.status != "error":
        return StackError(
            f"{one_line(item)}: the work was {future.status} before it ended: start the run again"
        )
    error = future.exception()
    if isinstance(error, EncounterError):
        return error
    if isinstance(error, KilledWorker):
        return WorkerLost(
            f"{one_line(item)}: killed its worker again and again (out of memory, or a crash in "
            "native code)"
        )
    # Dask puts what it could not pickle into the message: only the type is passed on.
    return WorkerLost(f"{one_line(item)}: the worker failed: {type(error).__name__}")


def one_line(value: object) -> str:
    """A value's text for an error's one line."""
    return " ".join(str(value).split())[:160]
