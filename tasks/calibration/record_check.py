"""What a camera's record says of itself: is the stated position where its homography sees it?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data_contracts.camera import Camera
from tasks.ground.position import BODY_HEIGHT_M, BODY_HEIGHT_SD_M
from tasks.ground.projection import Projection, centre_of

Array = NDArray[np.float64]
# How well a camera's position or height is measured, m: a tape to a camera under a ceiling. An
# assumption.
POSITION_SD_M = 0.1
# What no camera does whose file is in metres and pixels: see `check_units`. Chosen.
_HIGHEST_M = 30.0
_WIDEST_M = 100.0
_WIDEST_PIXEL_M = 0.5


def position_of(camera: Camera) -> Array | None:
    """Where the homography and the lens, without the stated position, see the camera: (3,) m; None
    where they do not tell.
    """
    view = Projection(Camera(**{**camera.model_dump(), "position_local_m": None}))
    return None if view.vertical is None else centre_of(view.to_image, view.vertical)


def check_units(camera: Camera) -> tuple[str, ...]:
    """Warnings where the ground is not in metres or the picture not in pixels.

    Cameras that see people's faces hang below 30 m and see less than 100 m along the lower edge of
    their picture. One pixel is half a metre wide only where the floor is 500 m away.
    """
    if camera.homography is None:
        return ()
    width = camera.image_width
    height = camera.image_height
    edge_m = _apart_m(camera, (0, height), (width, height))
    pixel_m = _apart_m(camera, (0, 1), (1, 1))
    place = camera.position_local_m or position_of(camera)
    if edge_m > _WIDEST_M or (place is not None and place[2] > _HIGHEST_M):
        hangs = "" if place is None else f"the camera hangs {place[2]:.0f} m high and "
        return (
            f"metres: {hangs}sees {edge_m:.0f} m of floor along the lower edge of its picture: is "
            "the file in centimetres? it must be in metres",
        )
    if _WIDEST_PIXEL_M < pixel_m < _WIDEST_M:
        return (
            f"pixels: one pixel is {pixel_m:.1f} m of floor: does the homography count pixels from "
            f"0 to 1? they must be those of the picture, {width} x {height}",
        )
    return ()


def _apart_m(camera: Camera, a_px: tuple[float, float], b_px: tuple[float, float]) -> float:
    """How far apart two places of the picture are on the ground."""
    seen = np.array([(*a_px, 1.0), (*b_px, 1.0)]) @ np.asarray(camera.homography).T
    ground = seen[:, :2] / seen[:, 2:]
    return float(np.linalg.norm(ground[1] - ground[0]))


def check_record(camera: Camera) -> tuple[str, ...]:
    """Warnings where the ground is mirrored or the stated position is not where the homography sees
    the camera.

    More than three deviations of a measured position (POSITION_SD_M), and more than twice what a
    body height is unsure by.
    """
    if camera.homography is None:
        return ()
    if np.linalg.det(Projection(camera).to_image) > 0:
        return (
            "mirror: the homography sees the floor from below; x is east and y north, as seen from "
            "above",
        )
    stated = camera.position_local_m
    seen = position_of(camera)
    if stated is None:
        return ()
    said = ", ".join(f"{v:.2f}" for v in stated)
    if seen is None:
        return (f"position: the homography fits no plain camera, at ({said}) m or elsewhere",)
    apart = float(np.linalg.norm(seen - stated))
    if apart <= max(3 * POSITION_SD_M, 2 * BODY_HEIGHT_SD_M / BODY_HEIGHT_M * stated[2]):
        return ()
    return (
        f"position: the file says ({said}) m, the homography sees the camera at "
        f"({', '.join(f'{v:.2f}' for v in seen)}) m:"
        f" its height there is {seen[2] / stated[2]:.0%} of the stated one; one of the two is "
        "wrong",
    )
