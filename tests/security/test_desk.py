"""Attacks on the desk: guessing, flooding, dawdling, other sites, other names, other people's
cases, forms without a token, sessions that should be over.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import json
import re
import socket
import ssl
import stat
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat
from cryptography.x509.oid import NameOID
from desk_scene import (
    PASSWORD,
    RunningDesk,
    filed_case,
    no_orchestrator,
    published_run,
    staffed_desk,
)
from typer.testing import CliRunner

from data_contracts.account import ROLES
from data_contracts.errors import BadInput, StoreError
from flows.cli.main import app
from flows.desk import connections, pages
from flows.desk.accounts import Accounts
from flows.desk.acts import ACTS
from flows.desk.attempts import BURST, FREE, LONGEST_WAIT_S, Attempts
from flows.desk.page import PAGES
from flows.desk.pages import artefacts
from flows.desk.pages.login import own_path
from flows.desk.sessions import MOST_OF_ACCOUNT, Sessions
from flows.runtime.environment import Environment
from infra.settings import load_settings

pytestmark = pytest.mark.stack
assert pages
# On a loaded machine.
_PATIENCE_S = 9.0


@pytest.fixture
def desk(
    env: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RunningDesk]:
    """A running desk."""
    with no_orchestrator(), staffed_desk(env, tmp_path) as made:
        yield made


@pytest.fixture
def wrong(desk: RunningDesk, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The wrong passwords that the audit log is told of, by account; waits do not end."""
    counted: list[str] = []
    stopped = time.monotonic()
    monkeypatch.setattr(desk.desk.attempts, "_clock", lambda: stopped)
    monkeypatch.setattr(
        desk.desk.wrong_passwords, "count", lambda _env, name, _role="": counted.append(name)
    )
    return counted


# Guessing passwords.


@pytest.mark.parametrize(
    ("name", "password", "told"),
    [
        ("tracer", "", "tracer"),
        ("", "", "unknown"),
        ("", PASSWORD, "unknown"),
        ("tracer", "wrong", "tracer"),
        ("dr-lee", PASSWORD, "unknown"),
        ("tracer", PASSWORD + "\0", "tracer"),
        ("tracer", "x" * 20_000, "tracer"),
        ("tracer\0", PASSWORD, "unknown"),
    ],
)
def test_nobody_gets_in_without_their_own_password(
    desk: RunningDesk, wrong: list[str], name: str, password: str, told: str
) -> None:
    """Empty, wrong, endless, somebody else's: refused, and the log is told which account was meant
    where there is one.
    """
    browser = desk.browser()
    answer = browser.log_in(name, password)
    assert answer.status_code == 401
    assert "encounter-session" not in answer.headers.get("set-cookie", "")
    assert browser.get("/cases").headers["location"].startswith("/login")
    assert wrong == [told]


def test_without_accounts_nobody_gets_in(desk: RunningDesk) -> None:
    """No file, a file of nonsense, one that others can read: no password opens anything, and
    nobody is told where the file lies.
    """
    path = desk.desk.accounts.path
    path.chmod(0o644)
    answer = desk.browser().log_in("tracer")
    assert answer.status_code == 500
    assert str(path) not in answer.text
    path.chmod(0o600)
    record = {"name": "tracer", "password": "", "roles": ["tracer"]}
    path.write_text(json.dumps({"version": 1, "secret": "x" * 43, "accounts": [record]}))
    assert desk.browser().log_in("tracer", "").status_code == 500
    path.unlink()
    assert desk.browser().log_in("tracer").status_code == 401


def test_guessing_is_slowed_down(desk: RunningDesk, wrong: list[str]) -> None:
    """After a handful of wrong passwords an address waits, and neither a wrong nor the right one is
    looked at meanwhile.
    """
    browser = desk.browser()
    for _ in range(FREE):
        assert browser.log_in("tracer", "wrong").status_code == 401
    for password in ("wrong", PASSWORD):
        answer = browser.log_in("tracer", password)
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) >= 1
        assert "try again" in answer.text
    assert len(wrong) == FREE


def test_an_attacker_cannot_keep_a_colleague_out(desk: RunningDesk, wrong: list[str]) -> None:
    """While an attacker on the same address tries without end, a browser that logged in before
    goes on, and a new one is let in by a link; a mark that was forged is worth nothing.
    """
    known = desk.browser("tracer")
    mark = known.client.cookies["encounter-device"]
    attacker = desk.browser()
    for _ in range(FREE + 3):
        attacker.log_in("tracer", "wrong")
    assert desk.browser().log_in("tracer").status_code == 429
    assert known.log_in("tracer").status_code == 303
    fresh = desk.browser()
    link = f"/device/{desk.desk.accounts.link('tracer')}"
    assert fresh.get(link).status_code == 303
    assert fresh.get("/cases").headers["location"].startswith("/login"), "a mark opens nothing"
    assert fresh.log_in("tracer").status_code == 303
    forged = desk.browser()
    forged.client.cookies.set("encounter-device", mark[:-4] + "0000")
    assert forged.log_in("tracer").status_code == 429
    assert desk.browser().get(link[:-4] + "0000").status_code == 404
    desk.desk.accounts.set_password("tracer", "another password")
    assert known.log_in("tracer", "another password").status_code == 429, "old marks are void"


def test_a_stolen_mark_does_not_help_to_guess(desk: RunningDesk, wrong: list[str]) -> None:
    """Attempts with a known browser's mark are counted and slowed down too, and not for another
    account.
    """
    browser = desk.browser()
    browser.client.cookies.set("encounter-device", desk.desk.accounts.device_mark("tracer"))
    answers = [browser.log_in("tracer", "wrong").status_code for _ in range(FREE + 1)]
    assert answers == [401] * FREE + [429]
    assert browser.log_in("other", "wrong").status_code == 401


def test_waits_grow_and_end() -> None:
    """Waits double to a minute and no further; being refused lengthens nothing; a pause forgives;
    many addresses together share one bound; an account is counted whatever the address.
    """
    now = [0.0]
    attempts = Attempts(lambda: now[0])
    waits = []
    for _ in range(FREE + 9):
        now[0] += attempts.wait_s("a", known=True)
        assert attempts.wait_s("a", known=True) == 0
        attempts.wrong("a")
        waits.append(attempts.wait_s("a", known=True))
        assert attempts.wait_s("a", known=True) == waits[-1]
    assert waits[: FREE - 1] == [0.0] * (FREE - 1)
    assert waits[FREE - 1 :] == [1, 2, 4, 8, 16, 32, *[LONGEST_WAIT_S] * 4]
    now[0] += 3600
    attempts.wrong("a")
    assert attempts.wait_s("a", known=True) == 0
    admitted = [attempts.wait_s(f"address {i}", known=False) == 0 for i in range(3 * BURST)]
    assert sum(admitted) == BURST
    assert attempts.wait_s("a", known=True) == 0, "known browsers are not held up by strangers"
    now[0] += LONGEST_WAIT_S
    assert attempts.wait_s("the colleague", known=False) == 0
    for number in range(FREE):
        attempts.wrong(f"address {number}", "account kim")
    assert attempts.wait_s("address new", "account kim", known=False) > 0


def test_an_account_that_is_not_there_takes_as_long(desk: RunningDesk) -> None:
    """The time of an answer does not say whether an account exists."""
    accounts = desk.desk.accounts
    assert not accounts.verify("nobody", "wrong password")
    took = {}
    for name in ("tracer", "nobody"):
        best = []
        for _ in range(3):
            began = time.process_time()
            assert not accounts.verify(name, "wrong password")
            best.append(time.process_time() - began)
        took[name] = min(best)
    assert took["nobody"] == pytest.approx(took["tracer"], rel=0.5)


# Slow and many connections.


@pytest.mark.parametrize("trickle", [False, True])
def test_a_slow_request_is_ended(
    desk: RunningDesk, trickle: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that does not come, or comes a byte at a time, is cut off at its time, and others
    are answered meanwhile.
    """
    monkeypatch.setattr(connections, "HEAD_S", 1.0)
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", desk.port)) as slow:
        slow.settimeout(0.2)
        assert desk.browser().get("/login").status_code == 200
        ended = False
        while not ended and time.monotonic() - began < _PATIENCE_S:
            try:
                if trickle:
                    slow.sendall(b"X")
                ended = slow.recv(1) == b""
            except TimeoutError:
                continue
            except OSError:
                ended = True
    assert ended
    assert 0.8 < time.monotonic() - began < _PATIENCE_S, "the time set here counts"


def test_a_slow_form_is_ended(desk: RunningDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A form whose end does not come is answered at its time; one that is too large at once."""
    monkeypatch.setattr("flows.desk.form.FORM_S", 0.5)
    head = (
        f"POST /login HTTP/1.1\r\nHost: 127.0.0.1:{desk.port}\r\nOrigin: {desk.base}\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 90000\r\n\r\n"
    ).encode()
    for body in (b"account=", b"account=" + b"x" * 89_000):
        with socket.create_connection(("127.0.0.1", desk.port), timeout=5) as slow:
            slow.sendall(head + body)
            assert slow.recv(20).startswith(b"HTTP/1.1 413")


def test_many_slow_requests_do_not_crowd_out_others(
    desk: RunningDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More waiting connections than are kept: the oldest go, a whole request is answered."""
    monkeypatch.setattr(connections, "WAITING", 8)
    slow = [socket.create_connection(("127.0.0.1", desk.port)) for _ in range(40)]
    assert desk.browser().get("/login").status_code == 200
    assert len(connections.waiting()) <= 8
    slow[0].settimeout(_PATIENCE_S)
    assert closed(slow[0])
    for one in slow:
        one.close()


def closed(connection: socket.socket) -> bool:
    """Whether the other side has ended a connection."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


# Other names, other pages.


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("evil.example", 421),
        ("evil.example:{port}", 421),
        ("127.0.0.1", 421),
        ("127.0.0.1.evil.example:{port}", 421),
        ("127.0.0.1:{port}", 200),
        ("localhost:{port}", 200),
    ],
)
def test_other_names_are_refused(desk: RunningDesk, host: str, expected: int) -> None:
    """A page that points its own name at this machine (DNS rebinding) gets nothing, logged in or
    not.
    """
    browser = desk.browser("tracer")
    assert browser.get("/cases", host=host.format(port=desk.port)).status_code == expected


@pytest.mark.parametrize(
    ("site", "mode", "dest", "expected"),
    [
        ("cross-site", "no-cors", "image", 403),
        ("same-site", "no-cors", "image", 403),
        ("same-site", "navigate", "iframe", 403),
        ("cross-site", "cors", "empty", 403),
        ("same-origin", "no-cors", "image", 200),
        ("none", "navigate", "document", 200),
        ("same-site", "navigate", "document", 200),
    ],
)
def test_other_pages_cannot_use_a_login(
    desk: RunningDesk, site: str, mode: str, dest: str, expected: int
) -> None:
    """What another page embeds or fetches with the browser's login is refused, also from another
    port of this machine; a link that a person opens is answered.
    """
    sent = {"sec-fetch-site": site, "sec-fetch-mode": mode, "sec-fetch-dest": dest}
    assert desk.browser("tracer").get("/cases", **sent).status_code == expected


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"origin": ""},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_forms_of_other_pages_are_refused(desk: RunningDesk, headers: dict[str, str]) -> None:
    """A form that another page sends changes nothing, with the login and the token either; nor
    does one log a browser in.
    """
    admin = desk.browser("administrator")
    fields = {"csrf": admin.token(), "name": "evil-1", "role": ["administrator"]}
    assert admin.post("/administration/add", fields, **headers).status_code == 403
    login = {"account": "tracer", "password": PASSWORD}
    assert desk.browser().post("/login", login, **headers).status_code == 403
    assert "evil-1" not in desk.desk.accounts.names()


def test_every_form_needs_its_token(desk: RunningDesk) -> None:
    """Each address that takes a form, but those before the login: without the session's token, or
    with another session's, nothing happens.
    """
    every = [p for p in PAGES if p.method == "POST" and p.act is not None]
    assert len(every) >= 7
    foreign = desk.browser("other").token()
    for page in every:
        role = ACTS[page.act].roles[0]
        browser = desk.browser(role)
        path = page.path.replace("{case_id}", "K-NONE-1")
        for token in ("", foreign):
            answer = browser.post(path, {"csrf": token, "name": "other"})
            assert answer.status_code == 403, path
    assert "other" in desk.desk.accounts.names()


def test_nothing_but_a_form_is_taken(desk: RunningDesk) -> None:
    """JSON, text and files are no forms: another page could send them without being asked."""
    browser = desk.browser("administrator")
    for kind in ("application/json", "text/plain", "multipart/form-data; boundary=x", ""):
        headers = {"origin": desk.base, "content-type": kind}
        answer = browser.client.post("/administration/remove", content=b"{}", headers=headers)
        assert answer.status_code == 413


def test_every_answer_is_closed_to_other_pages(desk: RunningDesk, env: Environment) -> None:
    """Each answer, refused or not, carries the headers that keep other pages out; no page holds a
    script or a style of its own.
    """
    vault = filed_case(env, "tracer")
    browser = desk.browser("tracer")
    for path in ("/login", "/cases", "/account", f"/cases/{vault.case_id}", "/nothing", "/audit"):
        answer = browser.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["server"] == "encounter"
        assert not re.search(r"<script(?! src=)|<style|\sstyle=|\son\w+=|javascript:", answer.text)


def test_the_login_leads_to_own_pages_alone() -> None:
    """A link to the login cannot send a person on to another host."""
    for path in (
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "evil",
        "/a\r\nb",
        "",
    ):
        assert own_path(path) == "/", path
    assert own_path("/cases/K-1") == "/cases/K-1"


# Sessions.


def test_sessions_end(desk: RunningDesk) -> None:
    """After a time without use, after a time at all, at logout; a used one goes on; a token that
    was made up is nobody's.
    """
    now = [0.0]
    sessions = Sessions(100, 1000, lambda: now[0])
    account = desk.desk.accounts.get("tracer")
    token = sessions.open(account)
    for _ in range(11):
        now[0] += 90
        assert sessions.find(token) is not None
    now[0] += 90
    assert sessions.find(token) is None, "older than a session may be"
    token = sessions.open(account)
    now[0] += 90
    assert sessions.find(token, used=False) is not None
    now[0] += 20
    assert sessions.find(token) is None, "not used for too long"
    tokens = [sessions.open(account) for _ in range(MOST_OF_ACCOUNT + 1)]
    assert sessions.find(tokens[0]) is None, "one more ends the oldest"
    assert sessions.find("x" * 43) is None
    browser = desk.browser("tracer")
    cookie = browser.client.cookies["encounter-session"]
    assert browser.send("/logout").status_code == 303
    browser.client.cookies.set("encounter-session", cookie)
    assert browser.get("/cases").headers["location"].startswith("/login")


def test_a_login_gets_a_new_session(desk: RunningDesk) -> None:
    """A session that was planted in a browser, or that it had, is not the one after the login
    (session fixation); scripts cannot read the cookie, and other sites do not send it.
    """
    browser = desk.browser()
    browser.client.cookies.set("encounter-session", "planted", domain="127.0.0.1")
    answer = browser.log_in("tracer")
    kept = [c for c in answer.headers.get_list("set-cookie") if c.startswith("encounter-session")]
    assert "planted" not in kept[0]
    for word in ("HttpOnly", "SameSite=strict", "Path=/"):
        assert word in kept[0]
    first = kept[0].partition(";")[0].partition("=")[2]
    second = browser.log_in("tracer")
    assert first not in str(second.headers)
    stale = desk.browser()
    stale.client.cookies.set("encounter-session", first)
    assert stale.get("/cases").headers["location"].startswith("/login")


# Each role at each address.


@pytest.mark.parametrize("role", ROLES)
def test_each_forbidden_thing_is_refused(desk: RunningDesk, env: Environment, role: str) -> None:
    """Every address of the desk, asked by an account of each role that sees the case: what the
    table of acts forbids is refused, what it allows is not.
    """
    vault = filed_case(env, *ROLES)
    run = published_run(vault)
    browser = desk.browser(role)
    where = {"case_id": vault.case_id, "run_id": run.run_id, "name:path": "report.html"}
    where |= {"question_id": "Q-000000000000", "number": "0", "name": "S-01"}
    where |= {"camera_id": "lobby-a"}
    where |= {"draft_id": "DRAFT-NOT-THERE"}
    tried = 0
    for page in PAGES:
        if page.act is None or page.path == "/logout":
            continue
        path = re.sub(r"\{([\w:]+)\}", lambda found: where[found.group(1)], page.path)
        allowed = role in ACTS[page.act].roles
        if allowed and (page.method == "POST" or "live" in page.path):
            continue
        answer = browser.get(path) if page.method == "GET" else browser.send(path)
        refused = answer.status_code == 403 and "roles do not allow" in answer.text
        assert refused is not allowed, (role, page.method, path, answer.status_code)
        tried += 1
    assert tried >= 5


def test_somebody_elses_case_is_not_there(desk: RunningDesk, env: Environment) -> None:
    """Every address of a case, by an account with all roles to which it is not assigned: the same
    answer as for a case that does not exist, and for a name that is not one.
    """
    vault = filed_case(env, "tracer")
    run = published_run(vault)
    desk.desk.accounts.add("all-roles", ROLES, PASSWORD)
    browser = desk.browser("all-roles")
    told = set()
    for page in (p for p in PAGES if p.act is not None and ACTS[p.act].of_case):
        for case_id in (vault.case_id, "K-NOT-THERE-1", "k%00"):
            path = page.path.replace("{case_id}", case_id).replace("{run_id}", run.run_id)
            path = path.replace("{name:path}", "report.html")
            answer = browser.get(path) if page.method == "GET" else browser.send(path)
            assert answer.status_code == 404, path
            told.add(answer.text.replace(path, ""))
    assert b"the report" not in b"".join(text.encode() for text in told)


def test_a_fault_shows_nothing(
    desk: RunningDesk, env: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error with a secret in it becomes a page without it; a store that is down says only that
    something is; neither leaves a trace in the log that holds it.
    """
    vault = filed_case(env, "tracer")
    path = f"/cases/{vault.case_id}/runs/{published_run(vault).run_id}/report.html"
    browser = desk.browser("tracer")
    for error, status in ((ValueError("a secret"), 500), (StoreError("a secret"), 503)):

        def fails(*_: object, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(artefacts, "read_artefact", fails)
        answer = browser.get(path)
        assert answer.status_code == status
        assert "secret" not in answer.text
        assert "Traceback" not in answer.text


# Accounts.


def test_accounts_are_kept_as_hashes(tmp_path: Path) -> None:
    """The file is its owner's alone and has no password; equal passwords do not look equal; names,
    passwords and roles have bounds.
    """
    accounts = Accounts(tmp_path / "accounts.json")
    made = accounts.add("dr-kim", ["reviewer"])
    accounts.add("dr-lee", ["tracer"], made)
    text = accounts.path.read_text()
    assert stat.S_IMODE(accounts.path.stat().st_mode) == 0o600
    assert made not in text
    kim, lee = json.loads(text)["accounts"]
    assert kim["password"].startswith("$argon2id$")
    assert kim["password"] != lee["password"]
    assert accounts.verify("dr-kim", made)
    assert not accounts.verify("dr-kim", made + "\0")
    for name, roles, password in (
        ("dr-han", ["tracer"], ""),
        ("dr-han", ["tracer"], "short"),
        ("dr-han", ["tracer"], "aaaaaaaaaaaaaaaa"),
        ("dr-han", ["tracer"], "dr-han's password"),
        ("dr-han", [], None),
        ("dr-han", ["king"], None),
        ("Dr Kim", ["tracer"], None),
        ("../x", ["tracer"], None),
        ("dr-kim", ["tracer"], None),
    ):
        with pytest.raises(BadInput):
            accounts.add(name, roles, password)
    accounts.remove("dr-lee")
    assert not accounts.verify("dr-lee", made)
    assert accounts.verify("dr-kim", made)
    with pytest.raises(BadInput, match="there are: dr-kim"):
        accounts.remove("dr-lee")


def test_accounts_from_the_command_line(env: Environment) -> None:
    """Made, listed, linked and removed by commands; the password that is shown is the one that
    opens.
    """

    def call(*argv: str, **given: str) -> str:
        done = CliRunner().invoke(app, ["desk", *argv], **given)
        assert done.exit_code == 0, f"{done.output}{done.exception!r}"
        return done.output

    accounts = Accounts(env.settings.paths.desk_accounts_file)
    accounts.path.unlink(missing_ok=True)  # what other tests made
    try:
        shown = call("account", "add", "dr-kim", "--role", "reviewer", "--role", "tracer")
        assert accounts.verify("dr-kim", shown.partition("password")[2].split()[0])
        call("account", "add", "dr-lee", "--role", "auditor", "--own", input=PASSWORD + "\n")
        assert accounts.verify("dr-lee", PASSWORD)
        assert "tracer, reviewer" in call("account", "list")
        listed = json.loads(call("account", "list", "--json"))
        assert [row["account"] for row in listed] == ["dr-kim", "dr-lee"]
        mark = call("account", "link", "dr-lee").strip().rpartition("/")[2]
        assert accounts.device(mark) == "dr-lee"
        shown = call("account", "password", "dr-lee")
        assert accounts.verify("dr-lee", shown.rpartition("password")[2].split()[0])
        call("account", "roles", "dr-lee", "--role", "administrator")
        assert accounts.get("dr-lee").roles == ("administrator",)
        vault = filed_case(env)
        assert "dr-kim" in call("assign", vault.case_id, "dr-kim")
        call("account", "remove", "dr-kim")
        assert accounts.names() == ["dr-lee"]
    finally:
        accounts.path.unlink(missing_ok=True)


# TLS.


def test_tls(env: Environment, tmp_path: Path) -> None:
    """With a certificate the desk speaks TLS alone, its cookies go by TLS alone and belong to this
    host, and browsers are told to come back by TLS.
    """
    certificate, key = own_certificate(tmp_path)
    settings = load_settings(home=env.settings.home, desk={"certificate": certificate, "key": key})
    secure = dataclasses.replace(env, settings=settings)
    with no_orchestrator(), staffed_desk(secure, tmp_path) as desk:
        base = desk.base.replace("http://", "https://")
        client = httpx.Client(verify=ssl.create_default_context(cafile=str(certificate)))
        login = {"account": "tracer", "password": PASSWORD}
        answer = client.post(f"{base}/login", data=login, headers={"origin": base})
        assert answer.status_code == 303
        for cookie in answer.headers.get_list("set-cookie"):
            assert cookie.startswith("__Host-")
            assert "; Secure" in cookie
        assert "max-age" in answer.headers["strict-transport-security"]
        assert client.get(f"{base}/cases").status_code == 200
        with pytest.raises(httpx.HTTPError):
            httpx.get(f"{desk.base}/login")


def own_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of its own for 127.0.0.1, and its key, as files."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "desk")])
    now = datetime.now(UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate_file = folder / "desk.pem"
    key_file = folder / "desk.key"
    certificate_file.write_bytes(made.public_bytes(Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate_file, key_file


@pytest.mark.parametrize(
    "given", [{"network": True}, {"certificate": "a.pem"}, {"key": "a.key"}, {"idle_minutes": 0}]
)
def test_other_machines_by_tls_alone(tmp_path: Path, given: dict[str, object]) -> None:
    """The desk does not listen off this machine without a certificate, nor with half of one."""
    with pytest.raises(BadInput):
        load_settings(home=tmp_path, desk=given)
