"""Attacks on the reports' page: guessing, flooding, dawdling, other sites, other names."""

from __future__ import annotations

import base64
import http.client
import json
import socket
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from data_contracts.errors import BadInput
from flows.cli.main import app
from flows.viewer import connection, server
from flows.viewer.accounts import Accounts
from flows.viewer.attempts import BURST, FREE, LONGEST_WAIT_S, Attempts
from infra.settings import HOME_VARIABLE

PASSWORD = "a long password"
REPORT = "/K-1/runs/R/report.html"


class Page:
    """A running page with one account, and what it was asked for by whom."""

    def __init__(self, accounts: Accounts) -> None:
        self.accounts = accounts
        self.server = server._Viewer(0, accounts, "https://reports.example/x")
        self.port = self.server.server_address[1]
        self.wrong: list[str] = []

    def get(
        self, path: str = REPORT, login: tuple[str, str] | None = None, **headers: str
    ) -> tuple[int, http.client.HTTPMessage, str]:
        """Status, headers and text of a request."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if login is not None:
            given["Authorization"] = basic(*login)
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        client.request("GET", path, headers=given)
        answer = client.getresponse()
        text = answer.read().decode()
        client.close()
        return answer.status, answer.headers, text


def basic(name: str, password: str) -> str:
    """The header of a login."""
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    """The page with dr-kim's account; the case's store and the audit log have tests of their own
    (tests/nevers/test_never_1_nothing_goes_unrecorded.py).
    """
    accounts = Accounts(tmp_path / "accounts.json")
    accounts.add("dr-kim", PASSWORD)
    made = Page(accounts)
    monkeypatch.setattr(server, "read_artefact", lambda _path: (b"the report", "text/html"))
    monkeypatch.setattr(server._wrong_passwords, "count", made.wrong.append)
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.mark.parametrize(
    ("login", "wrong"),
    [
        (("dr-kim", ""), ["dr-kim"]),
        (("", ""), []),
        (("", PASSWORD), ["unknown"]),
        (("dr-kim", "wrong"), ["dr-kim"]),
        (("dr-lee", PASSWORD), ["unknown"]),
        (("DR-KIM", PASSWORD), ["unknown"]),
        (("dr-kim", PASSWORD + "\0"), ["dr-kim"]),
        (("dr-kim", "x" * 100_000), None),
        (("reviewer", ""), ["unknown"]),
    ],
)
def test_nobody_gets_in_without_their_own_password(
    page: Page, login: tuple[str, str], wrong: list[str] | None
) -> None:
    """Empty, wrong, endless, somebody else's: refused, and the log is told which account was meant
    where there is one.
    """
    status, _, text = page.get(login=login)
    assert status in (401, 431)
    assert "the report" not in text
    assert wrong is None or page.wrong == wrong


def test_the_right_password_opens_and_every_answer_is_closed_to_other_pages(page: Page) -> None:
    """The report opens; each answer, refused or not, carries the headers that keep other pages
    out.
    """
    for login, expected in ((("dr-kim", PASSWORD), 200), (None, 401)):
        status, headers, text = page.get(login=login)
        assert status == expected
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["Cache-Control"] == "no-store"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "Python" not in headers["Server"]
    assert "account add" in text


def test_without_accounts_nobody_gets_in(page: Page, tmp_path: Path) -> None:
    """No file, no accounts, a file with an empty hash: no password opens anything."""
    page.accounts.path.unlink()
    assert page.get(login=("dr-kim", PASSWORD))[0] == 401
    record = {"name": "dr-kim", "salt": "", "hash": ""}
    page.accounts.path.write_text(json.dumps({"secret": "x" * 43, "accounts": [record]}))
    page.accounts.path.chmod(0o600)
    assert page.get(login=("dr-kim", ""))[0] in (401, 503)
    page.accounts.path.chmod(0o644)
    assert page.get(login=("dr-kim", PASSWORD))[0] == 503


def test_guessing_is_slowed_down(page: Page) -> None:
    """After a handful of wrong passwords an address waits, and neither a wrong nor the right one is
    looked at meanwhile.
    """
    for _ in range(FREE):
        assert page.get(login=("dr-kim", "wrong"))[0] == 401
    for password in ("wrong", PASSWORD):
        status, headers, text = page.get(login=("dr-kim", password))
        assert status == 429
        assert int(headers["Retry-After"]) >= 1
        assert "try again" in text
    assert len(page.wrong) == FREE


def test_an_attacker_cannot_keep_the_reviewer_out(page: Page) -> None:
    """While an attacker on the same address tries without end, the reviewer's browser from before
    goes on, and a new one is let in by a link; a link or mark that was forged is worth nothing.
    """
    _, headers, _ = page.get(login=("dr-kim", PASSWORD))
    cookie = headers["Set-Cookie"].partition(";")[0]
    assert "HttpOnly" in headers["Set-Cookie"]
    for _ in range(FREE + 3):
        page.get(login=("dr-kim", "wrong"))
    assert page.get(login=("dr-kim", PASSWORD))[0] == 429
    assert page.get(login=("dr-kim", PASSWORD), Cookie=cookie)[0] == 200
    link = f"/device/{page.accounts.link('dr-kim')}"
    status, headers, _ = page.get(link)
    assert status == 200
    fresh = headers["Set-Cookie"].partition(";")[0]
    assert page.get(login=("dr-kim", PASSWORD), Cookie=fresh)[0] == 200
    assert page.get(Cookie=fresh)[0] == 401, "a mark opens nothing by itself"
    forged = cookie[:-4] + "0000"
    assert page.get(login=("dr-kim", PASSWORD), Cookie=forged)[0] == 429
    assert page.get(link[:-4] + "0000")[0] == 404
    page.accounts.add("dr-kim", "another password")
    login = ("dr-kim", "another password")
    assert page.get(login=login, Cookie=cookie)[0] == 429, "a new password voids old marks"


def test_a_stolen_mark_does_not_help_to_guess(page: Page) -> None:
    """Attempts with a known browser's mark are counted and slowed down too, and not for another
    account.
    """
    mark = f"encounter-device={page.accounts.device_mark('dr-kim')}"
    answers = [page.get(login=("dr-kim", "wrong"), Cookie=mark)[0] for _ in range(FREE + 1)]
    assert answers == [401] * FREE + [429]
    assert page.get(login=("dr-lee", "wrong"), Cookie=mark)[0] == 401


def test_waits_grow_and_end() -> None:
    """Waits double to a minute and no further; being refused lengthens nothing; a pause forgives;
    many addresses together share one bound.
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
    assert attempts.wait_s("the reviewer", known=False) == 0


def test_an_account_that_is_not_there_takes_as_long(page: Page) -> None:
    """The time of an answer does not say whether an account exists."""
    took = {}
    for name in ("dr-kim", "nobody"):
        best = []
        for _ in range(2):
            began = time.process_time()
            assert not page.accounts.verify(name, "wrong password")
            best.append(time.process_time() - began)
        took[name] = min(best)
    assert took["nobody"] == pytest.approx(took["dr-kim"], rel=0.5)


@pytest.mark.parametrize("trickle", [False, True])
def test_a_slow_request_is_ended(
    page: Page, trickle: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that does not come, or comes a byte at a time, is cut off at its time, and others
    are answered meanwhile.
    """
    monkeypatch.setattr(server, "HEAD_S", 1.0)
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", page.port)) as slow:
        slow.settimeout(0.2)
        assert page.get(login=("dr-kim", PASSWORD))[0] == 200
        ended = False
        while not ended and time.monotonic() - began < connection.HEAD_S:
            try:
                if trickle:
                    slow.sendall(b"X")
                ended = slow.recv(1) == b""
            except TimeoutError:
                continue
            except OSError:
                ended = True
    assert ended
    assert 0.8 < time.monotonic() - began < connection.HEAD_S, "the time set here counts"


def test_many_slow_requests_do_not_crowd_out_others(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More waiting connections than are kept: the oldest go, a whole request is answered."""
    monkeypatch.setattr(connection, "WAITING", 8)
    slow = [socket.create_connection(("127.0.0.1", page.port)) for _ in range(40)]
    assert page.get(login=("dr-kim", PASSWORD))[0] == 200
    assert len(page.server._waiting) <= 8
    slow[0].settimeout(connection.HEAD_S / 2)
    assert slow[0].recv(1) == b""
    for one in slow:
        one.close()


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("evil.example", 421),
        ("evil.example:{port}", 421),
        ("127.0.0.1", 421),
        ("127.0.0.1.evil.example:{port}", 421),
        ("127.0.0.1:{port}", 200),
        ("localhost:{port}", 200),
        ("Reports.Example", 200),
    ],
)
def test_other_names_are_refused(page: Page, host: str, expected: int) -> None:
    """A page that points its own name at this machine (DNS rebinding) gets nothing, with the right
    password either.
    """
    given = host.format(port=page.port)
    assert page.get(login=("dr-kim", PASSWORD), Host=given)[0] == expected


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
def test_other_pages_cannot_use_the_reviewers_login(
    page: Page, site: str, mode: str, dest: str, expected: int
) -> None:
    """What another page embeds or fetches with the browser's login is refused, also from another
    port of this machine; a link that a person opens is answered.
    """
    sent = {"Sec_Fetch_Site": site, "Sec_Fetch_Mode": mode, "Sec_Fetch_Dest": dest}
    assert page.get(login=("dr-kim", PASSWORD), **sent)[0] == expected


def test_accounts_are_kept_as_hashes(tmp_path: Path) -> None:
    """The file is its owner's alone and has no password; equal passwords do not look equal; names
    and passwords have bounds.
    """
    accounts = Accounts(tmp_path / "accounts.json")
    made = accounts.add("dr-kim")
    accounts.add("dr-lee", made)
    text = accounts.path.read_text()
    assert stat.S_IMODE(accounts.path.stat().st_mode) == 0o600
    assert made not in text
    kim, lee = json.loads(text)["accounts"]
    assert kim["hash"] != lee["hash"]
    assert accounts.verify("dr-kim", made)
    assert not accounts.verify("dr-kim", made + "\0"), "HMAC pads keys with zero bytes"
    for name, password in (("dr-kim", ""), ("dr-kim", "short"), ("Dr Kim", None), ("../x", None)):
        with pytest.raises(BadInput):
            accounts.add(name, password)
    accounts.remove("dr-lee")
    assert not accounts.verify("dr-lee", made)
    assert accounts.verify("dr-kim", made)
    with pytest.raises(BadInput, match="there are: dr-kim"):
        accounts.remove("dr-lee")


def test_accounts_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made, listed, linked and removed by commands; the password that is shown is the one that
    opens.
    """
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    call = lambda *argv, **given: CliRunner().invoke(app, ["viewer", "account", *argv], **given)  # noqa: E731 used often, here only
    shown = call("add", "dr-kim").output
    password = shown.partition("password")[2].split()[0]
    accounts = Accounts(tmp_path / "viewer-accounts.json")
    assert accounts.verify("dr-kim", password)
    assert call("add", "dr-lee", "--own", input=PASSWORD + "\n").exit_code == 0
    assert accounts.verify("dr-lee", PASSWORD)
    assert call("list").output.split() == ["dr-kim", "dr-lee"]
    mark = call("link", "dr-lee").output.strip().rpartition("/")[2]
    assert accounts.device(mark) == "dr-lee"
    assert call("remove", "dr-kim").exit_code == 0
    assert call("list").output.split() == ["dr-lee"]
