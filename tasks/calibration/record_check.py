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


def position_of(camera: Camera) -> Array | None:
    """Where the homography and the lens, without the stated position, see the camera: (3,) m; None
    where they do not tell.
    """
    view = Projection(Camera(**{**camera.model_dump(), "position_local_m": None}))
    return None if view.vertical is None else centre_of(view.to_image, view.vertical)


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
