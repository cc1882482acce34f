"""Programs that outlive the command that started them: start, recognise again, wait for, stop.

A process is recognised by its id and its start, so that another program that later got the same id
is never taken for ours, and never stopped. Each holds a file while it lives, so that no second one
of its kind is started beside it, whatever was recorded.
"""

from __future__ import annotations

import os
import random
import socket
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO, NamedTuple

import psutil

from data_contracts.errors import StackError
from infra.held_file import hold
from infra.running_time import running_time
from infra.stack_record import ProcessRecord

# Below the ephemeral range of Linux (32768 up), so that no outgoing connection takes a port between
# choice and use. SeaweedFS puts its gRPC ports 10000 higher, which must stay below that range too.
_PORT_RANGE = range(12000, 22000)
_GRPC_OFFSET = 10000
# Where starts are told by the clock, which can be corrected by a second or so.
_SAME_START_S = 2.0
_STAT_STARTED = 19  # of what follows the name in /proc/<pid>/stat: proc(5), starttime
_LOG_LIMIT_BYTES = 10 * 1024 * 1024
_POLL_S = 0.1

# Children of this process, kept so that they can be reaped and are not reported as leaked.
_own_children: dict[int, subprocess.Popen[bytes]] = {}


class Start(NamedTuple):
    """When a process started: see ProcessRecord."""

    boot: str
    seconds: float


def start(
    name: str,
    argv: list[str],
    env: dict[str, str],
    cwd: Path,
    log: Path,
    held: Path,
    prepare: Callable[[], None] | None = None,
) -> ProcessRecord:
    """Start a program in a session of its own, its output appended to `log`. It holds the file
    `held` as long as it lives. `prepare` writes what the program reads, once no other can be
    running there. Raises StackError, also where another process holds that file.
    """
    file = hold(held)
    if file is None:
        raise StackError(
            f"{name} is not started: process {_holder(held)} holds {held}, so one runs there "
            "already; stop that one first (encounter down in its home, or by its id)"
        )
    with file:
        if prepare is not None:
            prepare()
        record = _started(name, argv, env, cwd, log, file.fileno())
        file.truncate(0)
        file.write(str(record.pid).encode())
    return record


def _holder(held: Path) -> str:
    try:
        return held.read_text(encoding="ascii").strip() or "?"
    except (OSError, UnicodeDecodeError):
        return "?"


def _started(
    name: str, argv: list[str], env: dict[str, str], cwd: Path, log: Path, held: int
) -> ProcessRecord:
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if log.exists() and log.stat().st_size > _LOG_LIMIT_BYTES:
        log.replace(log.with_suffix(".old.log"))
    try:
        with _private_log(log) as output:
            child = subprocess.Popen(
                argv,
                env=env,
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                umask=0o077,
                pass_fds=(held,),
            )
    except OSError as error:
        raise StackError(
            f"{name} cannot be started: {argv[0]}: {error.strerror}; reinstall the dependencies"
        ) from None
    _own_children[child.pid] = child
    try:
        running = psutil.Process(child.pid)
        begun = start_of(running)
        _no_core_dump(running)
    except psutil.NoSuchProcess:
        raise StackError(f"{name} ended at once; {last_words(log)}") from None
    return ProcessRecord(
        name=name, pid=child.pid, started=begun.seconds, log=str(log), boot=begun.boot
    )


def start_of(process: psutil.Process) -> Start:
    """When a process started. Raises psutil.NoSuchProcess."""
    machine = running_time()
    try:
        fields = Path(f"/proc/{process.pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        machine = None
    if machine is None:
        return Start("", process.create_time())
    return Start(machine.start_id, int(fields[_STAT_STARTED]) / os.sysconf("SC_CLK_TCK"))


def _same(found: Start, record: ProcessRecord) -> bool:
    apart = abs(found.seconds - record.started)
    return found.boot == record.boot and apart <= (0 if record.boot else _SAME_START_S)


def _private_log(path: Path) -> BinaryIO:
    """A log opened for appending that only its owner can read, from its first byte."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.fchmod(handle, 0o600)
    return os.fdopen(handle, "ab")


def _no_core_dump(process: psutil.Process) -> None:
    """Programs that are not ours (the store) get the limit from here; ours set it themselves."""
    if hasattr(psutil, "RLIMIT_CORE"):
        process.rlimit(psutil.RLIMIT_CORE, (0, 0))


def find(record: ProcessRecord) -> psutil.Process | None:
    """The process of a record, or None when it has ended."""
    child = _own_children.get(record.pid)
    if child is not None and child.poll() is not None:
        del _own_children[record.pid]
        return None
    try:
        process = psutil.Process(record.pid)
        if not _same(start_of(process), record):
            return None
        # A zombie that still has threads is just dying: it holds its ports and files until the last
        # one is gone.
        if process.status() == psutil.STATUS_ZOMBIE and process.num_threads() <= 1:
            return None
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None
    return process


def wait_ready(
    record: ProcessRecord, ready: Callable[[], bool], timeout_s: float, what: str
) -> None:
    """Wait until `ready()`. Raises StackError with the log's last line when the process ends or
    time runs out.
    """
    deadline = time.monotonic() + timeout_s
    while not ready():
        if find(record) is None:
            raise StackError(f"{what} ended while it was starting; {last_words(Path(record.log))}")
        if time.monotonic() > deadline:
            raise StackError(
                f"{what} was not ready after {timeout_s:.0f} s (stack.start_timeout_s); "
                f"{last_words(Path(record.log))}"
            )
        time.sleep(_POLL_S)


def stop(record: ProcessRecord, timeout_s: float) -> bool:
    """Stop a process and everything it started: SIGTERM, wait, SIGKILL last. Returns whether
    anything was running.
    """
    tree = process_tree(record)
    for process in tree:
        _signal_if_there(process.terminate)
    _, alive = psutil.wait_procs(tree, timeout=timeout_s)
    for process in {*alive, *process_tree(record)}:
        _signal_if_there(process.kill)
    psutil.wait_procs(alive, timeout=timeout_s)
    find(record)  # reaps it where it was our own child
    return bool(tree)


def process_tree(record: ProcessRecord) -> list[psutil.Process]:
    """The process, its descendants, and what is left of its session when it died before them."""
    parent = find(record)
    if parent is None and psutil.pid_exists(record.pid):
        return []  # the id belongs to someone else now
    tree = {parent, *parent.children(recursive=True)} if parent else set()
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == record.pid and _since(start_of(process), record):
                tree.add(process)
        except (OSError, psutil.Error):
            continue
    return [p for p in tree if p is not None]


def _since(found: Start, record: ProcessRecord) -> bool:
    earliest = record.started - (0 if record.boot else _SAME_START_S)
    return found.boot == record.boot and found.seconds >= earliest


def _signal_if_there(send: Callable[[], None]) -> None:
    try:
        send()
    except psutil.NoSuchProcess:
        return


def listens(port: int) -> bool:
    """Whether something listens on a port of 127.0.0.1."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0):
            return True
    except OSError:
        return False


def last_words(log: Path) -> str:
    """The log's path and its last line that says anything, for an error's one line."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 8192))
            lines = [
                line.strip()
                for line in file.read().decode(errors="replace").splitlines()
                if line.strip()
            ]
    except OSError:
        lines = []
    return f"log {log}: {lines[-1][:200]}" if lines else f"log {log} is empty"


def choose_ports(
    wanted: dict[str, int], earlier: dict[str, int], paired: Iterable[str]
) -> dict[str, int]:
    """A free port on 127.0.0.1 for each name: the wanted one, else the one of last time, else any.

    For names in `paired`, the port 10000 above is free too. Raises StackError when a wanted port is
    taken.
    """
    chosen: dict[str, int] = {}
    pairs = set(paired)
    for name, port in wanted.items():
        offsets = (0, _GRPC_OFFSET) if name in pairs else (0,)
        if port and not _ports_free(port, offsets):
            raise StackError(
                f"port {port} for {name} is taken: stop what uses it or set stack.{name}_port to "
                "another"
            )
        candidates = [port] if port else [earlier.get(name, 0), *random.sample(_PORT_RANGE, 200)]
        found = (
            p for p in candidates if p and p not in chosen.values() and _ports_free(p, offsets)
        )
        chosen[name] = next(found, 0)
        if not chosen[name]:
            raise StackError(
                f"no free port for {name} in {_PORT_RANGE.start} to {_PORT_RANGE.stop}: "
                "stop other programs"
            )
    return chosen


def _ports_free(port: int, offsets: tuple[int, ...]) -> bool:
    for offset in offsets:
        if port + offset > 65535:
            return False
        with socket.socket() as probe:
            # As servers do: a port in TIME_WAIT counts as free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port + offset))
            except OSError:
                return False
    return True
