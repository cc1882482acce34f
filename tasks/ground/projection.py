"""A camera's map between pixels and horizontal planes, from whatever is known of the camera.

Frames: `px` are image pixels (x right, y down), `m` the site's ground plane. A point (x, y, z) in
metres appears at H (x, y, 1) + z v, with H the inverse of the camera's homography and v the image
of a metre upwards in the same scale.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from data_contracts.camera import Camera

Array = NDArray[np.float64]


class Projection:
    """A camera's map between pixels and horizontal planes.

    From the ground homography alone when nothing else is known. The vertical comes from the
    camera's position (exact), else from its intrinsics, else from square pixels and a centred
    principal point; it is None where none works.
    """

    def __init__(self, camera: Camera) -> None:
        if camera.homography is None:
            raise ValueError(f"camera {camera.camera_id} has no homography")
        self.to_ground = camera.homography / np.linalg.norm(camera.homography)
        self.to_image = np.linalg.inv(self.to_ground)
        centre = self.to_ground @ np.array([camera.image_width / 2, camera.image_height, 1.0])
        foot = centre[:2] / centre[2]
        if (self.to_image @ np.array([*foot, 1.0]))[
            2
        ] < 0:  # points before the camera get a positive depth
            self.to_image = -self.to_image
        self.vertical = _vertical(self.to_image, camera, foot)
        self.camera_xy_m = _camera_xy(self.to_image, self.vertical, camera)
        self._lens = _lens(camera)

    def undistort(self, px: Array) -> Array:
        """(n, 2) pixels without lens distortion."""
        if self._lens is None or not len(px):
            return px
        matrix, coefficients = self._lens
        return cv2.undistortPoints(px.reshape(-1, 1, 2), matrix, coefficients, P=matrix).reshape(
            -1, 2
        )

    def distort(self, px: Array) -> Array:
        """(n, 2) pixels of the picture for undistorted ones: the way back of `undistort`."""
        if self._lens is None or not len(px):
            return px
        matrix, coefficients = self._lens
        rays = np.c_[px, np.ones(len(px))] @ np.linalg.inv(matrix).T
        return cv2.projectPoints(
            rays.reshape(-1, 1, 3), np.zeros(3), np.zeros(3), matrix, coefficients
        )[0].reshape(-1, 2)

    def at_height(self, px: Array, height_m: Array | float) -> Array:
        """(n, 2) ground positions below the points at `height_m` seen in undistorted `px`; NaN
        beyond the horizon.
        """
        height = np.broadcast_to(np.asarray(height_m, float), (len(px),))
        if self.vertical is None and np.any(height != 0):
            return np.full((len(px), 2), np.nan)
        lift = np.zeros(3) if self.vertical is None else self.vertical
        plane = np.repeat(self.to_image[None], len(px), 0).copy()
        plane[:, :, 2] += height[:, None] * lift
        ray = np.linalg.solve(plane, np.c_[px, np.ones(len(px))][..., None])[..., 0]
        return np.where(
            ray[:, 2:] > 1e-12, ray[:, :2] / np.where(ray[:, 2:] > 1e-12, ray[:, 2:], 1.0), np.nan
        )

    def pixels(self, xy_m: Array, height_m: Array | float = 0.0) -> Array:
        """(n, 2) undistorted pixels of points `height_m` above `xy_m` (n, 2); NaN behind the
        camera.
        """
        height = np.broadcast_to(np.asarray(height_m, float), (len(xy_m),))
        lift = np.zeros(3) if self.vertical is None else self.vertical
        h = np.c_[xy_m, np.ones(len(xy_m))] @ self.to_image.T + height[:, None] * lift
        return np.where(
            h[:, 2:] > 1e-12, h[:, :2] / np.where(h[:, 2:] > 1e-12, h[:, 2:], 1.0), np.nan
        )

    def axis_ends(self, boxes_px: Array, margin_px: Array | float = 0.0) -> tuple[Array, Array]:
        """Undistorted foot and head pixels (n, 2) of boxes (n, 4), `margin_px` inside the box.

        The body's axis runs through the box's middle and towards the vertical's vanishing point:
        away from the picture's middle a tilted camera sees people lean, so the feet are not below
        the box's middle.
        """
        middle = (boxes_px[:, :2] + boxes_px[:, 2:]) / 2
        ends = [
            self.undistort(np.c_[middle[:, 0], row])
            for row in (boxes_px[:, 3] - margin_px, boxes_px[:, 1] + margin_px)
        ]
        if self.vertical is not None and abs(self.vertical[2]) > 1e-12:
            vanishing = self.vertical[:2] / self.vertical[2]
            centre = self.undistort(middle)
            lean = (centre[:, 0] - vanishing[0]) / (centre[:, 1] - vanishing[1])
            for end in ends:
                end[:, 0] = centre[:, 0] + lean * (end[:, 1] - centre[:, 1])
        return ends[0], ends[1]

    def height_of(self, xy_m: Array, top_px: Array) -> Array:
        """(n,) height in m above `xy_m` that appears at the row `top_px` (n, 2); NaN without a
        vertical.
        """
        if self.vertical is None:
            return np.full(len(xy_m), np.nan)
        base = np.c_[xy_m, np.ones(len(xy_m))] @ self.to_image.T
        up = self.vertical
        v = top_px[:, 1]
        below = v * up[2] - up[1]
        return np.where(
            np.abs(below) > 1e-12,
            (base[:, 1] - v * base[:, 2]) / np.where(below == 0, 1.0, below),
            np.nan,
        )


def _vertical(to_image: Array, camera: Camera, foot: Array) -> Array | None:
    """The projection's third column: what a metre of height adds, in the homography's scale."""
    if camera.position_local_m is not None and camera.position_local_m[2] > 0.3:
        x, y, z = camera.position_local_m
        return -(to_image @ np.array([x, y, 1.0])) / z
    matrix = _intrinsics(camera)
    if matrix is None:
        cx = camera.image_width / 2
        cy = camera.image_height / 2
        focal = focal_of(to_image, cx, cy)
        # No camera here sees more than 157 or less than 3 degrees.
        if focal is None or not 0.2 * cx < focal < 40 * cx:
            return None
        matrix = np.array([[focal, 0, cx], [0, focal, cy], [0, 0, 1.0]])
    r = np.linalg.solve(matrix, to_image)
    scale = np.sqrt(np.linalg.norm(r[:, 0]) * np.linalg.norm(r[:, 1]))
    column = matrix @ (np.cross(r[:, 0], r[:, 1]) / scale)
    base = to_image @ np.array([*foot, 1.0])
    raised = base + column
    # A head is higher in the picture than the feet: this settles the sign.
    return column if raised[1] / raised[2] < base[1] / base[2] else -column


def focal_of(to_image: Array, cx: float, cy: float, aspect: float = 1.0) -> float | None:
    """Focal length (px) from one plane's homography to the picture, principal point known and no
    skew; None where it does not tell (a plane seen head-on).

    Zhang, PAMI 2000, eq. 3-4, least squares of both.
    """
    g = np.array([[1, 0, -cx], [0, 1 / aspect, -cy / aspect], [0, 0, 1.0]]) @ to_image
    a = g[:, 0]
    b = g[:, 1]
    top = np.array([-(a[0] * b[0] + a[1] * b[1]), b[0] ** 2 + b[1] ** 2 - a[0] ** 2 - a[1] ** 2])
    below = np.array([a[2] * b[2], a[2] ** 2 - b[2] ** 2])
    weight = float(below @ below)
    square = float(top @ below) / weight if weight > 0 else -1.0
    return float(np.sqrt(square)) if square > 0 else None


def _intrinsics(camera: Camera) -> Array | None:
    k = camera.intrinsics
    if not k or "fx" not in k:
        return None
    cx = k.get("cx", camera.image_width / 2)
    cy = k.get("cy", camera.image_height / 2)
    return np.array([[k["fx"], 0, cx], [0, k.get("fy", k["fx"]), cy], [0, 0, 1.0]])


def _lens(camera: Camera) -> tuple[Array, Array] | None:
    matrix = _intrinsics(camera)
    if matrix is None or not any(camera.distortion):
        return None
    return matrix, np.asarray(camera.distortion, float)


def centre_of(to_image: Array, vertical: Array) -> Array | None:
    """The camera's position (3,) m, which is what the projection takes to no pixel; None where it
    is at infinity.
    """
    centre = np.linalg.svd(np.c_[to_image[:, :2], vertical, to_image[:, 2]])[2][-1]
    return centre[:3] / centre[3] if abs(centre[3]) > 1e-12 else None


def _camera_xy(to_image: Array, vertical: Array | None, camera: Camera) -> Array | None:
    """The point below the camera: given, or as the projection has it."""
    if camera.position_local_m is not None:
        return np.asarray(camera.position_local_m[:2], float)
    centre = None if vertical is None else centre_of(to_image, vertical)
    return None if centre is None else centre[:2]
