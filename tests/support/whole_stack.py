"""A whole stack in a home of its own: run by its command line as operators do, and unplugged."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil

from data_contracts import object_key
from flows.cases.filing import store_case
from flows.cases.throwaway import papers
from flows.cli.request import read_references
from flows.runtime.environment import Environment
from flows.stages.claim import read_claim
from infra.audit_log import open_audit_log
from infra.case_store import CaseStore
from infra.key_source import load_master_keys
from infra.local import process
from infra.local.prefect_server import find_login
from infra.settings import HOME_VARIABLE, Settings, load_settings
from infra.stack_record import read_record
from infra.store import ObjectStore
from tasks.search.itinerary import read_itinerary

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "demo"
ACTIVE = {"Pending", "Submitting", "Running"}
# The database of a server that starts again is busy for some seconds.
_BUSY_TRIES = 10


class WholeStack:
    """The stack of one home."""

    def __init__(self, home: Path, **variables: str) -> None:
        self.home = home
        self._variables = {HOME_VARIABLE: str(home), **variables}

    @property
    def settings(self) -> Settings:
        """As they are now: `up` may choose other ports."""
        return load_settings(home=self.home)

    @property
    def env(self) -> Environment:
        """The outside as a process of this home sees it."""
        settings = self.settings
        store = ObjectStore(settings.s3)
        cases = CaseStore(store, load_master_keys(settings))
        return Environment(settings, store, cases, open_audit_log(store, settings))

    def encounter(self, *words: str, timeout_s: float = 400.0) -> str:
        """Run a command; what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "flows.cli.main", *words],
            env={**os.environ, **self._variables},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        assert done.returncode == 0, f"encounter {' '.join(words)}: {done.stdout}{done.stderr}"
        return done.stdout

    def processes(self, part: str = "") -> list[psutil.Process]:
        """Every process of this home, or of one part of its stack: the parts and what they started,
        also what outlived them.
        """
        record = read_record(self.settings.paths)
        entries = record.processes if record else ()
        found = [p for e in entries if part in ("", e.name) for p in process.process_tree(e)]
        return list(dict.fromkeys(found))

    def cut(self, part: str = "") -> int:
        """End them all at once, as a power cut does, or one part; returns how many there were."""
        doomed = self.processes(part)
        for one in doomed:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        psutil.wait_procs(doomed, timeout=20)
        return len(doomed)

    def cut_runs(self) -> int:
        """End the flow runs' processes alone; returns how many there were."""
        doomed = self._flow_runs()
        for one in doomed:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        return len(doomed)

    def halt(self, flow: str) -> str:
        """Make a run of a flow stand still in the middle, until it is killed: its id, or nothing
        where none is at work.
        """
        for one in self._flow_runs():
            with suppress(psutil.NoSuchProcess):
                run_id = one.environ().get("PREFECT__FLOW_RUN_ID", "")
                if run_id not in self._at_work(flow):
                    continue
                one.suspend()
                if run_id in self._at_work(flow):
                    return run_id
                one.resume()
        return ""

    def _at_work(self, flow: str) -> set[str]:
        return {run["id"] for run in self.runs(flow) if run["state_name"] in ACTIVE}

    def _flow_runs(self) -> list[psutil.Process]:
        found = []
        for one in self.processes("worker"):
            with suppress(psutil.NoSuchProcess):
                if "flows.programs.flow_run" in one.cmdline():
                    found.append(one)
        return found

    def file_case(self, case_id: str, footage: tuple[str, ...] = ()) -> None:
        """A demo case, stored as intake does it; `reconcile` starts it."""
        env = self.env
        env.store.put(object_key.SITE, object_key.CAMERAS, (DEMO / "cameras.geojson").read_bytes())
        for key in footage:
            env.store.put_file(object_key.FOOTAGE, key, DEMO / "footage" / key, "video/mp4")
        visits = read_itinerary((DEMO / "itinerary.csv").read_text())
        pictures = read_references([DEMO / "reference"])
        store_case(env, papers(env, case_id, visits, pictures, "demo-short", "test"))

    def is_published(self, case_id: str) -> bool:
        """Whether the case's trace is whole."""
        claim = read_claim(self.env.cases.open(case_id))
        return claim is not None and claim.state == "published"

    def start(self, deployment: str) -> None:
        """Start a run of a deployment, such as reconcile/reconcile, by the server's API."""
        found = ask_server(self.settings, "GET", f"deployments/name/{deployment}")
        ask_server(self.settings, "POST", f"deployments/{found['id']}/create_flow_run", {})

    def runs(self, flow: str) -> list[dict[str, Any]]:
        """The runs of a flow, the newest first."""
        wanted = {"flows": {"name": {"any_": [flow]}}, "sort": "EXPECTED_START_TIME_DESC"}
        return list(ask_server(self.settings, "POST", "flow_runs/filter", wanted))

    def states(self, flow: str) -> list[str]:
        """The names of the states of a flow's runs but for those that are scheduled."""
        names = [run["state_name"] for run in self.runs(flow) if run["state"]]
        return [name for name in names if name not in ("Scheduled", "Late")]


def ask_server(
    settings: Settings, method: str, path: str, body: dict[str, Any] | None = None
) -> Any:
    """What a Prefect server answers. Asks again while its database is busy, as Prefect's own client
    does.
    """
    user, _, word = find_login(settings).partition(":")
    url = f"{settings.prefect.api_url}/{path}"
    for _ in range(_BUSY_TRIES):
        answer = httpx.request(method, url, json=body, auth=(user, word), timeout=30)
        if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            break
        time.sleep(2)
    return answer.raise_for_status().json()


def wait(what: str, seconds: float, ready: Callable[[], Any], every_s: float = 0.3) -> Any:
    """The first true result of `ready`; fails with `what` where there is none in time."""
    ends = time.monotonic() + seconds
    while True:
        found = ready()
        if found:
            return found
        assert time.monotonic() < ends, what
        time.sleep(every_s)
