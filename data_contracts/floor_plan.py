"""The floor plan, or a picture of a map, on which cameras are calibrated: a picture with its scale,
direction and place on the site's ground plane.
"""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from data_contracts.errors import BadInput
from data_contracts.record import Record

# Longer than this a plan is scaled down.
LONGEST_SIDE_PX = 2400
# Two places nearer than this fix no scale.
_APART_PX = 20.0
_APART_M = 0.5


class FloorPlan(Record):
    """A picture (PNG, base64) whose pixel (u right, v down) lies at `x = a u + b v + x0`,
    `y = b u - a v + y0` metres: turned, scaled and moved, never mirrored nor bent.
    """

    version: Literal[1] = 1
    png: str = Field(max_length=24 * 2**20)
    width_px: int = Field(gt=0, le=LONGEST_SIDE_PX)
    height_px: int = Field(gt=0, le=LONGEST_SIDE_PX)
    a: float
    b: float
    x0: float
    y0: float

    @property
    def metres_a_pixel(self) -> float:
        """Its scale."""
        return math.hypot(self.a, self.b)

    @property
    def turned_deg(self) -> float:
        """By how many degrees its right side is turned from east to north."""
        return math.degrees(math.atan2(self.b, self.a))


def placed(
    first_px: tuple[float, float],
    first_m: tuple[float, float],
    second_px: tuple[float, float],
    second_m: tuple[float, float],
) -> tuple[float, float, float, float]:
    """`a`, `b`, `x0`, `y0` of a plan by two places on it whose metres are known. Raises BadInput
    where they are too near each other.
    """
    # Up is +y in metres and -v in the picture: a complex number each.
    w = complex(second_px[0] - first_px[0], first_px[1] - second_px[1])
    z = complex(second_m[0] - first_m[0], second_m[1] - first_m[1])
    if abs(w) < _APART_PX or abs(z) < _APART_M:
        raise BadInput(
            "expected two places far apart on the plan: "
            f"{_APART_PX:g} px and {_APART_M:g} m at least"
        )
    turn = z / w
    a, b = turn.real, turn.imag
    return (
        a,
        b,
        first_m[0] - a * first_px[0] - b * first_px[1],
        first_m[1] - b * first_px[0] + a * first_px[1],
    )
