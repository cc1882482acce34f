"""`encounter`: the commands, and the one place where an error becomes a line for a person.

A command's module is imported when the command is asked for: help, keys and tokens do not wait for
what a trace needs.
"""

from __future__ import annotations

import errno
import os
import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from data_contracts.errors import EncounterError
from flows.cli.console import fail, print_as_written
from flows.cli.part import Part, parts_group
from flows.runtime.acting import acting, this_user
from infra.no_dumps import no_dumps

_DISK_FULL = (
    "the disk is full: free some room on the disk of the home (encounter status says how much is "
    "free), then run the command again"
)


def _case() -> typer.Typer:
    from flows.cli.cases import app

    return app


def _camera() -> typer.Typer:
    from flows.cli.camera import app

    return app


def _models() -> typer.Typer:
    from flows.cli.models import app

    return app


def _keys() -> typer.Typer:
    from flows.cli.keys import app

    return app


def _site() -> typer.Typer:
    from flows.cli.site import app

    return app


def _desk() -> typer.Typer:
    from flows.cli.desk import app

    return app


def _audit() -> typer.Typer:
    from flows.cli.audit import app

    return app


def _receipt() -> typer.Typer:
    from flows.cli.receipts import app

    return app


def _consent() -> typer.Typer:
    from flows.cli.tokens import consent_app

    return consent_app


def _approval() -> typer.Typer:
    from flows.cli.tokens import approval_app

    return approval_app


def _demo() -> typer.Typer:
    from flows.cli.demo import app

    return app


def _ingest() -> typer.Typer:
    from flows.cli.ingest import app

    return app


def _up() -> typer.Typer:
    from flows.cli.stack import up_app

    return up_app


def _down() -> typer.Typer:
    from flows.cli.stack import down_app

    return down_app


def _status() -> typer.Typer:
    from flows.cli.stack import status_app

    return status_app


def _doctor() -> typer.Typer:
    from flows.cli.doctor import app

    return app


PARTS = {
    "demo": Part("Trace the demo case on this machine, from consent to report.", _demo),
    "up": Part("Start the local stack on loopback.", _up),
    "down": Part("Stop the local stack; the data stay.", _down),
    "status": Part("What of the local stack is running.", _status),
    "doctor": Part("Whether this set-up can work, and what to do where it cannot.", _doctor),
    "ingest": Part("Load footage into the object store.", _ingest),
    "case": Part("Cases: file, list, show, run, fetch, close.", _case),
    "camera": Part("Cameras: calibrate from clicked points, check calibrations.", _camera),
    "models": Part("Neural models: get, list, check.", _models),
    "keys": Part("Signing keys of the people who sign consents and approvals.", _keys),
    "site": Part("The site's camera file.", _site),
    "desk": Part("The desk in the browser: run it, its accounts, who sees a case.", _desk),
    "audit": Part("The audit log: check, export, show.", _audit),
    "receipt": Part("Receipts of deletions: verify, list, fetch.", _receipt),
    "consent": Part("The subject's consent.", _consent),
    "approval": Part("The health authority's approval.", _approval),
}

app = typer.Typer(
    name="encounter",
    cls=parts_group(PARTS),
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)


def _tell_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print_as_written(f"encounter {version('encounter')}")
        raise typer.Exit


@app.callback()
def encounter(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_tell_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Consented contact tracing from recorded CCTV: one subject, anonymous bystanders, provable
    deletion.
    """


def main() -> None:
    """Run a command; an EncounterError becomes one line on standard error and exit status 1."""
    os.environ.setdefault("DO_NOT_TRACK", "1")
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    no_dumps()
    try:
        with acting(this_user()):
            app(prog_name="encounter")
    except EncounterError as error:
        fail(str(error))
        sys.exit(1)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            fail(_DISK_FULL)
            sys.exit(1)
        if os.environ.get("ENCOUNTER_TRACEBACK"):
            raise
        fail(_where_it_failed(error))
        sys.exit(70)
    except KeyboardInterrupt:
        fail("interrupted; nothing half-written is visible, run the command again to go on")
        sys.exit(130)


def _where_it_failed(error: Exception) -> str:
    """Where the program failed, without the values it had."""
    at = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{type(error).__name__} at {Path(at.filename).name}:{at.lineno}"
    return (
        f"unexpected {place}; please report it (ENCOUNTER_TRACEBACK=1 shows more, which may name "
        "people)"
    )


if __name__ == "__main__":
    main()
