"""`encounter ingest`: load a footage folder into the object store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from data_contracts import object_key
from data_contracts.errors import BadInput
from flows.cli.console import counted, say
from flows.runtime.environment import environment
from tasks.footage.ingest import plan_ingest


def load_folder(folder: Path) -> tuple[int, int]:
    """Upload the segments of a folder that are not there yet; returns how many were uploaded and
    were there.
    """
    planned = plan_ingest(folder)
    for problem in planned.problems:
        say(problem, "left out:")
    if not planned.files:
        raise BadInput(
            f"{folder}: no segments named <camera>/<YYYY-MM-DD>/<HH>/<MM.SS>.mp4 were found"
        )
    store = environment().store
    new = 0
    for path, key, media_type in counted(planned.files, "loading footage"):
        if store.holds(object_key.FOOTAGE, key, path):
            continue
        store.put_file(object_key.FOOTAGE, key, path, media_type)
        new += 1
    return new, len(planned.files) - new


app = typer.Typer()


@app.command("ingest")
def ingest(
    folder: Annotated[
        Path, typer.Argument(help="Folder laid out <camera>/<day>/<hour>/<MM.SS>.mp4.")
    ],
) -> None:
    """Load footage into the object store. Files that are there already, byte for byte, are left
    alone; one with other bytes, such as a repaired one, replaces what was there.
    """
    new, old = load_folder(folder)
    say(f"{new} segments loaded, {old} were there")
