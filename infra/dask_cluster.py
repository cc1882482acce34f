"""Dask: the stack's workers, or a cluster for the length of a run.

Nothing is spilled to disk: what a worker holds may be personal, and a disk would keep it.
"""

from __future__ import annotations

import ctypes
import gc
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import dask
from distributed import Client, LocalCluster, Security, WorkerPlugin

from data_contracts.errors import EncounterError, StackError
from infra.dask_map import map_unordered, one_line
from infra.no_dumps import no_dumps
from infra.settings import Settings
from infra.stack_record import read_record, replace_private

_CONFIG = {
    # The workers' own chatter; errors of the work come back as values.
    "distributed.nanny.pre-spawn-environ.DASK_LOGGING__DISTRIBUTED": "error",
    # Dask trims the heap by the 64 KiB, so every array of a frame is mapped and unmapped anew: a
    # quarter more time (docs/decisions/0009-workers-memory.md). Arrays up to 64 MiB come from the
    # heap, which is given back by the 256 MiB.
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": 256 << 20,
    "distributed.nanny.pre-spawn-environ.MALLOC_MMAP_THRESHOLD_": 64 << 20,
    # No web pages about what is being worked on.
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    # No spilling: personal data must not reach a disk unencrypted. Pause, then restart, instead.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": 0.85,
    "distributed.worker.memory.terminate": 0.95,
    # A task whose worker died this many times is given up (KilledWorker): it is probably what kills
    # them.
    "distributed.scheduler.allowed-failures": 3,
    "distributed.admin.tick.limit": "60s",
    # At rest Dask looks at itself a hundred times a second: 0.13 of a core with two workers, and
    # with these 0.015 (docs/performance.md). Units take seconds, and nobody reads its profile.
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "500ms",
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.worker.memory.monitor-interval": "1s",
    "distributed.scheduler.work-stealing-interval": "1s",
    "distributed.scheduler.active-memory-manager.start": False,
}
_CONNECT_S = 15.0

__all__ = [
    "SetupPlugin",
    "client",
    "local_cluster",
    "make_tls",
    "map_unordered",
    "one_thread_each",
    "rest",
]


class SetupPlugin(WorkerPlugin):
    """Runs a function once in each worker process, also in one that replaces a killed worker: it
    loads the models.
    """

    name = "encounter-setup"
    idempotent = True

    def __init__(self, function: Callable[[], object]) -> None:
        self.function = function

    def setup(self, worker: Any) -> None:
        """Called by Dask when the worker starts."""
        no_dumps()
        one_thread_each()
        self.function()


def one_thread_each() -> None:
    """Keep OpenCV to one thread: it ignores OMP_NUM_THREADS, and workers that each take every core
    slow each other.
    """
    import cv2

    cv2.setNumThreads(1)


@contextmanager
def client(
    settings: Settings, setup: WorkerPlugin | Callable[[], object] | None = None
) -> Iterator[Client]:
    """A Dask client: of the scheduler that the settings name, else of a local cluster that ends
    with the block.

    `setup` runs once in each worker process. Raises StackError, or the EncounterError that `setup`
    raised.
    """
    _quiet()
    with dask.config.set(_CONFIG), _connect(settings) as connected:
        plugin = setup if isinstance(setup, WorkerPlugin) else SetupPlugin(setup or _nothing)
        _register(connected, plugin)
        yield connected


def rest(connected: Client, let_go: Callable[[], object]) -> None:
    """Have workers that nobody gives work give their memory back: `let_go` in each, then what the
    heap keeps. A worker that does not answer is left as it is.
    """
    with suppress(OSError, RuntimeError, TimeoutError):
        if not any(connected.processing().values()):
            connected.run(_give_back, let_go, on_error="ignore")


def _give_back(let_go: Callable[[], object]) -> None:
    let_go()
    gc.collect()
    # The heap keeps up to MALLOC_TRIM_THRESHOLD_ of what is freed; other C libraries than glibc
    # have no such call.
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


@contextmanager
def _connect(settings: Settings) -> Iterator[Client]:
    if settings.dask.scheduler:
        with _external(settings.dask.scheduler, _stack_security(settings)) as connected:
            yield connected
        return
    with local_cluster(settings, Security.temporary()) as cluster, Client(cluster) as connected:
        yield connected


def local_cluster(settings: Settings, security: Security, port: int = 0) -> LocalCluster:
    """Worker processes on loopback, over TLS: no other user of the machine can submit work. Raises
    StackError.
    """
    scratch = settings.paths.dask
    scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
    limit = settings.dask.memory_limit
    # For good, not only while they start: a worker that dies is started again with it.
    dask.config.set(_CONFIG)
    try:
        return LocalCluster(
            n_workers=settings.dask.workers or os.cpu_count() or 1,
            threads_per_worker=settings.dask.threads,
            memory_limit=None if limit == "0" else limit,
            processes=True,
            host="127.0.0.1",
            scheduler_port=port,
            protocol="tls://",
            security=security,
            dashboard_address="127.0.0.1:0",
            scheduler_kwargs={"dashboard": False},
            local_directory=str(scratch),
            silence_logs=logging.ERROR,
        )
    except (OSError, RuntimeError, TimeoutError) as error:
        raise StackError(
            f"the Dask workers did not start ({one_line(error)}): free memory or lower "
            "dask.workers and try again"
        ) from None


def make_tls(path: Path) -> Security:
    """Fresh keys for a cluster, kept in one file so that other processes of this user can connect
    to it.
    """
    made = Security.temporary()
    replace_private(path, made.tls_scheduler_key + made.tls_scheduler_cert)
    return _security_of(path)


def _security_of(path: Path) -> Security:
    names = [
        "ca_file",
        *(
            f"{role}_{kind}"
            for role in ("client", "scheduler", "worker")
            for kind in ("cert", "key")
        ),
    ]
    return Security(require_encryption=True, **{f"tls_{name}": str(path) for name in names})


def _stack_security(settings: Settings) -> Security | None:
    """The keys of this home's own cluster; None for another scheduler: Dask's own configuration has
    its keys.
    """
    record = read_record(settings.paths)
    own = record is not None and record.dask_scheduler == settings.dask.scheduler
    return _security_of(settings.paths.dask_tls_file) if own else None


@contextmanager
def _external(address: str, security: Security | None) -> Iterator[Client]:
    try:
        connected = Client(address, timeout=_CONNECT_S, security=security)
    except (OSError, TimeoutError) as error:
        raise StackError(
            f"no Dask scheduler answers at {address} ({type(error).__name__}): "
            "run `encounter up`, or start it, or unset dask.scheduler"
        ) from None
    with connected:
        try:
            connected.wait_for_workers(1, timeout=_CONNECT_S)
        except TimeoutError:
            raise StackError(
                f"the Dask scheduler at {address} has no workers: start some"
            ) from None
        yield connected


def _quiet() -> None:
    """Dask sets its loggers' levels when it is imported; what it says of lost connections is no
    news to a user.
    """
    for name in list(logging.root.manager.loggerDict):
        if name == "distributed" or name.startswith("distributed."):
            logging.getLogger(name).setLevel(logging.ERROR)


def _register(connected: Client, plugin: WorkerPlugin) -> None:
    try:
        connected.register_plugin(plugin)
    except Exception as error:  # whatever the set-up raised in a worker arrives here
        # A cluster that outlives this run would take the plugin for registered and try it no second
        # time.
        connected.unregister_worker_plugin(plugin.name)
        if isinstance(error, EncounterError):
            raise
        raise StackError(
            f"a Dask worker could not be set up: {type(error).__name__}: {one_line(error)}"
        ) from error


def _nothing() -> None:
    """No set-up wanted."""
