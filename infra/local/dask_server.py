"""The local stack's Dask cluster: one scheduler and its workers, shared by all flow runs of a home.

Without it each of ten cases at once would start workers of its own, each with the models in its
memory and each wanting every core. Run as a program (`python -m infra.local.dask_server PORT`) by
`infra.local.stack`.
"""

from __future__ import annotations

import signal
import sys
import threading

from infra.local import process
from infra.local.prefect_server import full_environment
from infra.no_dumps import no_dumps
from infra.settings import Settings, load_settings, variable_of
from infra.stack_record import ProcessRecord

NAME = "dask"


def address(port: int) -> str:
    """The scheduler's address."""
    return f"tls://127.0.0.1:{port}"


def start(settings: Settings, port: int) -> ProcessRecord:
    """Start scheduler and workers. Raises StackError."""
    home = settings.paths
    env = full_environment(settings, login=False) | {"DASK_LOGGING__DISTRIBUTED": "error"}
    given = settings.dask.model_dump(
        include={"workers", "threads", "memory_limit"}, exclude_none=True
    )
    env |= {variable_of(f"dask.{name}"): str(value) for name, value in given.items()}
    argv = [sys.executable, "-m", __name__, str(port)]
    log = home.logs / "dask.log"
    return process.start(NAME, argv, env, settings.home, log, home.held(NAME))


def main(port: int) -> None:
    """Serve until SIGTERM."""
    # distributed takes a second to import: not for `encounter status`
    from infra import dask_cluster

    no_dumps()
    settings = load_settings()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with dask_cluster.local_cluster(
        settings, dask_cluster.make_tls(settings.paths.dask_tls_file), port
    ):
        ended.wait()


if __name__ == "__main__":
    main(int(sys.argv[1]))
