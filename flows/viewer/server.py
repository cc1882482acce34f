"""Where the link in the Prefect UI leads: a reviewer's page on loopback that decrypts a run's
artefacts when asked.

Only artefacts of a finished run are served, only while consent and approval hold, only with the
reviewers' password (`<home>/viewer-password`, readable by its owner alone). Nothing is written to
disk and nothing may be cached.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
import sys
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from data_contracts import object_key
from data_contracts.errors import EncounterError, NotFound, StoreError
from flows.runtime.audit import Acting, acting, audit
from flows.runtime.environment import environment
from flows.runtime.open_case import open_case
from flows.stages.claim import last_run
from flows.stages.publish import load_manifest
from infra.settings import Settings
from tasks.artefacts.exports import REPORT, media_type

_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}

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


def password_file(settings: Settings) -> Path:
    """Where the reviewers' password lies."""
    return settings.home / "viewer-password"


def ensure_password(settings: Settings) -> str:
    """The password; made (mode 0600) where there is none."""
    path = password_file(settings)
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(18) + "\n")
    return path.read_text().strip()


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
    last = last_run(case.vault)
    if last is None:
        raise NotFound(f"case {case_id} has no finished run yet")
    run = last.model_copy(update={"run_id": run_id})
    if name not in {artefact.name for artefact in load_manifest(case.vault, run).artefacts}:
        raise NotFound(f"run {run_id} has no artefact of that name")
    kind = media_type(name)
    audit(environment(), "view", case=case.authorised, run_id=run_id, objects=(name,))
    return case.vault.get(object_key.run(case_id, run_id, name)), kind


class _Handler(BaseHTTPRequestHandler):
    password = ""

    def do_GET(self) -> None:
        """Serve one artefact."""
        if self.path == "/":
            self._answer(
                HTTPStatus.OK,
                b"Encounter reports: open the link of a case in the Prefect UI.\n",
                "text/plain",
            )
        elif (account := self._account()) is None:
            self._answer(
                HTTPStatus.UNAUTHORIZED, b"the reviewers' password is needed\n", "text/plain"
            )
        else:
            with acting(Acting("account", account, "reviewer")):
                self._serve()

    def _serve(self) -> None:
        try:
            data, kind = read_artefact(self.path.split("?", 1)[0])
        except NotFound as error:
            self._answer(HTTPStatus.NOT_FOUND, f"{error}\n".encode(), "text/plain; charset=utf-8")
        except EncounterError as error:
            self._answer(HTTPStatus.FORBIDDEN, f"{error}\n".encode(), "text/plain; charset=utf-8")
        else:
            self._answer(HTTPStatus.OK, data, kind)

    def _account(self) -> str | None:
        """The account that a request with the right password names; None without. A wrong password
        is written down.
        """
        scheme, _, given = self.headers.get("Authorization", "").partition(" ")
        if not given:
            return None
        try:
            user, _, word = base64.b64decode(given, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        if scheme.lower() == "basic" and hmac.compare_digest(word.encode(), self.password.encode()):
            return user
        _wrong_passwords.count(user)
        return None

    def _answer(self, status: HTTPStatus, data: bytes, kind: str) -> None:
        self.send_response(status)
        for name, value in {
            **_HEADERS,
            "Content-Type": kind,
            "Content-Length": str(len(data)),
        }.items():
            self.send_header(name, value)
        if status is HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", 'Basic realm="Encounter reviewers"')
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Log the status only: a path names a case."""
        sys.stderr.write(f"{self.command} {args[1] if len(args) > 1 else ''}\n")


def command(port: int) -> list[str]:
    """The command line that serves on a port of 127.0.0.1."""
    return [sys.executable, "-m", __name__, str(port)]


def serve(port: int) -> None:
    """Serve on 127.0.0.1 until stopped."""
    _Handler.password = ensure_password(environment().settings)
    with ThreadingHTTPServer(("127.0.0.1", port), _Handler) as server:
        server.serve_forever()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
