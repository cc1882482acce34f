"""`encounter ingest`: load a footage folder into the object store."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from data_contracts import object_key
from data_contracts.errors import BadInput, VideoUnreadable
from flows.cli.console import counted, print_table, say, warn, write_whole
from flows.runtime.environment import Environment, environment, site
from infra.footage import listed_file, read_table, table_bytes
from infra.settings import FootageSettings
from tasks.footage.ingest import IngestPlan, Naming, Recording, nfc, plan_ingest
from tasks.footage.overview import CameraSpan, Measured, overview
from tasks.footage.recorders import recorders
from tasks.footage.video import probe

# So many holes of a camera are named; all are counted.
_NAMED_HOLES = 3
_MINUTE_S = 60.0
_TIME = "%Y-%m-%d %H:%M:%S"


class RepeatedHour(StrEnum):
    """Which of the two hours a name means in the night in which clocks go back."""

    FIRST = "first"
    SECOND = "second"


class Loaded(NamedTuple):
    """How many recordings were uploaded, and how many were there."""

    new: int
    old: int


def load_folder(folder: Path, naming: Naming | None = None) -> Loaded:
    """Upload the recordings of a folder that are not there yet, byte for byte. An upload that was
    interrupted goes on where it was.
    """
    env = environment()
    return _load(env, _planned(folder, naming or _naming(env)))


def _planned(folder: Path, naming: Naming) -> IngestPlan:
    plan = plan_ingest(folder, naming)
    for problem in plan.problems:
        say(problem, "left out:")
    for unknown in plan.unknown:
        warn("warning:", unknown)
    if not plan.files:
        raise BadInput(
            f"{folder}: no recordings named <camera>/<YYYY-MM-DD>/<HH>/<MM.SS>.mp4, or as a known "
            "recorder names them, were found: docs/footage.md lists them"
        )
    return plan


def _load(env: Environment, plan: IngestPlan) -> Loaded:
    new = 0
    for file in counted(plan.files, "loading footage"):
        if env.store.holds(object_key.FOOTAGE, file.key, file.path):
            continue
        env.store.put_file(
            object_key.FOOTAGE, file.key, file.path, file.media_type, with_digest=True
        )
        new += 1
    return Loaded(new, len(plan.files) - new)


def _naming(env: Environment, chosen: FootageSettings | None = None) -> Naming:
    """How names are read: by the settings, with the cameras and zones of the published site."""
    chosen = chosen or env.settings.footage
    try:
        zones = {camera.camera_id: camera.time_zone for camera in site(env).cameras}
    except BadInput:  # not published yet
        zones = {}
    return Naming(
        known=recorders(chosen.recorder, chosen.pattern),
        zone=chosen.zone,
        cameras={nfc(name): nfc(camera_id) for name, camera_id in chosen.cameras.items()},
        zones=zones,
    )


def _measured(file: Recording) -> Measured:
    """How long a file lasts by its header; one that cannot be read lasts 0 s."""
    try:
        with file.path.open("rb", buffering=0) as stream:
            info = probe(stream)
    except VideoUnreadable:
        return Measured(file.camera_id, file.start_utc, 0.0)
    return Measured(file.camera_id, file.start_utc, info.duration_s, info.made_utc)


def _tell(files: Sequence[Recording]) -> None:
    """What was understood, a row a camera, and what is odd."""
    spans = overview([_measured(file) for file in counted(files, "reading headers")])
    print_table(
        ("camera", "files", "from (UTC)", "until", "minutes", "holes", "twice (s)"),
        [
            (
                span.camera_id,
                str(span.files),
                f"{span.start_utc:{_TIME}}",
                f"{span.end_utc:{_TIME}}",
                f"{span.recorded_s / _MINUTE_S:.1f}",
                str(len(span.holes)),
                f"{span.overlap_s:.0f}",
            )
            for span in spans
        ],
    )
    for name in sorted({file.recorder for file in files}):
        say(f"{sum(file.recorder == name for file in files)} files named as by {name}")
    for span in spans:
        _tell_odd(span)


def _tell_odd(span: CameraSpan) -> None:
    if span.unreadable:
        say(f"{span.camera_id}: {span.unreadable} files cannot be read and will be gaps", "note:")
    longest = sorted(span.holes, key=lambda hole: -hole.seconds)[:_NAMED_HOLES]
    for hole in sorted(longest):
        say(
            f"{span.camera_id}: nothing for {hole.seconds:.0f} s from {hole.start_utc:{_TIME}} UTC",
            "note:",
        )
    if span.clock:
        say(f"{span.camera_id}: {span.clock}", "note:")


def _pairs(given: Sequence[str]) -> dict[str, str]:
    """NAME=ID as a mapping. Raises BadInput."""
    pairs = [text.rpartition("=") for text in given]
    for (name, _, camera_id), text in zip(pairs, given, strict=True):
        if not name or not camera_id:
            raise BadInput(f"--camera {text}: expected NAME=ID, such as ch01=entrance")
    return {name: camera_id for name, _, camera_id in pairs}


app = typer.Typer()


@app.command("ingest")
def ingest(
    folder: Annotated[Path, typer.Argument(help="Folder of recordings.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what was understood; load nothing.")
    ] = False,
    recorder: Annotated[
        str, typer.Option(help="Take only names of this recorder, such as dahua.")
    ] = "",
    pattern: Annotated[
        str, typer.Option(help="How files are named, such as '{camera}/{date}-{time}'.")
    ] = "",
    zone: Annotated[
        str, typer.Option(help="Zone of local times (Asia/Seoul, +09:00); else each camera's.")
    ] = "",
    repeated_hour: Annotated[
        RepeatedHour | None, typer.Option(help="Which hour is meant where clocks go back.")
    ] = None,
    camera: Annotated[
        list[str] | None, typer.Option(help="NAME=ID: the recorder's name of a camera.")
    ] = None,
    in_place: Annotated[
        Path | None,
        typer.Option(
            help="Load nothing: write this table, by which files are read where they are."
        ),
    ] = None,
) -> None:
    """Load footage into the object store. Files that are there already, byte for byte, are left
    alone; one with other bytes, such as a repaired one, replaces what was there.
    """
    env = environment()
    given = {"recorder": recorder, "pattern": pattern, "zone": zone}
    settings = env.settings.footage
    chosen = settings.model_copy(
        update={
            **{name: value for name, value in given.items() if value},
            "cameras": {**settings.cameras, **_pairs(camera or [])},
        }
    )
    naming = _naming(env, chosen)
    if repeated_hour is not None:
        naming = Naming(
            naming.known, naming.zone, repeated_hour.value, naming.cameras, naming.zones
        )
    plan = _planned(folder, naming)
    _tell(plan.files)
    if dry_run:
        say(f"{len(plan.files)} segments would be loaded, {len(plan.problems)} left out")
        return
    if in_place is not None:
        _list_in_place(folder, plan, in_place)
        return
    new, old = _load(env, plan)
    say(f"{new} segments loaded, {old} were there")


def _list_in_place(folder: Path, plan: IngestPlan, table: Path) -> None:
    """Write the table of files that are read where they are. Of files that it had, and that did not
    change, the SHA-256 is not taken again.
    """
    before = read_table(table)[1] if table.exists() else {}
    rows = [
        listed_file(folder, file.path, file.key, before.get(file.key))
        for file in counted(plan.files, "reading footage")
    ]
    write_whole(table, table_bytes(folder, rows))
    say(f"{table}: {len(rows)} segments; they are read in place with the setting")
    say(f'footage.table = "{table.resolve()}"')
