"""What a calibration covers, and the picture to check it by eye."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from shapely.geometry import Polygon

from data_contracts.camera import Camera
from tasks.calibration.calibrate import CameraCalibration, Fit
from tasks.ground.projection import Projection

Array = NDArray[np.float64]

# Floor where the calibration's own doubt is larger is not suggested as coverage. An assumption: a
# fifth of 1.5 m.
COVERAGE_SD_M = 0.3
# A person whose head is seen at this height counts as seen (as in demo/cameras.geojson).
_NEAR_HEIGHT_M = 1.5
_POLE_M = 1.7
_MAX_LINES = 120
# BGR.
_GRID = (0, 200, 255)
_HORIZON = (255, 120, 0)
_CLICKED = (0, 0, 255)
_FITTED = (0, 220, 0)
_OFF = (255, 0, 255)


def coverage(fit: Fit, camera: Camera) -> tuple[tuple[float, float], ...]:
    """Corners (m) of the floor that the picture shows and the points fix to COVERAGE_SD_M; empty
    where there is none.

    Walls are not known: cut it by hand where one stands. `camera` has the new homography.
    """
    across = np.linspace(0.5, camera.image_width - 0.5, 25)
    down = np.linspace(camera.image_height - 0.5, 0.5, 120)
    px = np.stack(np.meshgrid(across, down, indexing="ij"), -1)
    place = fit.ground(px.reshape(-1, 2))
    sd = fit.ground_sd(px.reshape(-1, 2))
    good = (np.isfinite(place).all(1) & (np.nan_to_num(sd, nan=np.inf) < COVERAGE_SD_M)).reshape(
        px.shape[:2]
    )
    place = place.reshape(px.shape)
    near = []
    far = []
    for i in range(len(across)):
        rows = np.flatnonzero(good[i])
        if len(rows):
            near.append(place[i, rows[0]])
            far.append(place[i, rows[-1]])
    view = Projection(camera)
    heads = view.at_height(view.undistort(px[:, 0]), _NEAR_HEIGHT_M)
    if good[:, 0].all() and np.isfinite(heads).all():
        near = list(heads)
    if len(near) < 2:
        return ()
    shape = Polygon([*near, *far[::-1]]).buffer(0)
    parts = list(getattr(shape, "geoms", [shape]))
    outline = max(parts, key=lambda p: p.area).simplify(0.1)
    return tuple((round(float(x), 2), round(float(y), 2)) for x, y in outline.exterior.coords)


def draw(image: NDArray[np.uint8], found: CameraCalibration, camera: Camera) -> NDArray[np.uint8]:
    """`image` with a 1 m grid (5 m lines thicker, with their metres), the horizon, clicked and
    fitted points, and poles of 1.7 m. `camera` has the new homography.
    """
    out = image.copy()
    width = max(1, round(image.shape[1] / 1000))
    view = Projection(camera)
    _grid(out, found.fit, camera, width)
    _horizon(out, found.fit, width)
    fitted = found.fit.pixels(found.clicks.m)
    if view.vertical is not None:
        tops = found.fit.lens.bend(view.pixels(found.clicks.m, _POLE_M))
        for foot, top in zip(fitted, tops, strict=True):
            _line(out, np.array([foot, top]), (255, 255, 255), width)
    for i, (clicked, at) in enumerate(zip(found.clicks.px, fitted, strict=True)):
        colour = _OFF if i == found.off else _CLICKED
        cv2.drawMarker(out, _pixel(clicked), colour, cv2.MARKER_CROSS, 14 * width, 2 * width)
        _text(out, str(i + 1), clicked + np.array([9.0, -9.0]) * width, colour, width)
        if np.isfinite(at).all():
            cv2.circle(out, _pixel(at), 7 * width, _FITTED, width, cv2.LINE_AA)
    return out


def _grid(out: NDArray[np.uint8], fit: Fit, camera: Camera, width: int) -> None:
    """Lines of whole metres over the coverage, or around the points where there is none."""
    corners = np.array(camera.coverage_local_m or fit.clicks.m, float)
    low = np.floor(corners.min(0)).astype(int)
    high = np.ceil(corners.max(0)).astype(int)
    size = high - low
    step = max(1, int(np.ceil(size.max() / _MAX_LINES)))
    for axis in (0, 1):
        along = np.arange(low[1 - axis], high[1 - axis] + 0.01, 0.1)
        for at in range(int(low[axis]), int(high[axis]) + 1, step):
            line = np.empty((len(along), 2))
            line[:, axis], line[:, 1 - axis] = at, along
            px = fit.pixels(line)
            _line(out, px, _GRID, 2 * width if at % 5 == 0 else width)
            if at % 5 == 0:
                _label(out, px, f"{'xy'[axis]} {at} m", width)


def _label(out: NDArray[np.uint8], px: Array, text: str, width: int) -> None:
    inside = (
        np.isfinite(px).all(1) & (px > 20).all(1) & (px < np.array(out.shape[1::-1]) - 60).all(1)
    )
    if inside.any():
        _text(out, text, px[np.flatnonzero(inside)[-1]], _GRID, width)


def _horizon(out: NDArray[np.uint8], fit: Fit, width: int) -> None:
    """Where the floor vanishes: pixels whose ground point is at infinity."""
    a, b, c = np.linalg.inv(fit.to_image)[2]
    if abs(b) < 1e-12:
        return
    x = np.linspace(0, out.shape[1], 60)
    px = fit.lens.bend(np.c_[x, -(a * x + c) / b])
    _line(out, px, _HORIZON, 2 * width)
    inside = np.isfinite(px).all(1) & (px[:, 1] > 20) & (px[:, 1] < out.shape[0])
    if inside.any():
        _text(
            out, "horizon", px[np.flatnonzero(inside)[0]] + np.array([4.0, -6.0]), _HORIZON, width
        )


def _line(out: NDArray[np.uint8], px: Array, colour: tuple[int, int, int], width: int) -> None:
    """A line through the points that are in or near the picture."""
    size = np.array(out.shape[1::-1])
    near = np.asarray(np.isfinite(px).all(1) & (px > -size).all(1) & (px < 2 * size).all(1), bool)
    for i in np.flatnonzero(near[:-1] & near[1:]):
        cv2.line(out, _pixel(px[i]), _pixel(px[i + 1]), colour, width, cv2.LINE_AA)


def _pixel(at: Array) -> tuple[int, int]:
    return round(float(at[0])), round(float(at[1]))


def _text(
    out: NDArray[np.uint8], text: str, at: Array, colour: tuple[int, int, int], width: int
) -> None:
    for ink, thick in (((0, 0, 0), 3 * width), (colour, width)):
        cv2.putText(
            out, text, _pixel(at), cv2.FONT_HERSHEY_SIMPLEX, 0.5 * width, ink, thick, cv2.LINE_AA
        )
