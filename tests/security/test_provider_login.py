"""Logins through a provider (OpenID Connect), right and wrong: a real provider with real keys runs
in the test.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from desk_scene import Browser, RunningDesk, no_orchestrator, staffed_desk
from joserfc.jwk import OctKey, RSAKey
from login_provider import CLIENT, SECRET, LoginProvider, running_provider

from data_contracts.errors import BadInput
from flows.runtime.environment import Environment
from infra.settings import ProviderSettings, load_settings

pytestmark = pytest.mark.stack
KIM = {"sub": "u-17", "preferred_username": "dr-kim", "roles": ["tracing-team", "reviewers"]}
ROLES = {"tracing-team": "tracer", "reviewers": "reviewer", "it": "administrator"}


@pytest.fixture(scope="module")
def provider() -> Iterator[LoginProvider]:
    """One provider for all tests."""
    with running_provider() as made:
        yield made


@pytest.fixture
def desk(env: Environment, tmp_path: Path, provider: LoginProvider) -> Iterator[RunningDesk]:
    """A desk that logs in through the provider and makes accounts."""
    provider.person = dict(KIM)
    provider.wrong = {}
    provider.signed_by = None
    provider.algorithm = "RS256"
    with opened(env, tmp_path, provider, make_accounts=True) as made:
        yield made


@contextmanager
def opened(
    env: Environment, folder: Path, provider: LoginProvider, **changes: Any
) -> Iterator[RunningDesk]:
    """A desk with other settings of the provider."""
    given = {
        "issuer": provider.issuer,
        "client_id": CLIENT,
        "client_secret": SECRET,
        "roles": ROLES,
        **changes,
    }
    settings = load_settings(home=env.settings.home, desk={"provider": given})
    with (
        no_orchestrator(),
        staffed_desk(dataclasses.replace(env, settings=settings), folder) as made,
    ):
        yield made


def answer_of(browser: Browser, to: str = "/cases") -> str:
    """Log in at the provider; the address at which it sends the browser back."""
    begun = browser.get(f"/provider?next={to}")
    assert begun.status_code == 303, begun.text
    sent = httpx.get(begun.headers["location"])
    assert sent.status_code == 302
    return sent.headers["location"].removeprefix(browser.base)


def come_back(browser: Browser, address: str) -> httpx.Response:
    """The provider's answer, as a browser brings it from another site."""
    return browser.get(address, **{"sec-fetch-site": "cross-site"})


def is_in(browser: Browser) -> bool:
    """Whether the browser is logged in."""
    return browser.get("/account").status_code == 200


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_a_person_comes_in(desk: RunningDesk, provider: LoginProvider, algorithm: str) -> None:
    """Their account is made with the roles of their claim, the browser goes where it wanted to; the
    provider's next word on the roles counts at the next login.
    """
    provider.algorithm = algorithm
    browser = desk.browser()
    assert "/provider?next=" in browser.get("/login?next=/cases").text
    answer = come_back(browser, answer_of(browser))
    assert answer.status_code == 200
    assert 'content="0; url=/cases"' in answer.text
    cookie = next(c for c in answer.headers.get_list("set-cookie") if "session" in c)
    assert "SameSite=strict" in cookie
    assert browser.get("/cases").status_code == 200
    account = desk.desk.accounts.get("dr-kim")
    assert account.roles == ("tracer", "reviewer")
    provider.person["roles"] = "reviewers"
    again = desk.browser()
    assert come_back(again, answer_of(again)).status_code == 200
    assert desk.desk.accounts.get("dr-kim").roles == ("reviewer",)
    assert not is_in(browser), "the old roles' session is over"


@pytest.mark.parametrize(
    "wrong",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"aud": "another-client"},
        {"aud": [CLIENT, "another"]},
        {"aud": [CLIENT, "another"], "azp": "another"},
        {"azp": "another"},
        {"iss": "https://evil.example"},
        {"exp": 1_000_000_000},
        {"exp": None},
        {"sub": None},
        {"roles": ["strangers"]},
        {"roles": None},
        {"preferred_username": "tracer"},
        {"preferred_username": "../x"},
        {"preferred_username": None},
    ],
)
def test_a_wrong_token_opens_nothing(
    desk: RunningDesk, provider: LoginProvider, wrong: dict[str, Any]
) -> None:
    """Wrong nonce, audience, issuer or times; no role; a name that is a local account's, which is
    never taken over: no session and no account.
    """
    provider.wrong = wrong
    before = desk.desk.accounts.all()
    browser = desk.browser()
    answer = come_back(browser, answer_of(browser))
    assert answer.status_code == 403
    assert not is_in(browser)
    assert desk.desk.accounts.all() == before


def test_a_wrong_signature_opens_nothing(desk: RunningDesk, provider: LoginProvider) -> None:
    """Another key under the name of the provider's; a signature made with the client's secret."""
    for key, algorithm in (
        (RSAKey.generate_key(2048), "RS256"),
        (OctKey.import_key(SECRET.encode(), {"kid": "rsa"}), "HS256"),
    ):
        provider.signed_by, provider.algorithm = key, algorithm
        browser = desk.browser()
        assert come_back(browser, answer_of(browser)).status_code == 403
        assert not is_in(browser)


def test_each_answer_counts_once_and_in_its_browser(desk: RunningDesk) -> None:
    """The same answer again, in another browser, with a made-up state, or a code that somebody took
    from another login: nothing.
    """
    browser = desk.browser()
    address = answer_of(browser)
    thief = desk.browser()
    assert come_back(thief, address).status_code == 400
    assert not is_in(thief)
    assert come_back(browser, address).status_code == 400, "it was taken from them: once"
    address = answer_of(browser)
    assert come_back(browser, address).status_code == 200
    replayed = desk.browser()
    for name, value in browser.client.cookies.items():
        if "provider" in name:
            replayed.client.cookies.set(name, value)
    assert come_back(replayed, address).status_code == 400
    assert come_back(replayed, "/provider/back?code=x&state=made-up").status_code == 400
    # A code of one login in the answer of another: PKCE.
    first, second = desk.browser(), desk.browser()
    stolen = re.search(r"code=([^&]+)", answer_of(first))
    assert stolen is not None
    mixed = re.sub(r"code=[^&]+", f"code={stolen.group(1)}", answer_of(second))
    assert come_back(second, mixed).status_code == 403
    assert not is_in(second)


def test_a_closed_account_stays_closed(desk: RunningDesk) -> None:
    """An administrator removes the account: its session ends, and the provider's login does not
    make it anew, until an administrator opens it again. Its password opens nothing either.
    """
    browser = desk.browser()
    assert come_back(browser, answer_of(browser)).status_code == 200
    admin = desk.browser("administrator")
    assert admin.send("/administration/remove", {"name": "dr-kim"}).status_code == 303
    assert not is_in(browser)
    answer = come_back(browser, answer_of(browser))
    assert answer.status_code == 403
    assert "closed" in answer.text
    assert admin.send("/administration/password", {"name": "dr-kim"}).status_code == 400
    assert admin.send("/administration/reopen", {"name": "dr-kim"}).status_code == 303
    assert come_back(browser, answer_of(browser)).status_code == 200


def test_nobody_is_sent_elsewhere(desk: RunningDesk) -> None:
    """After the login and after the logout the browser is on the desk; the provider's end is a
    link.
    """
    for to in ("//evil.example", "https://evil.example", "/\\evil.example"):
        browser = desk.browser()
        answer = come_back(browser, answer_of(browser, to))
        assert 'content="0; url=/"' in answer.text
    assert browser.send("/logout").headers["location"] == "/provider/out"
    page = browser.get("/provider/out").text
    assert "/out?client_id=encounter-desk" in page
    assert not is_in(browser)


def test_accounts_are_not_made_unless_set(
    env: Environment, tmp_path: Path, provider: LoginProvider
) -> None:
    """A stranger with a right token is refused; who was added for their subject comes in, with the
    roles that the administrator gave where none are mapped.
    """
    provider.person, provider.wrong, provider.algorithm = dict(KIM), {}, "RS256"
    provider.signed_by = None
    with opened(env, tmp_path, provider, roles={}) as desk:
        browser = desk.browser()
        assert come_back(browser, answer_of(browser)).status_code == 403
        subject = f"{provider.issuer} u-17"
        desk.desk.accounts.add("kim", ["auditor"], subject=subject)
        assert come_back(browser, answer_of(browser)).status_code == 200
        assert browser.get("/audit").status_code == 200


def test_without_the_setting_nothing_is_reached(
    env: Environment, tmp_path: Path, provider: LoginProvider
) -> None:
    """No page of it is there, and the provider is not asked."""
    provider.asked.clear()
    with no_orchestrator(), staffed_desk(env, tmp_path) as desk:
        browser = desk.browser()
        assert "/provider" not in browser.get("/login").text
        for path in ("/provider", "/provider/back?code=x&state=y", "/provider/out"):
            assert browser.get(path).status_code == 404
    assert provider.asked == []


def test_a_provider_that_does_not_answer(env: Environment, tmp_path: Path) -> None:
    """The desk says so; passwords open it as before."""
    silent = LoginProvider("http://127.0.0.1:9")
    with opened(env, tmp_path, silent) as desk:
        assert desk.browser().get("/provider").status_code == 503
        assert is_in(desk.browser("tracer"))


@pytest.mark.parametrize(
    "given",
    [
        {"issuer": "http://login.example", "client_id": "x"},
        {"issuer": "https://login.example"},
        {"issuer": "https://login.example", "client_id": "x", "make_accounts": True},
        {"issuer": "https://login.example", "client_id": "x", "roles": {"a": "king"}},
        {"issuer": "login.example", "client_id": "x"},
    ],
)
def test_settings_that_open_too_much_are_refused(tmp_path: Path, given: dict[str, Any]) -> None:
    """No provider in the clear off this machine, none without a client, no account without a role
    of the table.
    """
    with pytest.raises(BadInput):
        load_settings(home=tmp_path, desk={"provider": given})
    assert not ProviderSettings(issuer="https://a.example", client_id="x").may_reach("http://b/")
