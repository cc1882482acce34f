"""A running desk for tests: the real server on a free port, accounts of every role, and a browser
that sends what browsers send.
"""

from __future__ import annotations

import itertools
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
from closing import finished_run
from prefect.context import refresh_global_settings_context

from data_contracts.account import ROLES, Account, AccountFile
from data_contracts.run import Run
from data_contracts.time import now_utc
from flows.cases.assignment import assign
from flows.cases.filing import store_case
from flows.cases.throwaway import papers
from flows.cli.request import read_references
from flows.desk.accounts import Accounts
from flows.desk.desk import Desk, open_desk
from flows.desk.server import make_server
from flows.runtime.environment import Environment
from flows.stages import publish
from flows.stages.claim import close_claim, read_claim
from flows.stages.published import put_published
from infra.case_store import CaseVault
from infra.stack_record import replace_private
from tasks.search.itinerary import read_itinerary

DEMO = Path(__file__).parents[2] / "demo"
PASSWORD = "a long password"
# A report as a run writes one: with a style of its own, no script.
REPORT = b"<!doctype html><html><head><style>p{color:red}</style></head><p>the report</p></html>"
_numbers = itertools.count(1)


@cache
def _hash_of(password: str) -> str:
    """One hash for all accounts of all tests: each takes a tenth of a second."""
    return Accounts(Path("unused"))._hash(password)


class Browser:
    """A client with cookies that sends the headers of a browser which a person uses."""

    def __init__(self, base: str, **headers: str) -> None:
        self.base = base
        own = {"sec-fetch-site": "same-origin", "sec-fetch-mode": "navigate"}
        self.client = httpx.Client(
            base_url=base,
            headers={"accept-language": "en", "sec-fetch-dest": "document", **own, **headers},
            timeout=60,
        )

    def get(self, path: str, **headers: str) -> httpx.Response:
        """Open a page; a redirection is returned, not followed."""
        return self.client.get(path, headers=headers)

    def post(
        self, path: str, fields: dict[str, Any] | None = None, **headers: str
    ) -> httpx.Response:
        """Send a form as a page of the desk does, with the token of a page that is open."""
        given = {"origin": self.base, **headers}
        return self.client.post(path, data=fields or {}, headers=given)

    def log_in(self, name: str, password: str = PASSWORD, code: str = "") -> httpx.Response:
        """Fill in the form of the login."""
        fields = {"account": name, "password": password, "code": code, "next": "/"}
        return self.post("/login", fields)

    def token(self, page: str = "/account") -> str:
        """The token that the forms of a page carry."""
        found = re.search(r'name="csrf" value="([^"]+)"', self.get(page).text)
        assert found is not None, f"no form on {page}"
        return found.group(1)

    def send(self, path: str, fields: dict[str, Any] | None = None) -> httpx.Response:
        """Send a form with its token."""
        return self.post(path, {"csrf": self.token(), **(fields or {})})


class RunningDesk:
    """A desk that serves."""

    def __init__(self, desk: Desk, port: int) -> None:
        self.desk = desk
        self.port = port
        self.base = f"http://127.0.0.1:{port}"

    def browser(self, name: str = "", **headers: str) -> Browser:
        """A browser, logged in where a name is given."""
        made = Browser(self.base, **headers)
        if name:
            assert made.log_in(name).status_code == 303, name
        return made


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(desk: Desk, port: int) -> Iterator[RunningDesk]:
    """The desk's own server, in a thread."""
    server = make_server(desk, port)
    thread = threading.Thread(target=server.run)
    thread.start()
    ends = time.monotonic() + 20
    while not server.started and time.monotonic() < ends:
        time.sleep(0.01)
    try:
        yield RunningDesk(desk, port)
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def no_orchestrator() -> Iterator[None]:
    """A Prefect server that nobody can ask, as far as this process knows."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
        refresh_global_settings_context()
        yield
    refresh_global_settings_context()


@contextmanager
def staffed_desk(env: Environment, folder: Path) -> Iterator[RunningDesk]:
    """A desk with an account of each role, named like it, and `other`, a tracer without cases."""
    paths = env.settings.paths
    assert folder != paths.path
    port = free_port()
    desk = open_desk(env, port)
    desk.accounts.path = folder / "accounts.json"
    hashed = _hash_of(PASSWORD)
    people = [Account(name=role, password=hashed, roles=(role,)) for role in ROLES]
    people.append(Account(name="other", password=hashed, roles=("tracer", "reviewer")))
    staff = AccountFile(secret="s" * 43, accounts=tuple(people))
    replace_private(desk.accounts.path, staff.model_dump_json())
    with running(desk, port) as made:
        yield made


def filed_case(env: Environment, *accounts: str) -> CaseVault:
    """A filed case that these accounts see."""
    visits = read_itinerary((DEMO / "itinerary.csv").read_text())
    case_id = f"K-DESK-{time.time_ns() % 10**9:09d}-{next(_numbers)}"
    pictures = read_references([DEMO / "reference"])
    store_case(env, papers(env, case_id, visits, pictures, "who", "test"))
    assign(env, case_id, accounts)
    return env.cases.open(case_id)


def published_run(vault: CaseVault, current: bool = False) -> Run:
    """A run of three artefacts, written and published as `publish` does at its end; `current`: the
    one that has the case.
    """
    made, manifest = finished_run(vault, now_utc(), ())
    claim = read_claim(vault) if current else None
    run_id = claim.run_id if claim else f"20261116T0900{next(_numbers):02d}Z-ab12cd"
    run = made.model_copy(update={"run_id": run_id})
    artefacts = {
        "report.html": REPORT,
        "contacts.csv": b"contact_id\n",
        "pictures/S-01.mp4": bytes(range(256)) * 8,
    }
    written = tuple(publish._write_artefact(vault, run, n, data) for n, data in artefacts.items())
    result = manifest.result.model_copy(update={"run": run})
    changes = {"run_id": run.run_id, "artefacts": written, "result": result}
    told = manifest.model_copy(update=changes)
    vault.put(publish.manifest_key(run), told.model_dump_json().encode())
    put_published(vault, run, "who@1")
    close_claim(vault, run)
    return run
