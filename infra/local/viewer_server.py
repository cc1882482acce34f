"""The report viewer as a part of the local stack: a program that the flows layer hands over."""

from __future__ import annotations

from infra.local import process
from infra.local.prefect_server import full_environment
from infra.settings import Settings
from infra.stack_record import ProcessRecord

NAME = "viewer"


def address(port: int) -> str:
    """Where reports are opened."""
    return f"http://127.0.0.1:{port}"


def start(settings: Settings, argv: list[str]) -> ProcessRecord:
    """Start the viewer by its command line. Raises StackError."""
    return process.start(
        NAME,
        argv,
        full_environment(settings, login=False),
        settings.home,
        settings.paths.logs / "viewer.log",
        settings.paths.held(NAME),
    )
