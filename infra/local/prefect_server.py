"""The local Prefect server, its worker and its command line, run as programs: Prefect is imported
in flows only.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import urllib3
import urllib3.exceptions

from data_contracts.errors import StackError
from infra.local import process
from infra.settings import CONFIG_VARIABLE, HOME_VARIABLE, Settings
from infra.stack_record import ProcessRecord

SERVER = "prefect"
WORKER = "worker"
_PYTHON = [sys.executable, "-m", "prefect"]
# Room for the scheduled flows (reconcile, purge, ...) when every place for a case is taken.
_BESIDE_CASES = 5
_HTTP = urllib3.PoolManager(timeout=5.0, retries=False)

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


def prefect_environment(settings: Settings) -> dict[str, str]:
    """The variables a process needs, before it imports Prefect, to talk to this stack's server and
    to nobody else.
    """
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
    if settings.prefect.heartbeat_s is not None:
        out["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"] = str(settings.prefect.heartbeat_s)
    return out


def full_environment(settings: Settings) -> dict[str, str]:
    """This process's environment with the stack's variables; another Prefect's variables are left
    out.
    """
    inherited = {
        k: v for k, v in os.environ.items() if not k.startswith("PREFECT_") and k != CONFIG_VARIABLE
    }
    config = os.environ.get(CONFIG_VARIABLE)
    if config:  # the program runs in another folder
        inherited[CONFIG_VARIABLE] = str(Path(config).expanduser().absolute())
    return {**inherited, "PYTHONUNBUFFERED": "1", **prefect_environment(settings)}


def api_url(port: int) -> str:
    """The server's address."""
    return f"http://127.0.0.1:{port}/api"


def start_server(settings: Settings, port: int) -> ProcessRecord:
    """Start the server with its database in the home. Raises StackError."""
    home = settings.paths
    home.prefect.mkdir(parents=True, exist_ok=True, mode=0o700)
    env = full_environment(settings) | _SERVER_ENVIRONMENT
    env["PREFECT_API_URL"] = api_url(port)
    env["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = (
        f"sqlite+aiosqlite:///{home.prefect / 'prefect.db'}"
    )
    env["PREFECT_SERVER_UI_API_URL"] = api_url(port)
    argv = [*_PYTHON, "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    return process.start(SERVER, argv, env, home.prefect, home.logs / "prefect.log")


def server_ready(url: str) -> bool:
    """Whether a server answers at `url`."""
    try:
        return _HTTP.request("GET", f"{url}/health").status == 200
    except urllib3.exceptions.HTTPError:
        return False


def start_worker(settings: Settings) -> ProcessRecord:
    """Start the worker that runs flows as processes of this machine; the pool is made where it is
    missing.
    """
    home = settings.paths
    argv = [*_PYTHON, "worker", "start", "--pool", settings.prefect.pool, "--type", "process"]
    limit = settings.case_concurrency + _BESIDE_CASES
    argv += ["--name", "local", "--limit", str(limit), "--install-policy", "never"]
    return process.start(
        WORKER, argv, full_environment(settings), home.prefect, home.logs / "worker.log"
    )


def worker_ready(settings: Settings) -> bool:
    """Whether the pool has a worker online."""
    url = f"{settings.prefect.api_url}/work_pools/{settings.prefect.pool}/workers/filter"
    try:
        response = _HTTP.request("POST", url, json={})
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
    argv = [*_PYTHON, "--no-prompt", *(a for a in arguments if a != "--no-prompt")]
    try:
        done = subprocess.run(
            argv,
            env=full_environment(settings),
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
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
