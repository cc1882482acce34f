"""`encounter camera`: calibrate a camera from clicked points, and check calibrations."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from data_contracts.camera import read_site
from data_contracts.clock import ClockSpan
from data_contracts.errors import BadInput
from data_contracts.record import first_fault
from flows.cli.console import read_file, say, write_whole
from flows.cli.listing import Json

app = typer.Typer(
    help="Cameras: calibrate from clicked points, check calibrations.", no_args_is_help=True
)


@app.command("calibrate")
def calibrate(
    points: Annotated[Path, typer.Option(help="CSV: px,py,x_m,y_m; a row for each point.")],
    camera: Annotated[str, typer.Option(help="The camera's id.")],
    out: Annotated[Path, typer.Option(help="Camera file to write; may be the one of --cameras.")],
    picture: Annotated[
        Path, typer.Option(help="PNG to check by eye; shows the scene, so take an empty one.")
    ],
    cameras: Annotated[
        Path | None, typer.Option(help="Present camera file; all else in it is kept.")
    ] = None,
    image: Annotated[Path | None, typer.Option(help="The picture that was clicked.")] = None,
    segment: Annotated[Path | None, typer.Option(help="Or a recording, with --at.")] = None,
    at: Annotated[float, typer.Option(help="Seconds into the recording.", min=0)] = 0.0,
    position: Annotated[
        str | None, typer.Option(help="Measured x,y,z of the camera in metres.")
    ] = None,
    height: Annotated[
        float | None, typer.Option(help="Or only its measured height above the floor, m.")
    ] = None,
    origin: Annotated[
        str | None, typer.Option(help="lon,lat of the ground's (0, 0); for a new file.")
    ] = None,
    click_px: Annotated[float, typer.Option(help="How exact the clicks are, px (1 sd).")] = 2.0,
    measured_m: Annotated[float, typer.Option(help="How exact the metres are, m (1 sd).")] = 0.05,
    as_json: Json = False,
) -> None:
    """Fit a camera's homography to clicked points and write it to a camera file, with a picture to
    check by eye.
    """
    from flows.cli.calibrating import Given, calibrate_camera

    given = Given(
        points=points,
        camera=camera,
        out=out,
        picture=picture,
        cameras=cameras,
        image=image,
        segment=segment,
        at_s=at,
        position=position,
        height_m=height,
        origin=origin,
        click_px=click_px,
        measured_m=measured_m,
    )
    calibrate_camera(given, as_json)


@app.command("check")
def check(
    cameras: Annotated[Path, typer.Option(help="Camera file.")],
    camera: Annotated[str | None, typer.Option(help="The camera that the footage is of.")] = None,
    person_height: Annotated[
        float | None, typer.Option(help="Height of the only people who walk in it, m.")
    ] = None,
    footage: Annotated[
        list[Path] | None, typer.Argument(help="Recordings of that camera in which people walk.")
    ] = None,
) -> None:
    """Warn of wrong calibrations: what the file says of each camera, and how tall people appear in
    footage.

    No faces are looked at, and nothing about a person is kept. Exit status 1 where there is a
    warning.
    """
    from tasks.calibration.record_check import check_record, check_units

    site = read_site(read_file(cameras), cameras.name)
    chosen = [c for c in site.cameras if camera in (None, c.camera_id)]
    if not chosen:
        raise BadInput(f"{cameras}: no camera {camera}; it has {', '.join(sorted(site.by_id))}")
    if footage and camera is None:
        raise BadInput("give --camera: whose footage this is")
    warnings = [
        f"{c.camera_id}: {text}" for c in chosen for text in (*check_units(c), *check_record(c))
    ]
    warnings += [
        f"{c.camera_id}: places no one, {c.calibration_fault or 'not calibrated'}"
        for c in chosen
        if c.homography is None
    ]
    if footage:
        from flows.cli.checking import check_footage

        found = check_footage(footage, chosen[0], person_height)
        warnings += [f"{camera}: {text}" for text in found.warnings]
    for text in warnings:
        say(text, "warning:")
    if warnings:
        raise typer.Exit(1)
    say(f"{len(chosen)} cameras checked, no warning")


@app.command("clock")
def clock(
    cameras: Annotated[Path, typer.Option(help="Camera file; it is changed in place.")],
    camera: Annotated[str, typer.Option(help="The camera's id.")],
    ahead: Annotated[
        float | None,
        typer.Option(help="Seconds by which its clock is ahead of the true time; below 0: behind."),
    ] = None,
    sd: Annotated[float, typer.Option(help="Deviation of that, s.", min=0)] = 0.0,
    from_: Annotated[
        str | None, typer.Option("--from", help="From when, by its clock (2026-11-16T09:00Z).")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Until when, by its clock.")] = None,
    clear: Annotated[
        bool, typer.Option("--clear", help="Forget what was said of its clock before.")
    ] = False,
    read: Annotated[
        Path | None,
        typer.Option(help="A recording of it: compare the clock in its picture with its name."),
    ] = None,
    begins: Annotated[
        str | None, typer.Option(help="With --read: when the recording begins, not its name.")
    ] = None,
) -> None:
    """Say how far a camera's clock is off, or show what was said. Its files are then looked for,
    and its pictures placed, at the true time, with the deviation in all distances to people whom
    another camera saw.
    """
    from tasks.calibration.camera_file import with_clock, with_span

    text = read_file(cameras)
    known = read_site(text, cameras.name).by_id.get(camera)
    if read is not None:
        from flows.cli.clock_reading import tell_clock

        if known is None:
            raise BadInput(f"{cameras}: no camera {camera}")
        tell_clock(read, cameras, known, _instant(begins))
        return
    spans = list(known.clock) if known is not None and not clear else []
    if ahead is not None:
        try:
            new = ClockSpan(
                ahead_s=ahead, sd_s=sd, from_utc=_instant(from_), until_utc=_instant(until)
            )
        except ValidationError as error:
            raise BadInput(f"clock of {camera}: {first_fault(error)}") from None
        spans = with_span(spans, new)
    changed = with_clock(text, camera, spans)
    if ahead is not None or clear:
        write_whole(cameras, changed)
        say(f"{cameras}: changed; put it into use with: encounter site publish {cameras}")
    for span in spans:
        when = f"from {span.from_utc or 'ever'} until {span.until_utc or 'ever'}"
        say(f"{camera}: ahead by {span.ahead_s:g} s (deviation {span.sd_s:g} s) {when}")
    if not spans:
        say(f"{camera}: its clock is taken to be right")


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise BadInput(f"{text}: expected a time with its offset, such as 2026-11-16T09:00:00Z")
    return at
