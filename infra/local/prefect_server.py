"""The local Prefect server, its worker and its command line, run as programs: Prefect is imported
in flows only.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import os
import secrets
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import urllib3
import urllib3.exceptions

from data_contracts.errors import BadInput, KeyMissing, StackError
from infra.local import process
from infra.settings import CONFIG_VARIABLE, HOME_VARIABLE, Settings
from infra.stack_record import ProcessRecord, read_private, read_record, replace_private

SERVER = "prefect"
WORKER = "worker"
LOGIN_VARIABLE = "PREFECT_SERVER_API_AUTH_STRING"
_PREFECT_PROGRAM = [sys.executable, "-m", "prefect"]
# Room for the scheduled flows (reconcile, purge, ...) when every place for a case is taken.
_BESIDE_CASES = 5
_HTTP_POOL = urllib3.PoolManager(timeout=5.0, retries=False)

# SQLite takes one writer at a time. Larger batches drained the events of 1,000 tasks in 9 s instead
# of 59.
_SERVER_ENVIRONMENT = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "50",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_READ_BATCH_SIZE": "50",
    # A purge waits for the events of the runs that it ended: they are written within a second, not
    # five.
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_FLUSH_INTERVAL": "1",
    "PREFECT_SERVER_SERVICES_TRIGGERS_READ_BATCH_SIZE": "50",
}


def ensure_login(settings: Settings) -> str:
    """The login of the local server; made (mode 0600) where there is none."""
    path = settings.paths.prefect_login_file
    if not path.exists():
        replace_private(path, f"operator:{secrets.token_urlsafe(32)}\n")
    return _read_login(settings)


def find_login(settings: Settings) -> str:
    """The login for the settings' server: the local one's from the home, another's from the
    settings. Empty: none is known. Raises BadInput where the file can be read by others.
    """
    given = settings.prefect.auth_string.get_secret_value()
    record = read_record(settings.paths)
    own = record is not None and settings.prefect.api_url == record.prefect_api_url
    try:
        return _read_login(settings) if own and not given else given
    except KeyMissing:
        return ""


def _read_login(settings: Settings) -> str:
    return read_private(settings.paths.prefect_login_file, "login of the Prefect server").strip()


def check_address(settings: Settings) -> None:
    """Refuse to send the login and the cases' ids over a network in clear. Raises BadInput."""
    parts = urlsplit(settings.prefect.api_url or "")
    if parts.scheme != "http" or settings.prefect.allow_http or _on_this_machine(parts.hostname):
        return
    raise BadInput(
        f"prefect.api_url is {parts.scheme}://{parts.hostname}: the login and the ids of cases "
        "would cross the network in clear; give an https:// address, or set prefect.allow_http "
        "where something else encrypts the way"
    )


def _on_this_machine(host: str | None) -> bool:
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return host == "localhost"


def prefect_environment(settings: Settings) -> dict[str, str]:
    """The variables a process needs, before it imports Prefect, to talk to this stack's server and
    to nobody else: its address and login among them. Raises BadInput.
    """
    check_address(settings)
    home = settings.paths
    out = {
        "DO_NOT_TRACK": "1",
        "PREFECT_HOME": str(home.prefect),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_CLI_COLORS": "false",
        HOME_VARIABLE: str(settings.home),
    }
    if settings.prefect.api_url:
        out["PREFECT_API_URL"] = settings.prefect.api_url
    login = find_login(settings)
    if login:
        out["PREFECT_API_AUTH_STRING"] = login
    if settings.prefect.heartbeat_s is not None:
        out["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"] = str(settings.prefect.heartbeat_s)
    return out


def full_environment(settings: Settings, login: bool = True) -> dict[str, str]:
    """This process's environment with the stack's variables; another Prefect's variables are left
    out. Without `login` for a program that never asks the server.
    """
    inherited = {
        k: v for k, v in os.environ.items() if not k.startswith("PREFECT_") and k != CONFIG_VARIABLE
    }
    config = os.environ.get(CONFIG_VARIABLE)
    if config:  # the program runs in another folder
        inherited[CONFIG_VARIABLE] = str(Path(config).expanduser().absolute())
    added = prefect_environment(settings)
    if not login:
        added.pop("PREFECT_API_AUTH_STRING", None)
    return {**inherited, "PYTHONUNBUFFERED": "1", **added}


def api_url(port: int) -> str:
    """The server's address."""
    return f"http://127.0.0.1:{port}/api"


def start_server(settings: Settings, port: int, argv: list[str]) -> ProcessRecord:
    """Start the server by its command line, with its database in the home. Raises StackError."""
    home = settings.paths
    home.prefect.mkdir(parents=True, exist_ok=True, mode=0o700)
    env = full_environment(settings) | _SERVER_ENVIRONMENT
    env["PREFECT_API_URL"] = api_url(port)
    # In the environment, which only this user can read, never on the command line.
    env[LOGIN_VARIABLE] = env["PREFECT_API_AUTH_STRING"] = ensure_login(settings)
    env["PREFECT_SERVER_CORS_ALLOWED_ORIGINS"] = api_url(port).removesuffix("/api")
    env["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = (
        f"sqlite+aiosqlite:///{home.prefect / 'prefect.db'}"
    )
    env["PREFECT_SERVER_UI_API_URL"] = api_url(port)
    log = home.logs / "prefect.log"
    return process.start(SERVER, argv, env, home.prefect, log, home.held(SERVER))


def _login_headers(login: str) -> dict[str, str]:
    if not login:
        return {}
    return {"Authorization": "Basic " + base64.b64encode(login.encode()).decode()}


def server_ready(url: str, login: str) -> bool:
    """Whether a server answers at `url` and takes the login."""
    try:
        return (
            _HTTP_POOL.request("GET", f"{url}/health", headers=_login_headers(login)).status == 200
        )
    except urllib3.exceptions.HTTPError:
        return False


def lets_in(url: str, login: str) -> bool:
    """Whether the server at `url` takes the login for more than the question whether it is up."""
    try:
        answer = _HTTP_POOL.request("GET", f"{url}/admin/version", headers=_login_headers(login))
    except urllib3.exceptions.HTTPError:
        return False
    return answer.status == 200


def worker_limit(settings: Settings) -> int:
    """How many flow runs the worker takes at once."""
    return settings.case_concurrency + _BESIDE_CASES


def start_worker(settings: Settings, argv: list[str]) -> ProcessRecord:
    """Start the worker that runs flows as processes of this machine by its command line. Raises
    StackError.
    """
    home = settings.paths
    env = full_environment(settings)
    log = home.logs / "worker.log"
    return process.start(WORKER, argv, env, home.prefect, log, home.held(WORKER))


def worker_ready(settings: Settings) -> bool:
    """Whether the pool has a worker online."""
    url = f"{settings.prefect.api_url}/work_pools/{settings.prefect.pool}/workers/filter"
    try:
        headers = _login_headers(find_login(settings))
        response = _HTTP_POOL.request("POST", url, json={}, headers=headers)
        return response.status == 200 and any(
            w.get("status") == "ONLINE" for w in json.loads(response.data)
        )
    except (urllib3.exceptions.HTTPError, ValueError):
        return False


def prefect_command(
    settings: Settings, *arguments: str, cwd: Path | None = None, timeout_s: float = 180.0
) -> subprocess.CompletedProcess[str]:
    """Run Prefect's command line against this stack, such as `prefect_command(settings, "deploy",
    "--all")`.

    Never asks anything. Raises StackError with the last line of its output when it fails.
    """
    if not settings.prefect.api_url:
        raise StackError(
            "no Prefect server is known: start one with `encounter up` or set "
            "ENCOUNTER_PREFECT__API_URL"
        )
    settings.paths.prefect.mkdir(parents=True, exist_ok=True, mode=0o700)
    argv = [*_PREFECT_PROGRAM, "--no-prompt", *(a for a in arguments if a != "--no-prompt")]
    try:
        done = subprocess.run(
            argv,
            env=full_environment(settings),
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            umask=0o077,
        )
    except subprocess.TimeoutExpired:
        raise StackError(
            f"prefect {' '.join(arguments)}: no end after {timeout_s:.0f} s; is the server well?"
        ) from None
    if done.returncode:
        lines = [
            line.strip() for line in (done.stdout + "\n" + done.stderr).splitlines() if line.strip()
        ]
        raise StackError(
            f"prefect {' '.join(arguments)} failed: {lines[-1][:300] if lines else 'no output'}"
        )
    return done
