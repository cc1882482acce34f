"""Pointing: "this is the subject", by a click on somebody in a clip in which everybody is hidden.
What is checked, and what follows from it, is in `flows.cases.point`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from starlette.responses import Response

from data_contracts.errors import BadInput, NotFound
from flows.cases.evidence import Clip, clips_of_run
from flows.cases.point import point_at
from flows.desk.page import page
from flows.desk.visit import Visit
from flows.runtime.audit import audit
from flows.runtime.open_case import OpenCase, open_case
from flows.runtime.pointings import read_pointings
from flows.stages.publish import load_manifest
from flows.stages.published import choose_run
from tasks.redaction.redact import RedactSettings


class Clicked(NamedTuple):
    """A frame of a clip, from 0, and a pixel in it."""

    frame: int
    x_px: float
    y_px: float


@page("GET", "/cases/{case_id}/point/{name}", "point at subject")
def show_pointing(visit: Visit) -> Response:
    """The clip of a sighting or contact (S-01, C-01), to point in."""
    return _shown(visit)


@page("POST", "/cases/{case_id}/point/{name}", "point at subject")
def point(visit: Visit) -> Response:
    """Store that the subject is who stands there; the page again, with what is wrong where nobody
    does.
    """
    case = open_case(visit.case_id, visit.env)
    clip = _clip(case, visit)
    clicked = _clicked(visit)
    if clicked is None or clip.span is None:
        return _shown(
            visit, visit.text("Click on the person, in the frame where they are seen best.")
        )
    at = clip.span.start_utc + timedelta(seconds=clicked.frame / RedactSettings().clip_fps)
    try:
        point_at(
            visit.env,
            visit.case_id,
            clip.camera_id,
            at,
            (clicked.x_px, clicked.y_px),
            also=bool(visit.sent("also")),
        )
    except BadInput as error:
        return _shown(visit, str(error))
    return visit.go(f"/cases/{visit.case_id}/point/{clip.name}")


def _shown(visit: Visit, problem: str = "") -> Response:
    case = open_case(visit.case_id, visit.env)
    clip = _clip(case, visit)
    audit(visit.env, "view", case=case.authorised, objects=(f"pointing {clip.name}",))
    camera = case.site.by_id.get(clip.camera_id)
    shown = {"clip": clip, "name": clip.camera_id, "width": 0, "height": 0, "start": 0.0}
    if camera is not None:
        shown |= {"name": camera.name or clip.camera_id}
        shown |= {"width": camera.image_width, "height": camera.image_height}
    return visit.show(
        "point.html",
        400 if problem else 200,
        clip=clip,
        run=choose_run(case.vault).run,
        cameras=[{**shown, "boxes": []}],
        fps=RedactSettings().clip_fps,
        allowed="appearance" in case.authorised.scopes and clip.span is not None,
        points=read_pointings(case),
        problem=problem,
    )


def _clip(case: OpenCase, visit: Visit) -> Clip:
    """The clip of the address, in the run that was published last. Raises NotFound."""
    manifest = load_manifest(case.vault, choose_run(case.vault).run)
    found = clips_of_run(case, manifest).get(str(visit.request.path_params["name"]))
    if found is None:
        raise NotFound("the last run has no such clip")
    return found


def _clicked(visit: Visit) -> Clicked | None:
    """What the form says; None where it is not numbers."""
    try:
        return Clicked(int(visit.sent("frame")), float(visit.sent("x")), float(visit.sent("y")))
    except ValueError:
        return None
