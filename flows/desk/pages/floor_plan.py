"""The site's floor plan, on which cameras are calibrated: a picture and two places on it whose
metres are known.
"""

from __future__ import annotations

import base64
import binascii

from starlette.responses import Response

from data_contracts.errors import BadInput, NotFound
from data_contracts.floor_plan import placed
from data_contracts.number import read_number
from flows.cases.floor_plan import floor_plan, plan_of, publish_floor_plan
from flows.desk.page import page
from flows.desk.visit import Visit

PATH = "/cameras/plan"
# A picture of 11 MB in base64, percent-encoded.
FORM_BYTES = 16 * 2**20
PLACES = ("u1", "v1", "x1", "y1", "u2", "v2", "x2", "y2")


@page("GET", PATH, "keep cameras")
def show_plan(visit: Visit) -> Response:
    """The plan that is in use, and the form for another."""
    return _shown(visit)


def _shown(visit: Visit, problem: str = "") -> Response:
    try:
        plan = floor_plan(visit.env)
    except BadInput as error:
        plan, problem = None, problem or str(error)
    given = {name: visit.sent(name)[:20] for name in PLACES}
    status = 400 if problem else 200
    return visit.show("floor_plan.html", status, plan=plan, problem=problem, given=given)


@page("GET", f"{PATH}/picture", "keep cameras")
def send_plan(visit: Visit) -> Response:
    """The plan's picture."""
    plan = floor_plan(visit.env)
    if plan is None:
        raise NotFound("this site has no floor plan")
    return Response(base64.b64decode(plan.png), media_type="image/png")


@page("POST", PATH, "keep cameras", form_bytes=FORM_BYTES)
def give_plan(visit: Visit) -> Response:
    """Put another plan into use."""
    try:
        u1, v1, x1, y1, u2, v2, x2, y2 = (_number(visit, name) for name in PLACES)
        picture = base64.b64decode(visit.sent("picture"), validate=True)
        place = placed((u1, v1), (x1, y1), (u2, v2), (x2, y2))
        publish_floor_plan(visit.env, plan_of(picture, place))
    except binascii.Error:
        return _shown(visit, visit.text("Choose a picture."))
    except BadInput as error:
        return _shown(visit, str(error))
    return visit.go(PATH)


def _number(visit: Visit, name: str) -> float:
    try:
        return read_number(visit.sent(name).strip())
    except ValueError:
        raise BadInput(f"{name}: expected a number, got {visit.sent(name)[:20]!r}") from None
