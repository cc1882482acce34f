"""`encounter doctor`: whether this set-up can work, and what to do where it cannot."""

from __future__ import annotations

import typer

from flows.cli.console import say
from flows.cli.doctor_checks import findings
from flows.cli.listing import Column, Json, Listing
from infra.settings import load_settings

app = typer.Typer()
FOUND = Listing(
    "doctor",
    (Column("check", "check"), Column("state", "state"), Column("told", "what was found")),
)


@app.command("doctor")
def doctor(as_json: Json = False) -> None:
    """Check the set-up: store, rights, clocks, object lock, keys, models, disks, Prefect, Dask,
    desk. Exit status 1 where something is broken.
    """
    found = list(findings(load_settings()))
    FOUND.tell((finding._asdict() for finding in found), as_json)
    broken = sum(finding.state == "broken" for finding in found)
    if not as_json:
        say(f"{broken} broken" if broken else "nothing is broken")
    if broken:
        raise typer.Exit(1)
