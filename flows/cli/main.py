"""`encounter`: the commands, and the one place where an error becomes a line for a person."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

import typer

from data_contracts.errors import EncounterError
from flows.cli import (
    audit,
    camera,
    cases,
    demo,
    ingest,
    keys,
    master_keys,
    models,
    receipts,
    stack,
    tokens,
    viewer,
)
from flows.cli.console import fail
from flows.runtime.audit import acting, this_user
from infra.no_dumps import no_dumps

app = typer.Typer(
    name="encounter",
    help=(
        "Consented contact tracing from recorded CCTV: one subject, anonymous bystanders, "
        "provable deletion."
    ),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("demo")(demo.demo)
app.command("up")(stack.up)
app.command("down")(stack.down)
app.command("status")(stack.status)
app.command("ingest")(ingest.ingest)
app.add_typer(cases.app, name="case")
app.add_typer(camera.app, name="camera")
app.add_typer(models.app, name="models")
keys.app.command("master")(master_keys.show)
keys.app.command("rotate-master")(master_keys.rotate)
app.add_typer(keys.app, name="keys")
app.add_typer(keys.site_app, name="site")
app.add_typer(viewer.app, name="viewer")
app.add_typer(audit.app, name="audit")
app.add_typer(receipts.app, name="receipt")
app.add_typer(tokens.consent_app, name="consent")
app.add_typer(tokens.approval_app, name="approval")


def main() -> None:
    """Run a command; an EncounterError becomes one line on standard error and exit status 1."""
    os.environ.setdefault("DO_NOT_TRACK", "1")
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    no_dumps()
    try:
        with acting(this_user()):
            app()
    except EncounterError as error:
        fail(str(error))
        sys.exit(1)
    except Exception as error:
        if os.environ.get("ENCOUNTER_TRACEBACK"):
            raise
        fail(_unexpected(error))
        sys.exit(70)
    except KeyboardInterrupt:
        fail("interrupted; nothing half-written is visible, run the command again to go on")
        sys.exit(130)


def _unexpected(error: Exception) -> str:
    """Where the program failed, without the values it had."""
    at = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{type(error).__name__} at {Path(at.filename).name}:{at.lineno}"
    return (
        f"unexpected {place}; please report it (ENCOUNTER_TRACEBACK=1 shows more, which may name "
        "people)"
    )


if __name__ == "__main__":
    main()
