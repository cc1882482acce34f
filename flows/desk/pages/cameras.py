"""The site's cameras: where they stand, whether they are calibrated, what was recorded last, how
far their clocks are off.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from starlette.responses import Response

from data_contracts.camera import Camera
from data_contracts.clock import span_of
from data_contracts.errors import BadInput
from data_contracts.time import now_utc
from flows.cases.cameras import camera_file, last_footage
from flows.desk.page import page
from flows.desk.visit import Visit
from flows.runtime.audit import audit
from flows.runtime.environment import site
from tasks.artefacts.report.floor_plan import draw_cameras
from tasks.calibration.camera_file import calibration_of
from tasks.calibration.record_check import check_record, check_units

PATH = "/cameras"
ON_A_PAGE = 50


class CameraRow(NamedTuple):
    """A camera as the list tells it: `record` of its calibration, what contradicts it (`doubts`),
    when its newest recording begins, and how far its clock is ahead (s; None: taken to be right).
    """

    camera: Camera
    record: dict[str, Any]
    doubts: tuple[str, ...]
    last_utc: datetime | None
    ahead_s: float | None


@page("GET", PATH, "keep cameras")
def list_cameras(visit: Visit) -> Response:
    """All cameras of the site: fifty at once, those whose name has what was asked for."""
    text = camera_file(visit.env).text
    if text is None:
        return visit.show("cameras.html", rows=(), plan="", found=0, total=0, wanted="", first=0)
    all_cameras = site(visit.env)
    wanted = visit.asked("camera").strip()[:100]
    named = [c for c in all_cameras.cameras if wanted.lower() in f"{c.camera_id} {c.name}".lower()]
    first = _first(visit.asked("from"), len(named))
    shown = named[first : first + ON_A_PAGE]
    audit(visit.env, "view", objects=("cameras",), counts={"cameras": len(shown)})
    records = calibration_of(text)
    return visit.show(
        "cameras.html",
        rows=[camera_row(visit, c, records.get(c.camera_id, {})) for c in shown],
        plan=draw_cameras(shown, visit.text) if shown else "",
        found=len(named),
        total=len(all_cameras.cameras),
        wanted=wanted,
        first=first,
    )


def _first(asked: str, among: int) -> int:
    number = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 7 else 0
    return number if number < among else 0


def camera_row(visit: Visit, camera: Camera, record: dict[str, Any]) -> CameraRow:
    """What is known of a camera."""
    ahead_s = span_of(camera.clock, now_utc()).ahead_s if camera.clock else None
    doubts = (*check_units(camera), *check_record(camera))
    return CameraRow(camera, record, doubts, last_footage(visit.env, camera), ahead_s)


def asked_camera(visit: Visit) -> Camera:
    """The camera of the page's address. Raises BadInput where the site has none of that name."""
    camera_id = visit.request.path_params["camera_id"]
    found = site(visit.env).by_id.get(camera_id)
    if found is None:
        raise BadInput(f"no camera {camera_id[:60]!r} on this site: see the list of cameras")
    return found
