"""A camera's page: calibrate it by clicking. The still shows the empty scene and nobody; the fit,
its errors and the grid come while points are set; saving changes this camera alone.
"""

from __future__ import annotations

import base64
from itertools import zip_longest
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from starlette.responses import Response

from data_contracts.camera import Camera, read_site
from data_contracts.errors import BadInput
from data_contracts.number import read_number
from data_contracts.time import now_utc
from flows.cases.camera_footage import heights_seen
from flows.cases.cameras import camera_file, change_cameras, unchanged
from flows.cases.floor_plan import floor_plan
from flows.desk.page import page
from flows.desk.pages.cameras import asked_camera, camera_row
from flows.desk.visit import Visit
from flows.runtime.audit import audit
from tasks.calibration.calibrate import CameraCalibration, calibrate
from tasks.calibration.camera_file import (
    calibration_of,
    camera_digest,
    with_camera,
    without_fitted,
)
from tasks.calibration.clicks import COLUMNS, typed_clicks
from tasks.calibration.empty_scene import GREY
from tasks.calibration.picture import draw
from tasks.calibration.result import (
    calibrated_camera,
    calibration_record,
    left_out_median_m,
    point_rows,
)

PATH = "/cameras/one/{camera_id}"
POSITION = ("position_x_m", "position_y_m", "height_m")
# A form has four fields a point.
MOST_POINTS = 40
_EMPTY_ROWS = 6
_QUALITY = 85


class Fitted(NamedTuple):
    """A calibration that was tried: what was found, and the camera with it."""

    found: CameraCalibration
    camera: Camera


@page("GET", PATH, "keep cameras")
def show_camera(visit: Visit) -> Response:
    """What is known of a camera, and the form to calibrate it."""
    return _shown(visit)


def _shown(visit: Visit, problem: str = "", status: int = 200, **more: object) -> Response:
    camera = asked_camera(visit)
    text = camera_file(visit.env).text or b""
    row = camera_row(visit, camera, calibration_of(text).get(camera.camera_id, {}))
    audit(visit.env, "view", objects=("camera",), cameras=(camera.camera_id,))
    told = {"heights": None, "fit": None, **more}
    return visit.show(
        "camera.html",
        status,
        row=row,
        camera=camera,
        digest=visit.sent("digest") or camera_digest(text, camera.camera_id),
        plan=floor_plan(visit.env),
        points=_rows_of(visit) or [("",) * len(COLUMNS)] * _EMPTY_ROWS,
        stated=_given_position(visit, camera),
        click_px=visit.sent("click_px") or "2",
        measured_m=visit.sent("measured_m") or "0.05",
        most_points=MOST_POINTS,
        problem=problem,
        saved=visit.asked("saved") == "yes",
        **told,
    )


@page("GET", f"{PATH}/still", "keep cameras")
def send_still(visit: Visit) -> Response:
    """The empty scene; nothing (204) where none can be shown without somebody perhaps being in
    it.
    """
    camera = asked_camera(visit)
    audit(visit.env, "view", objects=("empty scene",), cameras=(camera.camera_id,))
    still = visit.desk.stills.of(visit.env, camera)
    if still is None:
        return Response(status_code=204)
    return Response(_jpeg(still), media_type="image/jpeg")


@page("POST", f"{PATH}/fit", "keep cameras")
def try_fit(visit: Visit) -> Response:
    """The part of the page with the errors and the grid, for the points so far."""
    camera = asked_camera(visit)
    try:
        fitted = _fitted(visit, camera_file(visit.env).text or b"", camera.camera_id, so_far=True)
    except BadInput as error:
        return visit.show("camera_fit.html", fit=None, problem=str(error))
    return visit.show("camera_fit.html", problem="", fit=_fit_told(visit, fitted))


@page("POST", f"{PATH}/save", "keep cameras")
def save(visit: Visit) -> Response:
    """Write the calibration into the camera file, as `encounter camera calibrate` and `encounter
    site publish` do, unless somebody else changed this camera since the page was opened.
    """
    camera_id = asked_camera(visit).camera_id

    def change(text: bytes | None) -> bytes:
        present = unchanged(text, camera_id, visit.sent("digest"))
        fitted = _fitted(visit, present, camera_id)
        record = calibration_record(fitted.found, now_utc())
        return with_camera(present, read_site(present).origin, fitted.camera, record)

    try:
        change_cameras(visit.env, change)
    except BadInput as error:
        return _shown(visit, str(error), 400)
    return visit.go(f"{visit.request.url.path.removesuffix('/save')}?saved=yes")


@page("POST", f"{PATH}/heights", "keep cameras")
def check_by_walkers(visit: Visit) -> Response:
    """How tall the people of the newest footage appear by the saved calibration. Numbers alone."""
    camera = asked_camera(visit)
    audit(visit.env, "view", objects=("walkers' heights",), cameras=(camera.camera_id,))
    try:
        return _shown(visit, heights=heights_seen(visit.env, camera))
    except BadInput as error:
        return _shown(visit, str(error), 400)


def _rows_of(visit: Visit) -> list[tuple[str, ...]]:
    """The points as they were sent: px, py, x_m, y_m of each, as texts."""
    columns = [visit.form.get(name, [])[:MOST_POINTS] for name in COLUMNS]
    rows = zip_longest(*columns, fillvalue="")
    return [tuple(text.strip()[:40] for text in row) for row in rows]


def _fitted(visit: Visit, text: bytes, camera_id: str, so_far: bool = False) -> Fitted:
    """The calibration from the points that were sent. `so_far`: the last ones may be unfinished.
    Raises BadInput.
    """
    rows = [row for row in _rows_of(visit) if any(row)]
    while so_far and rows and not all(rows[-1]):
        rows.pop()
    known = without_fitted(read_site(text).by_id[camera_id], text)
    click_px, measured_m = (_number(visit.sent(n), n) for n in ("click_px", "measured_m"))
    clicks = typed_clicks(rows, known.image_width, known.image_height, click_px, measured_m)
    stated = _stated(visit)
    found = calibrate(clicks, known, stated)
    return Fitted(found, calibrated_camera(known, found, stated))


def _stated(visit: Visit) -> tuple[float | None, ...]:
    given = [visit.sent(name).strip() for name in POSITION]
    named = zip(given, POSITION, strict=True)
    stated = tuple(_number(text, name) if text else None for text, name in named)
    if (stated[0] is None) != (stated[1] is None):
        raise BadInput("the camera's x and y belong together: give both or neither")
    return stated


def _number(text: str, name: str) -> float:
    try:
        return read_number(text.strip())
    except ValueError:
        raise BadInput(f"{name}: expected a number, got {text[:40]!r}") from None


def _given_position(visit: Visit, camera: Camera) -> list[str]:
    if visit.request.method == "POST":
        return [visit.sent(name)[:40] for name in POSITION]
    return [f"{v:g}" for v in camera.position_local_m or ()] or ["", "", ""]


def _fit_told(visit: Visit, fitted: Fitted) -> dict[str, object]:
    """What the page says of a fit."""
    found = fitted.found
    still = visit.desk.stills.made(fitted.camera)
    if still is None:
        size = (fitted.camera.image_height, fitted.camera.image_width, 3)
        still = np.full(size, GREY, np.uint8)
    picture = _jpeg(draw(still, found, fitted.camera))
    place = found.fit.position()
    return {
        "rows": point_rows(found),
        "rms_px": float(np.sqrt((found.residual_px**2).sum(1).mean())),
        "rms_m": float(np.sqrt((found.residual_m**2).sum(1).mean())),
        "left_out_m": left_out_median_m(found),
        "place": None if place is None else place[0].tolist(),
        "place_sd": None if place is None else place[1].tolist(),
        "notes": found.notes,
        "picture": base64.b64encode(picture).decode(),
    }


def _jpeg(image: NDArray[np.uint8]) -> bytes:
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return data.tobytes()
