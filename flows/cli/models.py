"""`encounter models pull | list | check | export-osnet`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from data_contracts.errors import ModelUnavailable
from flows.cli.console import say, working
from flows.cli.listing import Column, Json, Listing
from models.files import pull as pulling

app = typer.Typer(help="Neural models: get, list, check.", no_args_is_help=True)
MODELS = Listing(
    "models list",
    (
        Column("name", "name"),
        Column("role", "role"),
        Column("licence", "licence"),
        Column("commercial_use", "commercial use"),
        Column("default", "default", lambda default: "yes" if default else ""),
    ),
)
CHECKED = Listing(
    "models check",
    (
        Column("name", "name"),
        Column("state", "state"),
        Column("sha256", "digest", lambda digest: (digest or "")[:16]),
        Column("default"),
    ),
)


def pull_defaults(
    names: list[str] | None = None, local: Path | None = None, offline: bool = False
) -> None:
    """Get the models that are not in the cache, with a line of progress. Raises
    ModelUnavailable.
    """
    from infra.settings import load_settings

    cache = load_settings().models.dir
    with working("checking models") as tell:
        pulling.pull(names, cache, local, offline, tell)


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
def show(as_json: Json = False) -> None:
    """The models of the manifest: role, licence, default or not."""
    found = pulling.list_models()
    MODELS.tell((row.model_dump() | {"name": name} for name, row in found.items()), as_json)


@app.command("check")
def check(as_json: Json = False) -> None:
    """Check the digests of the cached models; exit status 1 where a default is missing or wrong."""
    from infra.settings import load_settings

    rows = pulling.check(load_settings().models.dir)
    CHECKED.tell((vars(row) for row in rows), as_json)
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
    from infra.settings import load_settings
    from models.convert.osnet import export_osnet
    from models.registry import PACKS

    folder = load_settings().models.dir.expanduser() / PACKS
    name, path = export_osnet(checkpoint.expanduser(), out, folder)
    say(
        f"{name} is in {path}; a licence of its weights that forbids commercial use holds for this "
        "file too"
    )
