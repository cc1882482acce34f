"""Points clicked in a picture with their measured places: what a camera is calibrated from."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_contracts.errors import BadInput
from data_contracts.number import read_number

Array = NDArray[np.float64]

COLUMNS = ("px", "py", "x_m", "y_m")
# A homography has eight unknowns and each point gives two equations (Hartley & Zisserman, Multiple
# View Geometry, 2nd ed., section 4.1).
LEAST_POINTS = 4
MAX_POINTS = 100
# Points closer than this many standard deviations to a line are on it for all we know.
_ON_LINE_SD = 3.0
# One place entered twice: closer than anyone clicks or measures.
_SAME_PX = 1.0
_SAME_M = 0.01


@dataclass(frozen=True)
class Clicks:
    """`px` (n, 2) in the picture and `m` (n, 2) on the ground, of the same points; how far each may
    be off (1 sd).
    """

    px: Array
    m: Array
    click_sd_px: float = 2.0
    measured_sd_m: float = 0.05

    def __len__(self) -> int:
        return len(self.px)

    def without(self, i: int) -> Clicks:
        """All but point `i`."""
        return self.only(np.arange(len(self)) != i)

    def only(self, keep: NDArray[np.bool_]) -> Clicks:
        """The points where `keep` (n,) is true."""
        return Clicks(self.px[keep], self.m[keep], self.click_sd_px, self.measured_sd_m)


def read_clicks(
    text: str, name: str, width: int, height: int, click_sd_px: float, measured_sd_m: float
) -> Clicks:
    """Read a CSV file with the columns px, py, x_m, y_m (others are ignored) for a picture of
    `width` x `height` px.

    Raises BadInput with the line that is wrong, and where the points cannot fix a plane (see
    `check`).
    """
    reader = csv.DictReader(io.StringIO(text.lstrip("\ufeff")), skipinitialspace=True)
    missing = [c for c in COLUMNS if c not in (reader.fieldnames or [])]
    if missing:
        raise BadInput(
            f"{name}: expected a first line with px,py,x_m,y_m; {', '.join(missing)} is missing"
        )
    rows: list[list[float]] = []
    for row in reader:
        if len(rows) == MAX_POINTS:
            raise BadInput(f"{name}: expected at most {MAX_POINTS} points")
        where = f"{name}, line {reader.line_num}"
        rows.append(_inside(_point_of([row[c] for c in COLUMNS], where), width, height, where))
    return _checked(rows, name, click_sd_px, measured_sd_m)


def typed_clicks(
    points: Sequence[Sequence[str]],
    width: int,
    height: int,
    click_sd_px: float,
    measured_sd_m: float,
) -> Clicks:
    """Points as somebody typed or clicked them: px, py, x_m, y_m of each, as texts. Raises BadInput
    like `read_clicks`, with the number of the point that is wrong.
    """
    if len(points) > MAX_POINTS:
        raise BadInput(f"expected at most {MAX_POINTS} points")
    rows = []
    for number, point in enumerate(points, start=1):
        where = f"point {number}"
        rows.append(_inside(_point_of(point, where), width, height, where))
    return _checked(rows, "points", click_sd_px, measured_sd_m)


def _checked(
    rows: list[list[float]], name: str, click_sd_px: float, measured_sd_m: float
) -> Clicks:
    if not (0 < click_sd_px < math.inf and 0 < measured_sd_m < math.inf):
        raise BadInput("the accuracies of clicks (px) and measurements (m) must be above 0")
    table = np.array(rows, float).reshape(-1, 4)
    clicks = Clicks(table[:, :2], table[:, 2:], click_sd_px, measured_sd_m)
    check(clicks, name)
    return clicks


def _point_of(texts: Sequence[str | None], where: str) -> list[float]:
    """The four numbers of a point. Raises BadInput, with `where` it stands."""
    try:
        return [read_number(text or "") for text in texts]
    except ValueError as error:
        raise BadInput(
            f"{where}: expected four numbers px,py,x_m,y_m, got {list(texts)}"
        ) from error


def _inside(point: list[float], width: int, height: int, where: str) -> list[float]:
    if not (0 <= point[0] <= width and 0 <= point[1] <= height):
        raise BadInput(
            f"{where}: {point[0]:g}, {point[1]:g} px is outside the picture of {width} x {height}"
        )
    return point


def check(clicks: Clicks, name: str = "points") -> None:
    """Raise BadInput where the points cannot fix a plane: too few, one place twice, or all but one
    on a line.
    """
    n = len(clicks)
    if n < LEAST_POINTS:
        raise BadInput(
            f"{name}: expected at least {LEAST_POINTS} points, got {n}; 6 or more can also be "
            "checked"
        )
    for what, at, sd, same in (
        ("px", clicks.px, clicks.click_sd_px, _SAME_PX),
        ("m", clicks.m, clicks.measured_sd_m, _SAME_M),
    ):
        apart = np.linalg.norm(at[:, None] - at[None], axis=2) + np.where(
            np.eye(n, dtype=bool), np.inf, 0.0
        )
        i, j = divmod(int(apart.argmin()), n)
        if apart[i, j] < same:
            raise BadInput(
                f"{name}: points {i + 1} and {j + 1} are the same (in {what}): correct or remove "
                "one of them"
            )
        # Four points in general position exist unless all but one lie on a line.
        for k in range(n):
            if _off_line(np.delete(at, k, 0)) < _ON_LINE_SD * sd:
                which = (
                    "all points" if _off_line(at) < _ON_LINE_SD * sd else f"all points but {k + 1}"
                )
                raise BadInput(
                    f"{name}: {which} lie on one line (in {what}, within {_ON_LINE_SD * sd:g}), "
                    "which fixes no plane:"
                    " measure points spread over the floor, near and far, left and right"
                )


def _off_line(at: Array) -> float:
    """Distance of the farthest point from the line that fits all best."""
    centred = at - at.mean(0)
    normal = np.linalg.svd(centred)[2][-1]
    return float(np.abs(centred @ normal).max())
