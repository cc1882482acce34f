"""The site's floor plan: kept in the site bucket as one object, picture and scale together."""

from __future__ import annotations

import base64

import cv2
from pydantic import ValidationError

from data_contracts import object_key
from data_contracts.errors import BadInput, NotFound
from data_contracts.floor_plan import LONGEST_SIDE_PX, FloorPlan
from flows.cases.site_files import publish_site_file
from flows.runtime.environment import Environment
from tasks.footage.picture import decode_picture

_MOST_BYTES = 32 * 2**20

Placed = tuple[float, float, float, float]


def floor_plan(env: Environment) -> FloorPlan | None:
    """The plan; None where the site has none. Raises BadInput where it cannot be read."""
    try:
        data = env.store.get(object_key.SITE, object_key.FLOOR_PLAN, at_most=_MOST_BYTES)
    except NotFound:
        return None
    try:
        return FloorPlan.model_validate_json(data)
    except ValidationError:
        raise BadInput("the site's floor plan cannot be read: give it anew") from None


def plan_of(picture: bytes, place: Placed) -> FloorPlan:
    """A plan from a picture of a file (PNG or JPEG), drawn anew without what else the file holds,
    and `a`, `b`, `x0`, `y0` of the picture as it is in the file. Raises BadInput.
    """
    image = decode_picture("floor plan", picture)
    height, width = image.shape[:2]
    shrink = min(1.0, LONGEST_SIDE_PX / max(width, height))
    if shrink < 1:
        size = max(1, round(width * shrink)), max(1, round(height * shrink))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    _, png = cv2.imencode(".png", image)
    a, b, x0, y0 = place
    try:
        return FloorPlan(
            png=base64.b64encode(png.tobytes()).decode(),
            width_px=image.shape[1],
            height_px=image.shape[0],
            a=a / shrink,
            b=b / shrink,
            x0=x0,
            y0=y0,
        )
    except ValidationError:
        raise BadInput("the floor plan is too large: send a smaller picture") from None


def publish_floor_plan(env: Environment, plan: FloorPlan) -> None:
    """Put a plan into use, after the audit log has who did it."""
    data = plan.model_dump_json().encode()
    publish_site_file(env, object_key.FLOOR_PLAN, data, "application/json")
