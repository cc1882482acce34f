"""What another user of the machine gets from a running stack: nothing but refusals.

Every listening socket of every process of the stack, TCP and unix, is tried from a child process
that has given up root for another user's id; so are the processes' environments and the home's
files.

    python -m tests.security.other_user HOME    # as root, while the stack of that home runs
"""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import ssl
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from infra.local import process
from infra.settings import Settings, load_settings
from infra.stack_record import StackRecord, read_record

OTHER_UID = 65534  # nobody
_TIMEOUT_S = 5.0
_AT_ONCE = 16
# What each kind of server would tell whoever asks; all are asked of every port that speaks HTTP.
_PATHS = (
    "/",
    "/status",
    "/healthz",
    "/health",
    "/metrics",
    "/debug/pprof/",
    "/docs",
    "/redoc",
    "/openapi.json",
    # the store's master, volumes, filer and administration
    "/col/delete?collection=nothing",
    "/dir/assign?collection=audit",
    "/dir/lookup?volumeId=1",
    "/dir/status",
    "/vol/status",
    "/vol/vacuum?garbageThreshold=0.99",
    "/cluster/status",
    "/stats/memory",
    "/ui/index.html",
    "/buckets/",
    "/buckets/audit/?pretty=y",
    "/topics/.system/log/",
    # S3
    "/audit?versions",
    "/cases?list-type=2",
    "/site/cameras.geojson",
    # Prefect
    "/api/health",
    "/api/ready",
    "/api/version",
    "/api/hello",
    "/api/docs",
    "/api/openapi.json",
    "/api/admin/version",
    "/api/admin/settings",
    "/api/csrf-token?client=x",
    "/api/collections/views/aggregate-worker-metadata",
    # Dask
    "/info/main/workers.html",
    "/json/counts.json",
    "/api/v1/get_workers",
    # the desk
    "/login",
    "/cases",
    "/cases/K-1/runs/x/report.html",
    "/administration",
    "/audit",
)
_ASKED = (
    *(("GET", path) for path in _PATHS),
    ("POST", "/api/flow_runs/filter"),
    ("POST", "/api/deployments/filter"),
    ("POST", "/api/events/filter"),
    ("POST", "/api/variables/"),
    ("PATCH", "/api/work_pools/encounter"),
    ("DELETE", "/api/work_pools/encounter"),
    ("PUT", "/site/planted"),
)
_REFUSED = {400, 401, 403, 404, 405, 411, 413, 421, 429, 501}
_OLD_400 = "<p>Error code: 400</p>"  # http.server to whoever speaks no HTTP/1
# Pages that ask for a login: Prefect's UI and the desk's form, the same on every machine.
_FRONT_DOORS = {("prefect", "/"), ("desk", "/login")}


class Listener(NamedTuple):
    """A socket on which a process of the stack takes connections. `port` 0: a unix socket."""

    part: str
    pid: int
    address: str
    port: int

    def __str__(self) -> str:
        where = f"{self.address}:{self.port}" if self.port else self.address
        return f"{self.part} ({self.pid}) {where}"


class Answer(NamedTuple):
    """What was asked of whom, and what came back. `status` 0: no HTTP answer."""

    of: str
    asked: str
    status: int
    said: str


def processes(record: StackRecord) -> Iterator[tuple[str, psutil.Process]]:
    """Every process of the stack with the name of its part."""
    for entry in record.processes:
        found = process.find(entry)
        for one in [found, *found.children(recursive=True)] if found else []:
            yield entry.name, one


def listeners(record: StackRecord) -> list[Listener]:
    """Every listening socket of the stack."""
    found = []
    unix = _listening_unix_sockets()
    for part, one in processes(record):
        for connection in one.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN:
                found.append(Listener(part, one.pid, *connection.laddr))
        for connection in one.net_connections("udp"):
            found.append(Listener(part, one.pid, f"UDP {connection.laddr}", 0))
        for inode in _socket_inodes(one.pid) & unix.keys():
            path = unix[inode]
            whole = path if path.startswith("@") else str(Path(one.cwd()) / path)
            found.append(Listener(part, one.pid, whole, 0))
    return found


def _listening_unix_sockets() -> dict[str, str]:
    """Inode to path; abstract ones begin with @."""
    rows = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:]]
    accepting = "00010000"  # __SO_ACCEPTCON
    return {row[6]: row[7] if len(row) > 7 else "" for row in rows if row[3] == accepting}


def _socket_inodes(pid: int) -> set[str]:
    found = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            match = re.fullmatch(r"socket:\[(\d+)\]", str(link.readlink()))
        except FileNotFoundError:
            continue
        found |= {match.group(1)} if match else set()
    return found


def as_other_user(function: Callable[[], list[Any]]) -> list[Any]:
    """Run in a child process with another user's id and no root; returns what it returned."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setresgid(OTHER_UID, OTHER_UID, OTHER_UID)
            os.setresuid(OTHER_UID, OTHER_UID, OTHER_UID)
            with os.fdopen(write, "w") as out:
                json.dump(function(), out)
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as answers:
        text = answers.read()
    os.waitpid(pid, 0)
    assert text, "the child that has another user's id failed"
    return json.loads(text)


def try_sockets(found: Iterable[Listener]) -> list[Answer]:
    """Everything that comes back from these sockets, as another user."""
    sockets = list(found)

    def try_all() -> list[Answer]:
        with ThreadPoolExecutor(_AT_ONCE) as pool:  # most of the time is waiting for silence
            return [a for answers in pool.map(lambda one: [*_try(one)], sockets) for a in answers]

    return [Answer(*row) for row in as_other_user(try_all)]


def _try(listener: Listener) -> Iterator[Answer]:
    if listener.address.startswith("UDP"):
        yield Answer(str(listener), "UDP", 0, "the stack has no use for one")
    elif not listener.port:
        yield Answer(str(listener), "connect", 0, _unix(listener.address))
    else:
        yield from _try_tcp(listener)


def _try_tcp(listener: Listener) -> Iterator[Answer]:
    yield Answer(str(listener), "TLS without a certificate", 0, _tls(listener))
    yield Answer(str(listener), "bytes", 0, _bytes(listener))
    for method, path in _ASKED:
        answer = _http(listener, method, path)
        yield answer
        if not answer.status:
            return


def _unix(path: str) -> str:
    address = "\0" + path[1:] if path.startswith("@") else path
    with socket.socket(socket.AF_UNIX) as one:
        try:
            one.connect(address)
        except OSError:
            return ""
        return "connected"


def _connect(listener: Listener) -> socket.socket:
    return socket.create_connection((listener.address, listener.port), timeout=_TIMEOUT_S)


def _tls(listener: Listener) -> str:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with _connect(listener) as plain, context.wrap_socket(plain) as one:
            one.sendall(b"GET /dir/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            return one.recv(4096).decode(errors="replace")
    except OSError:
        return ""


def _bytes(listener: Listener) -> str:
    try:
        with _connect(listener) as one:
            one.sendall(b"\x00\x01\x02\x03" * 16 + b"\r\n\r\n")
            one.shutdown(socket.SHUT_WR)
            return one.recv(4096).decode(errors="replace")
    except OSError:
        return ""


def _http(listener: Listener, method: str, path: str) -> Answer:
    asked = f"{method} {path}"
    one = http.client.HTTPConnection(listener.address, listener.port, timeout=_TIMEOUT_S)
    headers = {"Content-Type": "application/json"}
    try:
        one.request(method, path, body=None if method == "GET" else b"{}", headers=headers)
        answer = one.getresponse()
        said = answer.read(20_000).decode(errors="replace")
        return Answer(str(listener), asked, answer.status, said)
    except (OSError, http.client.HTTPException):
        return Answer(str(listener), asked, 0, "")
    finally:
        one.close()


def given_away(answers: Iterable[Answer], secrets: Iterable[str] = ()) -> list[str]:
    """The answers that are more than a refusal, or hold a secret."""
    known = tuple(secrets)
    return [
        f"{a.of}: {a.asked}: {a.status} {a.said[:200]!r}"
        for a in answers
        if not _refused(a) or any(secret in a.said for secret in known)
    ]


def _refused(answer: Answer) -> bool:
    if not answer.status:
        # A server that speaks HTTP may answer bytes that are none with 400.
        return not answer.said or "400" in answer.said.splitlines()[0] or _OLD_400 in answer.said
    part = answer.of.split(" ")[0]
    method, _, path = answer.asked.partition(" ")
    if method == "GET" and (part, path) in _FRONT_DOORS:
        return True
    if part == "desk" and answer.status == 303 and not answer.said:  # to the form
        return True
    # S3's health checks: an empty answer says that a server is there, as the open port does.
    if part == "store" and path in ("/healthz", "/status") and not answer.said:
        return True
    # One word for who watches the machine.
    if part == "desk" and path == "/health" and answer.said in ("ok\n", "not ok\n"):
        return True
    return answer.status in _REFUSED


def secrets_of(settings: Settings) -> set[str]:
    """Whatever must not be seen: keys, passwords and logins of this home."""
    home = settings.paths
    jwt_keys = re.findall(r'key = "([^"/]{20,})"', (home.store / "security.toml").read_text())
    pem = [home.store / "inside.pem", home.dask_tls_file]
    lines = {line for path in pem for line in path.read_text().splitlines()[1:3]}
    signing = json.loads(home.signing_key_file.read_text())["d"]
    login = home.prefect_login_file.read_text().strip()
    return {
        *jwt_keys,
        *lines,
        settings.s3.secret_key.get_secret_value(),
        home.master_key_file.read_text().strip(),
        signing,
        login.partition(":")[2],
    }


def try_processes(record: StackRecord) -> tuple[list[str], list[str]]:
    """As another user: what of the processes' insides can be read, and all their command lines."""
    pids = [one.pid for _, one in processes(record)]
    insides = [f"/proc/{p}/{name}" for p in pids for name in ("environ", "mem", "maps", "fd")]
    readable = as_other_user(lambda: [path for path in insides if _readable(path)])
    lines = as_other_user(lambda: [_text(f"/proc/{pid}/cmdline") for pid in pids])
    return readable, lines


def try_files(home: Path) -> list[str]:
    """As another user: what of the home can be listed or read."""
    paths = [str(p) for p in (home, *home.rglob("*"))]
    return as_other_user(lambda: [path for path in paths if _readable(path)])


def open_modes(home: Path) -> list[str]:
    """What in the home grants anything to group or others, were a folder above it ever opened."""
    kept = stat.S_IRWXG | stat.S_IRWXO
    found = []
    for path in (home, *home.rglob("*")):
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            continue
        # The store sets the rights of .vif files itself: a volume's format, no names.
        if not stat.S_ISLNK(mode) and mode & kept and path.suffix != ".vif":
            found.append(f"{stat.filemode(mode)} {path.relative_to(home.parent)}")
    return found


def _readable(path: str) -> bool:
    try:
        if Path(path).is_dir():
            next(Path(path).iterdir(), None)
            return True
        with Path(path).open("rb") as file:
            file.read(1)
    except OSError:
        return False
    return True


def _text(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""


def main(home: str) -> int:
    """Print every socket and what it gave away; 1 where it was anything."""
    if os.geteuid():
        print("run it as root: it tries the stack as another user")
        return 2
    settings = load_settings(home=Path(home))
    record = read_record(settings.paths) or StackRecord()
    found = listeners(record)
    for one in found:
        print(one)
    readable, lines = try_processes(record)
    secrets = secrets_of(settings)
    given = given_away(try_sockets(found), secrets)
    given += [f"a secret on a command line: {line[:40]}" for line in lines if _any(secrets, line)]
    given += [f"readable: {path}" for path in (*readable, *try_files(settings.home))]
    given += open_modes(settings.home)
    print(f"{len(found)} sockets; given away: {len(given)}", *given, sep="\n")
    return 1 if given or not found else 0


def _any(secrets: Iterable[str], text: str) -> bool:
    return any(secret in text for secret in secrets)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
