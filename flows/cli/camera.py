"""`encounter camera`: calibrate a camera from clicked points, and check calibrations."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import pandas as pd
import typer
from rich.progress import track as progress
from rich.table import Table

from data_contracts.camera import Camera, Origin, Site, read_site
from data_contracts.errors import BadInput
from data_contracts.tables.contracts import DETECTIONS
from data_contracts.time import CLOCK_HZ, now_utc
from flows.cli.console import console, read_file, read_text, say, write_private, write_whole
from flows.runtime.environment import model_settings
from infra.settings import load_settings
from models.interface import Image, PersonDetector
from models.registry import load_person
from tasks.calibration.calibrate import CameraCalibration, calibrate
from tasks.calibration.camera_file import camera_of, with_camera, without_fitted
from tasks.calibration.check import HeightCheck, check_heights, check_record, walkers
from tasks.calibration.clicks import Clicks, read_clicks
from tasks.calibration.picture import coverage, draw
from tasks.footage.picture import decode_picture
from tasks.footage.segment import fitted
from tasks.footage.video import frames, probe, sampling_interval
from tasks.observe.follow import detect_people

app = typer.Typer(
    help="Cameras: calibrate from clicked points, check calibrations.", no_args_is_help=True
)
# Decoded frames need a time; that of a file outside the store does not matter.
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
# Files apart in time, so that nobody is followed from one to the next.
_APART = timedelta(days=1)
_CHECK_FPS = CLOCK_HZ


@app.command("calibrate")
def calibrate_camera(
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
) -> None:
    """Fit a camera's homography to clicked points and write it to a camera file, with a picture to
    check by eye.
    """
    _free(picture, out, cameras)
    text = None if cameras is None else read_file(cameras)
    site = None if text is None or cameras is None else read_site(text, cameras.name)
    seen = _picture(image, segment, at)
    old = camera_of(site, camera, seen.shape[1], seen.shape[0])
    shown = fitted(seen, old)
    known = old if text is None else without_fitted(old, text)
    stated = _stated(position, height, known)
    clicks = _scaled(points, seen, known, click_px, measured_m)
    found = calibrate(clicks, known, stated)
    new = _calibrated(known, found, stated)
    data = with_camera(text, _origin(origin, site), new, _record(found))
    _, png = cv2.imencode(".png", draw(shown, found, new))
    _show(found)
    write_private(picture, png.tobytes())
    write_whole(out, data)
    say(f"{camera} is written to {out}; look at {picture}, then: encounter camera check")


def _free(picture: Path, out: Path, cameras: Path | None) -> None:
    if picture.exists():
        raise BadInput(f"{picture} exists already: name another file, or remove it first")
    if out.exists() and (cameras is None or out.resolve() != cameras.resolve()):
        raise BadInput(
            f"{out} exists already: give --cameras {out} to change it, or name another file"
        )


def _picture(image: Path | None, segment: Path | None, at_s: float) -> Image:
    """The clicked picture, (height, width, 3) BGR."""
    if (image is None) == (segment is None):
        raise BadInput(
            "give one of --image and --segment: the picture in which the points were clicked"
        )
    if image is not None:
        return decode_picture(str(image), read_file(image))
    assert segment is not None
    for frame in frames(read_file(segment), _EPOCH):
        if (frame.t_utc - _EPOCH).total_seconds() >= at_s:
            return frame.image
    raise BadInput(f"{segment}: the recording has no picture at {at_s:g} s")


def _numbers(text: str, names: str) -> list[float]:
    try:
        values = [float(v) for v in text.split(",")]
    except ValueError:
        values = []
    if len(values) != len(names.split(",")) or not np.isfinite(values).all():
        raise BadInput(f"expected {names}, got {text!r}")
    return values


def _stated(position: str | None, height: float | None, camera: Camera) -> tuple[float | None, ...]:
    """What is measured of the position: options first, then the file."""
    if position is not None and height is not None:
        raise BadInput("give one of --position and --height")
    if position is not None:
        return tuple(_numbers(position, "X,Y,Z in metres"))
    if height is not None:
        if not 0 < height < np.inf:
            raise BadInput(f"--height is above the floor, in metres; got {height:g}")
        return (None, None, height)
    return camera.position_local_m or (None, None, None)


def _origin(text: str | None, site: Site | None) -> Origin:
    if site is not None:
        return site.origin
    if text is None:
        raise BadInput(
            "a new camera file needs --origin LON,LAT: where the (0, 0) of your metres lies; 0,0 "
            "where no map matters"
        )
    lon, lat = _numbers(text, "LON,LAT in degrees")
    return Origin(lon=lon, lat=lat)


def _scaled(
    points: Path, seen: Image, camera: Camera, click_px: float, measured_m: float
) -> Clicks:
    """The points in the camera's pixels, which the clicked picture may be smaller or larger
    than.
    """
    height, width = seen.shape[:2]
    clicks = read_clicks(read_text(points), points.name, width, height, click_px, measured_m)
    scale = np.array([camera.image_width / width, camera.image_height / height])
    return Clicks(clicks.px * scale, clicks.m, click_px * float(scale.mean()), measured_m)


def _calibrated(
    camera: Camera, found: CameraCalibration, stated: tuple[float | None, ...]
) -> Camera:
    lens = found.fit.lens
    changes: dict[str, Any] = {"homography_px_to_local": found.homography}
    if all(v is not None for v in stated):
        changes["position_local_m"] = stated
    if lens is not found.fit.model.lens:
        changes["intrinsics"] = {"fx": lens.focal, "fy": lens.focal, "cx": lens.cx, "cy": lens.cy}
        changes["distortion"] = lens.distortion
    new = Camera(**{**camera.model_dump(), **changes})
    if not new.coverage_local_m:
        new = Camera(**{**new.model_dump(), "coverage_local_m": coverage(found.fit, new)})
    return new


def _record(found: CameraCalibration) -> dict[str, Any]:
    """What the camera file says of its calibration."""
    bent = found.fit.lens is not found.fit.model.lens
    used = np.arange(len(found.clicks)) != (-1 if found.off is None else found.off)
    return {
        "at_utc": now_utc().isoformat(timespec="seconds"),
        "points": int(used.sum()),
        "rms_px": round(float(np.sqrt((found.residual_px[used] ** 2).sum(1).mean())), 2),
        "rms_m": round(float(np.sqrt((found.residual_m[used] ** 2).sum(1).mean())), 3),
        "fitted": ["intrinsics", "distortion"] if bent else [],
    }


def _show(found: CameraCalibration) -> None:
    table = Table("point", "px", "metres", "off, px", "off, m", "left out, m", "doubt, m")
    doubt = found.fit.ground_sd(found.clicks.px)
    for i in range(len(found.clicks)):
        left = found.left_out_m[i]
        table.add_row(
            f"{i + 1}{' off' if i == found.off else ''}",
            "{:.0f}, {:.0f}".format(*found.clicks.px[i]),
            "{:.2f}, {:.2f}".format(*found.clicks.m[i]),
            f"{np.linalg.norm(found.residual_px[i]):.1f}",
            f"{np.linalg.norm(found.residual_m[i]):.2f}",
            "" if np.isnan(left) else f"{left:.2f}",
            f"{doubt[i]:.2f}",
        )
    console.print(table)
    place = found.fit.position()
    if place is not None:
        at, sd = place
        say(
            f"camera at x {at[0]:.2f}, y {at[1]:.2f}, {at[2]:.2f} m high (1 sd: "
            f"{', '.join(f'{v:.2f}' for v in sd)} m)"
        )
    for note in found.notes:
        say(f"[yellow]note:[/] {note}")


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
    site = read_site(read_file(cameras), cameras.name)
    chosen = [site.by_id[camera]] if camera in site.by_id else list(site.cameras)
    if camera is not None and camera not in site.by_id:
        raise BadInput(f"{cameras}: no camera {camera}; it has {', '.join(sorted(site.by_id))}")
    if footage and camera is None:
        raise BadInput("give --camera: whose footage this is")
    warnings = [f"{c.camera_id}: {text}" for c in chosen for text in check_record(c)]
    warnings += [
        f"{c.camera_id}: places no one, {c.calibration_fault or 'not calibrated'}"
        for c in chosen
        if c.homography is None
    ]
    if footage:
        found = _heights(footage, chosen[0], person_height)
        warnings += [f"{camera}: {text}" for text in found.warnings]
    for text in warnings:
        say(f"[yellow]warning:[/] {text}")
    if warnings:
        raise typer.Exit(1)
    say(f"{len(chosen)} cameras checked, no warning")


def _heights(footage: list[Path], camera: Camera, person_height: float | None) -> HeightCheck:
    detector = load_person(model_settings(load_settings()))
    tables = [
        _people(path, camera, detector, _EPOCH + i * _APART) for i, path in enumerate(footage)
    ]
    found = check_heights(
        walkers(pd.concat(tables, ignore_index=True), camera), camera, person_height
    )
    say(
        f"people appear {found.height_m:.2f} m tall (± {found.height_sd_m:.2f} m; {found.tracks} "
        "tracks)"
    )
    for what, change, sd in (
        ("far", found.far_m, found.far_sd_m),
        ("on the right", found.right_m, found.right_sd_m),
    ):
        opposite = {"far": "near", "on the right": "on the left"}[what]
        if np.isnan(change):
            say(f"{what} and {opposite}: nobody walked there, so it cannot be compared")
        else:
            say(f"{what} {change:+.2f} m (± {sd:.2f} m) against {opposite}")
    return found


def _people(path: Path, camera: Camera, detector: PersonDetector, start: datetime) -> pd.DataFrame:
    """DETECTIONS of a recording, without faces and positions."""
    data = read_file(path)
    rows: list[dict[str, Any]] = []
    interval = sampling_interval(probe(data).rate, _CHECK_FPS)
    for frame in progress(
        frames(data, start, interval),
        description=path.name,
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ):
        image = fitted(frame.image, camera)
        rows += detect_people(camera, frame.t_utc, image, detector, None)
    return DETECTIONS.shape(rows)
