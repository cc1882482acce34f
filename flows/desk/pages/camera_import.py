"""Many cameras at once: what an import would do is listed first, and done when somebody says so."""

from __future__ import annotations

from starlette.responses import Response

from data_contracts.camera import Origin
from data_contracts.errors import BadInput
from data_contracts.number import read_number
from flows.cases.cameras import CameraFile, camera_file, change_cameras, checked_site
from flows.desk.page import page
from flows.desk.pages.cameras import PATH as CAMERAS
from flows.desk.visit import Visit
from tasks.calibration.camera_import import KNOWN, CameraImport, read_import

PATH = f"{CAMERAS}/import"
# Some three thousand calibrated cameras; more are published by the command.
FORM_BYTES = 12 * 2**20


@page("GET", PATH, "keep cameras")
def ask_for_cameras(visit: Visit) -> Response:
    """The form."""
    return _shown(visit, camera_file(visit.env))


@page("POST", PATH, "keep cameras", form_bytes=FORM_BYTES)
def import_cameras(visit: Visit) -> Response:
    """List what was understood; with `confirmed`, the digest of the camera file for which it was
    listed, do it where that is still the one.
    """
    present = camera_file(visit.env)
    found = _understood(visit, present.text)
    confirmed = visit.sent("confirmed")
    if not confirmed or found.data is None:
        return _shown(visit, present, found)
    if confirmed != _mark(present):
        return _shown(visit, present, found, visit.text("The cameras changed: look again."))

    def change(text: bytes | None) -> bytes:
        changed = _understood(visit, text)
        if changed != found or changed.data is None:
            raise BadInput("somebody else changed the cameras meanwhile: look again")
        return changed.data

    change_cameras(visit.env, change)
    return visit.go(CAMERAS)


def _mark(present: CameraFile) -> str:
    return present.digest or "none"


def _understood(visit: Visit, present: bytes | None) -> CameraImport:
    try:
        found = read_import(visit.sent("cameras"), present, _origin(visit))
        if found.data is not None:
            checked_site(found.data)
    except BadInput as error:
        return CameraImport((), (str(error),), (), None)
    return found


def _origin(visit: Visit) -> Origin | None:
    lon, lat = visit.sent("lon").strip(), visit.sent("lat").strip()
    if not lon and not lat:
        return None
    try:
        return Origin(lon=read_number(lon), lat=read_number(lat))
    except ValueError:
        raise BadInput("longitude and latitude: expected degrees, such as 126.9 and 37.5") from None


def _shown(
    visit: Visit, present: CameraFile, found: CameraImport | None = None, problem: str = ""
) -> Response:
    return visit.show(
        "camera_import.html",
        400 if problem or (found and found.faults) else 200,
        found=found,
        problem=problem,
        given=visit.sent("cameras"),
        lon=visit.sent("lon"),
        lat=visit.sent("lat"),
        mark=_mark(present),
        fresh=present.text is None,
        known=KNOWN,
    )
