"""The report viewer as a part of the local stack: a program of the flows layer, started by name."""

from __future__ import annotations

import sys

from infra import process
from infra.prefect_server import full_environment
from infra.settings import Settings
from infra.stack_record import ProcessRecord

NAME = "viewer"


def address(port: int) -> str:
    """Where reports are opened."""
    return f"http://127.0.0.1:{port}"


def start(settings: Settings, port: int) -> ProcessRecord:
    """Start the viewer. Raises StackError."""
    argv = [sys.executable, "-m", "flows.viewer", str(port)]
    return process.start(NAME, argv, full_environment(settings), settings.home, settings.paths.logs / "viewer.log")
