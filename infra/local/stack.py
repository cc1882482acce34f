"""The local stack: object store, Prefect server, Dask workers and Prefect worker on 127.0.0.1,
without Docker.

`up` starts what does not run yet and returns when it is usable; `down` stops what this home's `up`
started and nothing else. Several homes run side by side. An object store or Prefect server that the
settings name and that is not this home's own is used as it is and never started or stopped.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from data_contracts.errors import StackError
from infra.key_source import ensure_master_keys
from infra.local import (
    dask_server,
    desk_server,
    disk_room,
    prefect_server,
    process,
    store_disk,
    store_locks,
    weed,
)
from infra.local.prefect_server import SERVER, WORKER, prefect_command, prefect_environment
from infra.settings import Settings, load_settings
from infra.signing import ensure_signing_key
from infra.stack_record import ProcessRecord, StackRecord, read_record, write_record
from infra.store import ObjectStore

Part = Literal["store", "prefect", "dask", "worker", "desk"]
PARTS: tuple[Part, ...] = ("store", "prefect", "dask", "worker", "desk")


class Programs(NamedTuple):
    """Command lines of the parts that belong to other layers: of a port each, the worker's of its
    pool, of how many runs it takes at once, and of how many cases among them.
    """

    prefect: Callable[[int], list[str]]
    worker: Callable[[str, int, int], list[str]]
    desk: Callable[[int], list[str]]


@dataclass(frozen=True)
class StackInfo:
    """A stack that runs: `settings` has its addresses; `started` names what this call started."""

    settings: Settings
    record: StackRecord
    started: tuple[str, ...]

    @property
    def ui_url(self) -> str | None:
        """The Prefect UI for a browser."""
        return (
            self.record.prefect_api_url.removesuffix("/api")
            if self.record.prefect_api_url
            else None
        )


@dataclass(frozen=True)
class PartStatus:
    """One part of the stack as it is now."""

    name: str
    running: bool
    pid: int | None
    address: str | None
    log: str


def up(
    settings: Settings,
    data_dir: Path | None = None,
    on_progress: Callable[[str], None] = lambda _line: None,
    parts: tuple[Part, ...] = PARTS,
    programs: Programs | None = None,
) -> StackInfo:
    """Start the parts that do not run, in order, and wait until each can be used.

    `data_dir` is where the objects lie (default: in the home). Without `programs` the parts that
    need one (Prefect's server and worker, the desk) are not started. Raises StackError with the
    log's path and last line; what this call had started is stopped again then.
    """
    settings.paths.make()
    disk_room.give_up_reserves(settings, data_dir)
    with _home_locked(settings):
        ensure_master_keys(settings)
        ensure_signing_key(settings)
        starter = _Starter(settings, on_progress)
        try:
            if "store" in parts:
                starter.store(data_dir)
            if "prefect" in parts and programs is not None:
                starter.prefect(programs.prefect)
            if "dask" in parts:
                starter.dask()
            if "desk" in parts and programs is not None:
                starter.desk(programs.desk)
            if "worker" in parts and programs is not None:
                starter.worker(programs.worker)
            starter.settle()
        except BaseException:
            starter.undo()
            raise
        disk_room.keep_reserves(starter.settings)
        return StackInfo(starter.settings, starter.record, tuple(starter.started))


def down(settings: Settings, on_progress: Callable[[str], None] = lambda _line: None) -> list[str]:
    """Stop this home's processes, the last started first. Returns the names of those that ran; none
    is a success.
    """
    if read_record(settings.paths) is None:
        return []
    with _home_locked(settings):
        record = read_record(settings.paths) or StackRecord()
        stopped = []
        for entry in reversed(record.processes):
            on_progress(f"stopping {entry.name}")
            if process.stop(entry, settings.stack.stop_timeout_s):
                stopped.append(entry.name)
            if entry.name == weed.NAME:
                store_locks.tidy(record.ports)
                store_disk.after_stop(_data_dir(settings, record))
        _write_stopped(settings, record, ())
    return stopped


def status(settings: Settings) -> list[PartStatus]:
    """All parts of this home's stack, running or not."""
    record = read_record(settings.paths) or StackRecord()
    addresses = {
        "store": record.s3_endpoint,
        SERVER: record.prefect_api_url,
        "dask": record.dask_scheduler,
        desk_server.NAME: record.desk_url,
    }
    known = {entry.name: entry for entry in record.processes}
    out = []
    for name in PARTS:
        entry = known.get(name)
        running = entry is not None and process.find(entry) is not None
        log = entry.log if entry else str(settings.paths.logs / f"{name}.log")
        out.append(
            PartStatus(
                name, running, entry.pid if entry and running else None, addresses.get(name), log
            )
        )
    return out


class _Starter:
    """One call of `up`: writes the record after each step, so that nothing started is ever
    forgotten.
    """

    def __init__(self, settings: Settings, on_progress: Callable[[str], None]) -> None:
        self.settings = settings
        self.record = read_record(settings.paths) or StackRecord()
        self.on_progress = on_progress
        self.started: list[str] = []
        self._waits: list[tuple[ProcessRecord, Callable[[], bool], str]] = []
        # An address in the settings that is not the one this home's stack recorded belongs to
        # someone else.
        self._foreign_store = settings.s3.endpoint not in (None, self.record.s3_endpoint)
        self._foreign_prefect = settings.prefect.api_url not in (None, self.record.prefect_api_url)
        self._foreign_dask = settings.dask.scheduler not in (None, self.record.dask_scheduler)

    def store(self, data_dir: Path | None) -> None:
        if self._foreign_store:
            self.on_progress(f"using the object store at {self.settings.s3.endpoint}")
            ObjectStore(self.settings.s3).ensure_buckets()
            return
        home = self.settings.paths
        data = (data_dir or _data_dir(self.settings, self.record)).expanduser().absolute()
        if self._is_running("store"):
            if str(data) != self.record.data_dir:
                raise StackError(
                    f"the store runs with its data in {self.record.data_dir}: stop it with "
                    "`encounter down`"
                )
            return
        self.on_progress("starting the object store")
        wanted = {name: 0 for name in store_locks.PORTS} | {"s3": self.settings.stack.s3_port}
        ports = process.choose_ports(wanted, self.record.ports, store_locks.PORTS)
        user = weed.credentials(home)
        mended = weed.mend(data)
        entry = weed.start(self.settings, ports, data)
        self._keep_entry(
            entry,
            ports,
            s3_endpoint=f"127.0.0.1:{ports['s3']}",
            filer_address=f"127.0.0.1:{ports['filer']}",
            data_dir=str(data),
            s3_credentials=user,
        )
        weed.wait_ready(self.settings, entry, self.settings.s3)
        weed.write_through(self.settings, self.record)
        if mended:
            self.on_progress("mending the object store after a power cut")
            weed.drop_nameless(self.settings, self.record)
        store_locks.check_sockets(ports)

    def prefect(self, command: Callable[[int], list[str]]) -> None:
        if self._foreign_prefect:
            prefect_server.check_address(self.settings)
            self.on_progress(f"using the Prefect server at {self.settings.prefect.api_url}")
            return
        if self._is_running(SERVER):
            return
        self.on_progress("starting the Prefect server (some seconds, longer the first time)")
        wanted = {"prefect": self.settings.stack.prefect_port}
        ports = process.choose_ports(wanted, self.record.ports, ())
        url = prefect_server.api_url(ports["prefect"])
        login = prefect_server.ensure_login(self.settings)
        port = ports["prefect"]
        entry = prefect_server.start_server(self.settings, port, command(port))
        self._keep_entry(entry, ports, prefect_api_url=url)
        self._waits.append(
            (entry, lambda: prefect_server.server_ready(url, login), "the Prefect server")
        )

    def dask(self) -> None:
        if self._foreign_dask:
            self.on_progress(f"using the Dask scheduler at {self.settings.dask.scheduler}")
            return
        if self._is_running(dask_server.NAME):
            return
        self.on_progress("starting the Dask workers")
        ports = process.choose_ports({"dask": self.settings.stack.dask_port}, self.record.ports, ())
        entry = dask_server.start(self.settings, ports["dask"])
        self._keep_entry(entry, ports, dask_scheduler=dask_server.address(ports["dask"]))
        self._waits.append((entry, lambda: process.listens(ports["dask"]), "the Dask scheduler"))

    def desk(self, command: Callable[[int], list[str]]) -> None:
        if self._is_running(desk_server.NAME):
            return
        self.on_progress("starting the desk")
        ports = process.choose_ports({"desk": self.settings.stack.desk_port}, self.record.ports, ())
        entry = desk_server.start(self.settings, command(ports["desk"]))
        self._keep_entry(entry, ports, desk_url=desk_server.address(self.settings, ports["desk"]))
        self._waits.append((entry, lambda: process.listens(ports["desk"]), "the desk"))

    def worker(self, command: Callable[[str, int, int], list[str]]) -> None:
        if self._is_running(WORKER):
            return
        self.settle()  # it gives up when the server does not answer
        self.on_progress("starting the worker")
        cases = self.settings.case_concurrency
        limit = prefect_server.worker_limit(self.settings)
        argv = command(self.settings.prefect.pool, limit, cases)
        entry = prefect_server.start_worker(self.settings, argv)
        self._keep_entry(entry, {})
        self._waits.append(
            (entry, lambda: prefect_server.worker_ready(self.settings), "the worker")
        )

    def settle(self) -> None:
        """Wait for what was started without waiting."""
        for entry, ready, what in self._waits:
            process.wait_ready(entry, ready, self.settings.stack.start_timeout_s, what)
        self._waits.clear()

    def undo(self) -> None:
        for entry in reversed(self.record.processes):
            if entry.name in self.started:
                process.stop(entry, self.settings.stack.stop_timeout_s)
        if weed.NAME in self.started:
            store_locks.tidy(self.record.ports)
        kept = tuple(e for e in self.record.processes if e.name not in self.started)
        _write_stopped(self.settings, self.record, kept)

    def _is_running(self, name: str) -> bool:
        entry = next((e for e in self.record.processes if e.name == name), None)
        return entry is not None and process.find(entry) is not None

    def _keep_entry(self, entry: ProcessRecord, ports: dict[str, int], **addresses: object) -> None:
        self.started.append(entry.name)
        others = tuple(e for e in self.record.processes if e.name != entry.name)
        update = {"processes": (*others, entry), "ports": self.record.ports | ports, **addresses}
        self.record = self.record.model_copy(update=update)
        write_record(self.settings.paths, self.record)
        self.settings = self._with_addresses()

    def _with_addresses(self) -> Settings:
        """The settings with what the stack recorded, for the caller that has them in hand
        already.
        """
        known = self.settings.model_dump()
        if not self._foreign_store:
            known["s3"] |= {"endpoint": self.record.s3_endpoint, **self.record.s3_credentials}
        if not self._foreign_prefect:
            known["prefect"] |= {"api_url": self.record.prefect_api_url}
        if not self._foreign_dask and any(
            entry.name == dask_server.NAME for entry in self.record.processes
        ):
            known["dask"] |= {"scheduler": self.record.dask_scheduler}
        if self.record.desk_url and not known["report_link_base"]:
            known["report_link_base"] = self.record.desk_url
        return load_settings(**known)


def _write_stopped(
    settings: Settings, record: StackRecord, left: tuple[ProcessRecord, ...]
) -> None:
    """On a full disk the record goes on naming processes that are not there any more, which
    everybody sees: the reserve is for the next start.
    """
    with suppress(OSError):
        write_record(settings.paths, record.model_copy(update={"processes": left}))


def _data_dir(settings: Settings, record: StackRecord) -> Path:
    return Path(record.data_dir or settings.paths.store / "data")


@contextmanager
def _home_locked(settings: Settings) -> Iterator[None]:
    """One `up` or `down` of a home at a time."""
    path = settings.home / ".lock"
    path.touch(mode=0o600)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StackError(
                f"another `encounter up` or `down` is at work in {settings.home}: wait for it"
            ) from None
        yield


__all__ = [
    "PARTS",
    "Part",
    "PartStatus",
    "Programs",
    "StackInfo",
    "down",
    "prefect_command",
    "prefect_environment",
    "status",
    "up",
]
