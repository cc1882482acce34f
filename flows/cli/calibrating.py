"""`encounter camera calibrate`: from clicked points to a camera file and a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from data_contracts.camera import Camera, Origin, Site, read_site
from data_contracts.errors import BadInput
from data_contracts.number import read_number
from data_contracts.time import now_utc
from flows.cli.checking import EPOCH
from flows.cli.console import (
    print_json,
    read_file,
    read_text,
    say,
    write_private,
    write_whole,
)
from flows.cli.listing import Column, Listing
from models.interface import Image
from tasks.calibration.calibrate import CameraCalibration, calibrate
from tasks.calibration.camera_file import camera_of, with_camera, without_fitted
from tasks.calibration.clicks import Clicks, read_clicks
from tasks.calibration.picture import draw
from tasks.calibration.result import calibrated_camera, calibration_record, point_rows
from tasks.footage.picture import decode_picture
from tasks.footage.reading import frames
from tasks.footage.segment import fitted

POINTS = Listing(
    "camera calibrate",
    (
        Column("point", "point"),
        Column("px", "px", "{0[0]:.0f}, {0[1]:.0f}".format),
        Column("m", "metres", "{0[0]:.2f}, {0[1]:.2f}".format),
        Column("off"),
        Column("off_px", "off, px", "{:.1f}".format),
        Column("off_m", "off, m", "{:.2f}".format),
        Column("left_out_m", "left out, m", lambda v: "" if np.isnan(v) else f"{v:.2f}"),
        Column("doubt_m", "doubt, m", "{:.2f}".format),
    ),
)


class Given(NamedTuple):
    """What a person gave; see `encounter camera calibrate --help`."""

    points: Path
    camera: str
    out: Path
    picture: Path
    cameras: Path | None
    image: Path | None
    segment: Path | None
    at_s: float
    position: str | None
    height_m: float | None
    origin: str | None
    click_px: float
    measured_m: float


def calibrate_camera(given: Given, as_json: bool) -> None:
    """Fit, show, write. Raises BadInput before anything is written."""
    _check_free(given.picture, given.out, given.cameras)
    text = None if given.cameras is None else read_file(given.cameras)
    site = None if text is None or given.cameras is None else read_site(text, given.cameras.name)
    seen = _clicked_picture(given.image, given.segment, given.at_s)
    old = camera_of(site, given.camera, seen.shape[1], seen.shape[0])
    shown = fitted(seen, old)
    known = old if text is None else without_fitted(old, text)
    stated = _stated_position(given.position, given.height_m, known)
    clicks = _scaled_clicks(given.points, seen, known, given.click_px, given.measured_m)
    found = calibrate(clicks, known, stated)
    new = calibrated_camera(known, found, stated)
    data = with_camera(
        text, _site_origin(given.origin, site), new, calibration_record(found, now_utc())
    )
    _, png = cv2.imencode(".png", draw(shown, found, new))
    if not as_json:
        _show_result(found)
    write_private(given.picture, png.tobytes())
    write_whole(given.out, data)
    if as_json:
        print_json(_result_object(given.camera, found))
        return
    say(
        f"{given.camera} is written to {given.out}; look at {given.picture}, then: encounter "
        "camera check"
    )


def _check_free(picture: Path, out: Path, cameras: Path | None) -> None:
    if picture.exists():
        raise BadInput(f"{picture} exists already: name another file, or remove it first")
    if out.exists() and (cameras is None or out.resolve() != cameras.resolve()):
        raise BadInput(
            f"{out} exists already: give --cameras {out} to change it, or name another file"
        )


def _clicked_picture(image: Path | None, segment: Path | None, at_s: float) -> Image:
    """The clicked picture, (height, width, 3) BGR."""
    if (image is None) == (segment is None):
        raise BadInput(
            "give one of --image and --segment: the picture in which the points were clicked"
        )
    if image is not None:
        return decode_picture(str(image), read_file(image))
    assert segment is not None
    for frame in frames(read_file(segment), EPOCH):
        if (frame.t_utc - EPOCH).total_seconds() >= at_s:
            return frame.image
    raise BadInput(f"{segment}: the recording has no picture at {at_s:g} s")


def _read_numbers(text: str, names: str) -> list[float]:
    try:
        values = [read_number(v) for v in text.split(",")]
    except ValueError:
        values = []
    if len(values) != len(names.split(",")):
        raise BadInput(f"expected {names}, got {text!r}")
    return values


def _stated_position(
    position: str | None, height: float | None, camera: Camera
) -> tuple[float | None, ...]:
    """What is measured of the position: options first, then the file."""
    if position is not None and height is not None:
        raise BadInput("give one of --position and --height")
    if position is not None:
        return tuple(_read_numbers(position, "X,Y,Z in metres"))
    if height is not None:
        if not 0 < height < np.inf:
            raise BadInput(f"--height is above the floor, in metres; got {height:g}")
        return (None, None, height)
    return camera.position_local_m or (None, None, None)


def _site_origin(text: str | None, site: Site | None) -> Origin:
    if site is not None:
        return site.origin
    if text is None:
        raise BadInput(
            "a new camera file needs --origin LON,LAT: where the (0, 0) of your metres lies; 0,0 "
            "where no map matters"
        )
    lon, lat = _read_numbers(text, "LON,LAT in degrees")
    return Origin(lon=lon, lat=lat)


def _scaled_clicks(
    points: Path, seen: Image, camera: Camera, click_px: float, measured_m: float
) -> Clicks:
    """The points in the camera's pixels, which the clicked picture may be smaller or larger
    than.
    """
    height, width = seen.shape[:2]
    clicks = read_clicks(read_text(points), points.name, width, height, click_px, measured_m)
    scale = np.array([camera.image_width / width, camera.image_height / height])
    return Clicks(clicks.px * scale, clicks.m, click_px * float(scale.mean()), measured_m)


def _show_result(found: CameraCalibration) -> None:
    rows = point_rows(found)
    POINTS.table({**row, "point": f"{row['point']}{' off' if row['off'] else ''}"} for row in rows)
    place = found.fit.position()
    if place is not None:
        at, sd = place
        say(
            f"camera at x {at[0]:.2f}, y {at[1]:.2f}, {at[2]:.2f} m high (1 sd: "
            f"{', '.join(f'{v:.2f}' for v in sd)} m)"
        )
    for note in found.notes:
        say(note, "note:")


def _result_object(camera_id: str, found: CameraCalibration) -> dict[str, Any]:
    place = found.fit.position()
    return {
        "camera": camera_id,
        "points": POINTS.records(point_rows(found)),
        "position_m": None if place is None else place[0].tolist(),
        "position_sd_m": None if place is None else place[1].tolist(),
        "notes": list(found.notes),
    }
