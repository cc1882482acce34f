"""The local Prefect server wants its login for everything, and its client cannot run code here."""

from __future__ import annotations

import base64
import json
import stat
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from data_contracts.errors import BadInput
from flows.programs import own_flows
from infra.local.prefect_server import check_address, find_login, prefect_environment
from infra.local.stack import StackInfo
from infra.settings import load_settings

pytestmark = pytest.mark.stack

_EVIL = "http://evil.example"
_get = partial(httpx.get, timeout=30)
_options = partial(httpx.options, timeout=30)


class _Patient(httpx.HTTPTransport):
    """Asks again where SQLite is busy, as Prefect's own client does."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The answer, up to ten times later."""
        for _ in range(10):
            answer = super().handle_request(request)
            if answer.status_code != 503:
                break
            time.sleep(1)
        return answer


@pytest.fixture
def api(stack: StackInfo) -> Iterator[httpx.Client]:
    """A client with the login."""
    user, _, word = find_login(stack.settings).partition(":")
    url = str(stack.settings.prefect.api_url)
    login = (user, word)
    with httpx.Client(base_url=url, auth=login, timeout=30, transport=_Patient()) as client:
        yield client


def test_everything_refuses_without_the_login(stack: StackInfo, api: httpx.Client) -> None:
    """Each path of the API, health included, with no login and with a wrong one."""
    url = str(stack.settings.prefect.api_url)
    assert api.get("/health").status_code == 200
    paths = api.get("/openapi.json").json()["paths"]
    assert len(paths) > 100
    wrong = base64.b64encode(b"operator:wrong").decode()
    with httpx.Client(timeout=30) as stranger:
        for path, methods in paths.items():
            for method in methods:
                for headers in ({}, {"Authorization": f"Basic {wrong}"}):
                    answer = stranger.request(method, f"{url}{path}", headers=headers)
                    assert answer.status_code in (401, 403), (method, path)


def test_evil_origin_is_refused(stack: StackInfo) -> None:
    """A page of another site may neither ask nor read."""
    url = f"{stack.settings.prefect.api_url}/flow_runs/filter"
    asks = {"Origin": _EVIL, "Access-Control-Request-Method": "POST"}
    assert _options(url, headers=asks).status_code == 400
    answer = _get(str(stack.ui_url), headers={"Origin": _EVIL})
    assert "access-control-allow-origin" not in answer.headers
    own = asks | {"Origin": str(stack.ui_url)}
    assert _options(url, headers=own).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "events/in",
        "events/out",
        "logs/out",
        "task_runs/subscriptions/scheduled",
        "work_pools/encounter/workers/connect",
    ],
)
@pytest.mark.parametrize("message", [{"type": "auth", "token": "wrong"}, {"type": "filter"}])
def test_websockets_refuse_without_the_login(
    stack: StackInfo, path: str, message: dict[str, str]
) -> None:
    """Without Prefect's protocol the handshake fails; with it, whatever comes before the login."""
    url = f"{stack.settings.prefect.api_url}/{path}".replace("http://", "ws://")
    with pytest.raises(InvalidStatus, match="403"), connect(url):
        pass
    with connect(url, subprotocols=["prefect"]) as one:
        one.send(json.dumps(message))
        with pytest.raises(ConnectionClosed, match="1008"):
            one.recv(timeout=10)


def test_ui_loads_and_says_that_it_wants_a_login(stack: StackInfo) -> None:
    """The operator's browser gets the page, which asks for what is in the login's file."""
    assert b"<html" in _get(str(stack.ui_url)).content.lower()
    assert _get(f"{stack.ui_url}/ui-settings").json()["auth"] == "BASIC"
    path = stack.settings.paths.prefect_login_file
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text().startswith("operator:")


def test_the_ui_asks_nobody_else(stack: StackInfo) -> None:
    """Prefect's pages come with a product analysis (Amplitude) that cannot be turned off: the
    browser is told to ask this server alone, and to show the pages in no other page.
    """
    for path in ("/", "/v2/login", "/runs", "/api/flows/"):
        answer = _get(f"{stack.ui_url}{path}", follow_redirects=True)
        rules = dict(
            rule.strip().split(" ", 1)
            for rule in answer.headers["content-security-policy"].split(";")
        )
        assert rules["default-src"] == "'self'"
        assert rules["frame-ancestors"] == "'none'"
        for name, allowed in rules.items():
            assert "http" not in allowed.replace(str(stack.ui_url), ""), name
            assert "*" not in allowed
        assert answer.headers["referrer-policy"] == "no-referrer"


def test_the_ui_finds_its_server_and_nobody_else_does(stack: StackInfo) -> None:
    """The page asks after the server's health without the login and says that it is down where it
    gets no answer. Other pages, and programs, get a refusal.
    """
    url = f"{stack.settings.prefect.api_url}/health"
    assert _get(url, headers={"Sec-Fetch-Site": "same-origin"}).json() is True
    for site in ("cross-site", "same-site", "none"):
        assert _get(url, headers={"Sec-Fetch-Site": site}).status_code == 401
    assert _get(url).status_code == 401


def _deploy(api: httpx.Client, flow: str, name: str, **more: Any) -> httpx.Response:
    flow_id = api.post("/flows/", json={"name": flow}).raise_for_status().json()["id"]
    body = {"name": name, "flow_id": flow_id, "work_pool_name": "encounter", **more}
    return api.post("/deployments/", json=body)


def _ended(api: httpx.Client, run_id: str) -> str:
    for _ in range(240):
        state = api.get(f"/flow_runs/{run_id}").raise_for_status().json()["state"]["type"]
        if state in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED"):
            return state
        time.sleep(0.5)
    raise AssertionError("the run did not end")


def test_a_job_cannot_be_varied(api: httpx.Client) -> None:
    """The server refuses a command, a variable or a folder, from a run and from a deployment."""
    plain = _deploy(api, "reconcile", "not-varied").raise_for_status().json()["id"]
    for variables in ({"command": "id"}, {"env": {"PYTHONPATH": "/x"}}, {"working_dir": "/x"}):
        run = api.post(f"/deployments/{plain}/create_flow_run", json={"job_variables": variables})
        assert run.status_code == 422, run.text
        assert _deploy(api, "reconcile", "varied", job_variables=variables).status_code == 422
    api.delete(f"/deployments/{plain}")


def test_nothing_of_a_client_runs_here(api: httpx.Client, tmp_path: Path) -> None:
    """Who has the login and opens the pool's template again gets no code run: not by a command, an
    entrypoint, pull steps or an environment, not even by a run that crashes.
    """
    ran = tmp_path / "ran"
    code = tmp_path / "evil.py"
    code.write_text(
        f"from pathlib import Path\nPath({str(ran)!r}).touch()\n"
        "from prefect import flow\n@flow(name='evil')\ndef evil(): pass\n"
    )
    (tmp_path / "sitecustomize.py").write_text(code.read_text())
    shell = {"prefect.deployments.steps.run_shell_script": {"script": f"touch {ran}"}}
    kept = api.get("/work_pools/encounter").raise_for_status().json()["base_job_template"]
    opened = {
        "job_configuration": {"command": "{{ command }}", "env": "{{ env }}"},
        "variables": {"type": "object", "properties": {"command": {}, "env": {}}},
    }
    api.patch("/work_pools/encounter", json={"base_job_template": opened}).raise_for_status()
    deployment = None
    try:
        deployment = _deploy(
            api,
            "evil",
            "evil",
            entrypoint=f"{code}:evil",
            path=str(tmp_path),
            pull_steps=[shell],
            job_variables={"command": f"touch {ran}", "env": {"PYTHONPATH": str(tmp_path)}},
        ).raise_for_status()
        run = api.post(f"/deployments/{deployment.json()['id']}/create_flow_run", json={})
        assert _ended(api, run.raise_for_status().json()["id"]) in ("FAILED", "CRASHED")
        time.sleep(1)
        assert not ran.exists()
    finally:
        api.patch("/work_pools/encounter", json={"base_job_template": kept}).raise_for_status()
        if deployment is not None:
            api.delete(f"/deployments/{deployment.json()['id']}")


def test_own_flows_are_those_of_the_project() -> None:
    """Every deployment of prefect.yaml is a flow that the worker runs, under its own name."""
    import yaml

    text = (Path(__file__).parents[2] / "prefect.yaml").read_text()
    named = {d["entrypoint"].split(":")[1] for d in yaml.safe_load(text)["deployments"]}
    assert named == {name.replace("-", "_") for name in own_flows.FLOWS}
    assert {name: found().name for name, found in own_flows.FLOWS.items()} == {
        name: name for name in own_flows.FLOWS
    }


@pytest.mark.parametrize(
    ("url", "refused"),
    [
        ("http://prefect.example/api", True),
        ("http://10.1.2.3:4200/api", True),
        ("https://prefect.example/api", False),
        ("http://127.0.0.1:4200/api", False),
        ("http://[::1]:4200/api", False),
        ("http://localhost:4200/api", False),
    ],
)
def test_another_server_in_clear_is_refused(tmp_path: Path, url: str, refused: bool) -> None:
    """Off the machine only https, unless a setting says that something else encrypts the way."""
    settings = load_settings(home=tmp_path, prefect={"api_url": url, "auth_string": "me:word"})
    if refused:
        with pytest.raises(BadInput, match=r"prefect\.allow_http"):
            check_address(settings)
        with pytest.raises(BadInput, match="in clear"):
            prefect_environment(settings)
        allowed = {"api_url": url, "auth_string": "me:word", "allow_http": True}
        settings = load_settings(home=tmp_path, prefect=allowed)
    assert prefect_environment(settings)["PREFECT_API_AUTH_STRING"] == "me:word"
    assert "word" not in repr(settings) + str(settings.public())


def test_the_login_goes_to_its_own_server_only(stack: StackInfo) -> None:
    """With another server in the settings the local login is not sent there."""
    other = load_settings(
        home=stack.settings.home, prefect={"api_url": "https://other.example/api"}
    )
    assert "PREFECT_API_AUTH_STRING" not in prefect_environment(other)
    assert find_login(stack.settings).startswith("operator:")
