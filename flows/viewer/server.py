"""Where the link in the Prefect UI leads: a reviewer's page on loopback that decrypts a run's
artefacts when asked.

Only artefacts of a finished run are served, only while consent and approval hold, only to a
reviewer with an account of their own (`encounter viewer account add NAME`). Nothing is written to
disk and nothing may be cached.
"""

from __future__ import annotations

import base64
import binascii
import io
import sys
import threading
import time
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

from data_contracts import object_key
from data_contracts.errors import EncounterError, NotFound, StoreError
from flows.runtime.acting import Acting, acting
from flows.runtime.audit import audit
from flows.runtime.environment import environment
from flows.runtime.open_case import open_case
from flows.stages.publish import load_manifest
from flows.stages.published import choose_run
from flows.viewer.accounts import DEVICE_DAYS, Accounts
from flows.viewer.attempts import Attempts
from flows.viewer.connection import ANSWER_S, HEAD_S, InTime, Server
from infra.store import LARGEST_BYTES
from tasks.artefacts.exports import REPORT, media_type

_SAFE_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Content-Security-Policy": (
        "default-src 'none'; img-src 'self' data:; media-src 'self'; style-src 'unsafe-inline'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
}
_DEVICE_COOKIE = "encounter-device"

# A wrong password is written to the audit log at most this often; those in between are counted in
# the next entry.
_WRONG_EVERY_S = 60.0


class WrongPasswords:
    """Counts wrong passwords and writes them down, without letting whoever tries them fill the
    log.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting = 0
        self._written_s = float("-inf")

    def count(self, account: str) -> None:
        """One more, by who calls themselves `account`. Where the log cannot be written it waits for
        the next.
        """
        with self._lock:
            self._waiting += 1
            if time.monotonic() - self._written_s < _WRONG_EVERY_S:
                return
            try:
                with acting(Acting("account", account, "reviewer")):
                    counts = {"attempts": self._waiting}
                    audit(
                        environment(),
                        "refuse",
                        outcome="refused",
                        reason="viewer: wrong password",
                        counts=counts,
                    )
            except StoreError:
                return
            self._waiting = 0
            self._written_s = time.monotonic()


_wrong_passwords = WrongPasswords()


def read_artefact(path: str) -> tuple[bytes, str]:
    """An artefact by the path `/<case>/runs/<run>/<name>`, after the audit log has the view; its
    bytes and media type.

    Raises NotFound for anything that is not an artefact of the case's finished run, NotAuthorised
    where consent ended.
    """
    parts = path.strip("/").split("/", 3)
    if len(parts) != 4 or parts[1] != "runs":
        raise NotFound(f"expected /CASE/runs/RUN/{REPORT}")
    case_id, _, run_id, name = parts
    case = open_case(case_id)
    run = choose_run(case.vault, run_id).run
    if name not in {artefact.name for artefact in load_manifest(case.vault, run).artefacts}:
        raise NotFound(f"run {run_id} has no artefact of that name")
    kind = media_type(name)
    audit(environment(), "view", case=case.authorised, run_id=run_id, objects=(name,))
    return case.vault.get(object_key.run(case_id, run_id, name), LARGEST_BYTES), kind


class _Handler(BaseHTTPRequestHandler):
    server: _Viewer

    def setup(self) -> None:
        """The request must be here in time; the answer must be taken in time."""
        super().setup()
        self.rfile = io.BufferedReader(InTime(self.connection, HEAD_S))
        self.server.waits(self.connection)

    def finish(self) -> None:
        """Forget the connection."""
        self.server.arrived(self.connection)
        super().finish()

    def do_GET(self) -> None:
        """Serve one artefact."""
        self.server.arrived(self.connection)
        self.connection.settimeout(ANSWER_S)
        if (self.headers.get("Host") or "").lower() not in self.server.hosts:
            self._send_text(HTTPStatus.MISDIRECTED_REQUEST, "this address is not the reports' page")
        elif not self._asked_for_itself():
            self._send_text(
                HTTPStatus.FORBIDDEN, "open the link itself: other pages may not embed it"
            )
        elif self.path == "/":
            self._send_text(
                HTTPStatus.OK, "Encounter reports: open the link of a case in Prefect's UI."
            )
        elif self.path.startswith("/device/"):
            self._send_welcome(self.path.removeprefix("/device/"))
        else:
            try:
                self._log_in()
            except EncounterError:  # the accounts' file; whoever asks is not told where it lies
                self._send_text(HTTPStatus.SERVICE_UNAVAILABLE, "see encounter viewer account list")

    def _asked_for_itself(self) -> bool:
        """Whether a person opened it, or this page did; programs send no such header."""
        site = self.headers.get("Sec-Fetch-Site", "none")
        opened = (self.headers.get("Sec-Fetch-Mode"), self.headers.get("Sec-Fetch-Dest"))
        return site in ("none", "same-origin") or opened == ("navigate", "document")

    def _log_in(self) -> None:
        name, password = self._given_login()
        if not name and not password:
            self._send_text(
                HTTPStatus.UNAUTHORIZED, "an account is needed: encounter viewer account add"
            )
            return
        accounts = self.server.accounts
        device = self._device_mark()
        known = device is not None and device == name
        who = f"device {device}" if known else f"address {self.client_address[0]}"
        if (wait_s := self.server.attempts.wait_s(who, known)) > 0:
            self._send_wait(wait_s)
        elif not accounts.verify(name, password):
            self.server.attempts.wrong(who)
            _wrong_passwords.count(name if name in accounts.names() else "unknown")
            self._send_text(HTTPStatus.UNAUTHORIZED, "account or password is wrong")
        else:
            self.server.attempts.right(who, known)
            mark = None if known else accounts.device_mark(name)
            with acting(Acting("account", name, "reviewer")):
                self._serve_artefact(mark)

    def _given_login(self) -> tuple[str, str]:
        """Account and password of the request, empty where there are none."""
        scheme, _, given = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return "", ""
        try:
            name, _, word = base64.b64decode(given, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return "", ""
        return name, word

    def _device_mark(self) -> str | None:
        try:
            found = SimpleCookie(self.headers.get("Cookie", "")).get(_DEVICE_COOKIE)
        except CookieError:
            return None
        return self.server.accounts.device(found.value) if found else None

    def _send_welcome(self, mark: str) -> None:
        """Mark this browser as a reviewer's by a link of `encounter viewer account link`."""
        if self.server.accounts.device(mark) is None:
            self._send_text(HTTPStatus.NOT_FOUND, "this link is not valid (any more)")
        else:
            self._send_text(
                HTTPStatus.OK, "This browser is known now: open the report's link.", mark
            )

    def _send_wait(self, seconds: float) -> None:
        left = str(max(1, round(seconds)))
        text = f"too many attempts: try again in {left} s (or encounter viewer account link)"
        self._send_text(HTTPStatus.TOO_MANY_REQUESTS, text, more={"Retry-After": left})

    def _serve_artefact(self, mark: str | None) -> None:
        try:
            data, kind = read_artefact(self.path.split("?", 1)[0])
        except NotFound as error:
            self._send_text(HTTPStatus.NOT_FOUND, str(error), mark)
        except EncounterError as error:
            self._send_text(HTTPStatus.FORBIDDEN, str(error), mark)
        else:
            self._send_answer(HTTPStatus.OK, data, kind, mark)

    def _send_text(
        self,
        status: HTTPStatus,
        text: str,
        mark: str | None = None,
        more: dict[str, str] | None = None,
    ) -> None:
        self._send_answer(status, f"{text}\n".encode(), "text/plain; charset=utf-8", mark, more)

    def _send_answer(
        self,
        status: HTTPStatus,
        data: bytes,
        kind: str,
        mark: str | None = None,
        more: dict[str, str] | None = None,
    ) -> None:
        self.send_response(status)
        headers = {"Content-Type": kind, "Content-Length": str(len(data)), **(more or {})}
        for name, value in {**_SAFE_HEADERS, **headers}.items():
            self.send_header(name, value)
        if status is HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", 'Basic realm="Encounter reports", charset="UTF-8"')
        if mark is not None:
            kept = f"Max-Age={DEVICE_DAYS * 86_400}; Path=/; HttpOnly; SameSite=Lax"
            self.send_header("Set-Cookie", f"{_DEVICE_COOKIE}={mark}; {kept}")
        self.end_headers()
        self.wfile.write(data)

    def version_string(self) -> str:
        """The server's name without versions."""
        return "encounter"

    def log_message(self, format: str, *args: object) -> None:
        """Log the status only: a path names a case."""
        sys.stderr.write(f"{self.command} {args[1] if len(args) > 1 else ''}\n")


class _Viewer(Server):
    """The page's server: its accounts, its limits, the names that it answers to."""

    def __init__(self, port: int, accounts: Accounts, link_base: str) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        own = self.server_address[1]
        linked = urlsplit(link_base).netloc.lower()
        self.hosts = {f"127.0.0.1:{own}", f"localhost:{own}"} | ({linked} if linked else set())
        self.accounts = accounts
        self.attempts = Attempts()


def command(port: int) -> list[str]:
    """The command line that serves on a port of 127.0.0.1."""
    return [sys.executable, "-m", __name__, str(port)]


def serve(port: int) -> None:
    """Serve on 127.0.0.1 until stopped."""
    settings = environment().settings
    accounts = Accounts(settings.paths.viewer_accounts_file)
    with _Viewer(port, accounts, settings.report_link_base) as server:
        server.serve_forever()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
