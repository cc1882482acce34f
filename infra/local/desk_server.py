"""The desk as a part of the local stack: a program that the flows layer hands over."""

from __future__ import annotations

from infra.local import process
from infra.local.prefect_server import full_environment
from infra.settings import Settings
from infra.stack_record import ProcessRecord

NAME = "desk"


def address(settings: Settings, port: int) -> str:
    """Where a browser on this machine opens it."""
    scheme = "https" if settings.desk.certificate else "http"
    return f"{scheme}://127.0.0.1:{port}"


def start(settings: Settings, argv: list[str]) -> ProcessRecord:
    """Start the desk by its command line. Raises StackError."""
    return process.start(
        NAME,
        argv,
        full_environment(settings, login=False),
        settings.home,
        settings.paths.logs / "desk.log",
        settings.paths.held(NAME),
    )
