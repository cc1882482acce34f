"""Another user of the machine gets nothing from a running stack: sockets, processes, files."""

from __future__ import annotations

import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from infra.local.stack import StackInfo
from tests.security.other_user import (
    Listener,
    given_away,
    listeners,
    open_modes,
    secrets_of,
    try_files,
    try_processes,
    try_sockets,
)

pytestmark = [
    pytest.mark.stack,
    pytest.mark.skipif(
        os.geteuid() != 0, reason="needs root, to take another user's id and see every socket"
    ),
]


def test_no_socket_gives_anything_away(stack: StackInfo) -> None:
    """Every listening socket of every process refuses: plain HTTP, TLS without a certificate, raw
    bytes, and unix sockets at the door.
    """
    found = listeners(stack.record)
    assert {one.part for one in found} == {"store", "prefect", "dask", "worker", "desk"}
    assert len([one for one in found if one.part == "store"]) >= 15
    assert given_away(try_sockets(found), secrets_of(stack.settings)) == []


def test_an_open_door_would_be_seen(tmp_path: Path) -> None:
    """The same attempts at a server and at files that are open find them open."""

    class Open(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Answer anything."""
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"everything")

    with ThreadingHTTPServer(("127.0.0.1", 0), Open) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        found = given_away(try_sockets([Listener("x", 1, "127.0.0.1", server.server_port)]))
        server.shutdown()
    assert any("GET /dir/status: 200 'everything'" in line for line in found)
    (tmp_path / "open").write_text("x")
    (tmp_path / "open").chmod(0o644)
    assert [line.split()[0] for line in open_modes(tmp_path)] == ["-rw-r--r--"]


def test_processes_and_files_are_closed(stack: StackInfo) -> None:
    """No environment or memory can be read, no command line holds a secret, no file of the home
    can be read, and none could be if a folder above were open.
    """
    readable, lines = try_processes(stack.record)
    assert readable == []
    secrets = secrets_of(stack.settings)
    assert len(lines) > 5
    assert not [line for line in lines for secret in secrets if secret in line]
    assert try_files(stack.settings.home) == []
    assert open_modes(stack.settings.home) == []


def test_no_log_holds_a_secret(stack: StackInfo) -> None:
    """Keys, logins and passwords are in no log."""
    secrets = secrets_of(stack.settings)
    logs = {path: path.read_text(errors="replace") for path in stack.settings.paths.logs.iterdir()}
    assert not [path.name for path, text in logs.items() for s in secrets if s in text]
