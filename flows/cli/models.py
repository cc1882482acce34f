"""`encounter models pull | list | check | export-osnet`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn
from rich.table import Table

from data_contracts.errors import ModelUnavailable
from flows.cli.console import console, say
from flows.runtime.environment import model_settings
from infra.settings import load_settings
from models.convert.osnet import export_osnet
from models.files import pull as pulling
from models.registry import PACKS

app = typer.Typer(help="Neural models: get, list, check.", no_args_is_help=True)


def pull_defaults(
    names: list[str] | None = None, local: Path | None = None, offline: bool = False
) -> None:
    """Get the models that are not in the cache, with a line of progress. Raises
    ModelUnavailable.
    """
    cache = model_settings(load_settings()).cache
    with Progress(
        SpinnerColumn(), TextColumn("{task.description}"), console=console, transient=True
    ) as progress:
        shown = progress.add_task("checking models")
        pulling.pull(
            names, cache, local, offline, lambda text: progress.update(shown, description=text)
        )


@app.command("pull")
def pull(
    names: Annotated[
        list[str] | None, typer.Argument(help="Model names; default: all defaults.")
    ] = None,
    local: Annotated[
        Path | None, typer.Option(help="Folder with the packages or files, tried first.")
    ] = None,
    offline: Annotated[bool, typer.Option(help="Never use the network.")] = False,
) -> None:
    """Get models from the manifest's sources, check their digests, convert and cache them."""
    pull_defaults(names, local, offline)
    say("all models are in place")


@app.command("list")
def show() -> None:
    """The models of the manifest: role, licence, default or not."""
    table = Table("name", "role", "licence", "commercial use", "default")
    for name, row in pulling.list_models().items():
        table.add_row(
            name,
            row.role,
            row.licence,
            "yes" if row.commercial_use else "no",
            "yes" if row.default else "",
        )
    console.print(table)


@app.command("check")
def check() -> None:
    """Check the digests of the cached models; exit status 1 where a default is missing or wrong."""
    rows = pulling.check(model_settings(load_settings()).cache)
    table = Table("name", "state", "digest")
    for row in rows:
        table.add_row(row.name, row.state, (row.sha256 or "")[:16])
    console.print(table)
    bad = [row.name for row in rows if row.default and row.state != "ok"]
    if bad:
        raise ModelUnavailable(f"missing or wrong: {', '.join(bad)}; run: encounter models pull")


@app.command("export-osnet")
def export(
    checkpoint: Annotated[
        Path, typer.Argument(help="A torchreid checkpoint of an OSNet (.pth, .pth.tar).")
    ],
    out: Annotated[
        Path | None, typer.Argument(help="The ONNX file; default: where osnet-x0-25 is looked for.")
    ] = None,
) -> None:
    """Write a torchreid OSNet checkpoint as ONNX, for models.appearance. Needs torch and
    torchreid.
    """
    folder = model_settings(load_settings()).cache.expanduser() / PACKS
    name, path = export_osnet(checkpoint.expanduser(), out, folder)
    say(
        f"{name} is in {path}; a licence of its weights that forbids commercial use holds for this "
        "file too"
    )
