"""The two models that clicks are fitted with: a plain camera (pinhole, square pixels) and a free
homography.

Frames: `m` the ground plane, `px` the picture as recorded (with lens distortion), `flat` the
picture without it. Sources: Hartley & Zisserman, Multiple View Geometry, 2nd ed.: normalised DLT,
algorithm 4.2; covariance of a fit, section 5.2. Focal length and pose from a homography: Zhang,
PAMI 2000, section 3.1. Distortion: OpenCV's model.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from data_contracts.camera import Camera
from data_contracts.errors import BadInput
from tasks.calibration.clicks import Clicks

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Lens:
    """Focal length (None: not known) and principal point in px, distortion coefficients in OpenCV's
    order.
    """

    focal: float | None
    cx: float
    cy: float
    distortion: tuple[float, ...] = ()
    aspect: float = 1.0

    @classmethod
    def of(cls, camera: Camera) -> Lens:
        """What a camera's record says of its lens."""
        known = camera.intrinsics or {}
        focal = known.get("fx")
        return cls(
            focal,
            known.get("cx", camera.image_width / 2),
            known.get("cy", camera.image_height / 2),
            camera.distortion if focal and any(camera.distortion) else (),
            known.get("fy", focal) / focal if focal else 1.0,
        )

    def matrix(self, focal: float | None = None) -> Array:
        """The (3, 3) calibration matrix."""
        f = focal or self.focal or 1.0
        return np.array([[f, 0, self.cx], [0, self.aspect * f, self.cy], [0, 0, 1.0]])

    def bend(self, flat: Array) -> Array:
        """(n, 2) pixels as recorded of pixels without distortion."""
        if not any(self.distortion):
            return flat
        k = self.matrix()
        rays = np.c_[(flat - [self.cx, self.cy]) / [k[0, 0], k[1, 1]], np.ones(len(flat))]
        ok = np.isfinite(rays).all(1)
        out = np.full(flat.shape, np.nan)
        if ok.any():
            zero = np.zeros(3)
            out[ok] = cv2.projectPoints(
                rays[ok], zero, zero, k, np.asarray(self.distortion, float)
            )[0].reshape(-1, 2)
        return out

    def flatten(self, px: Array) -> Array:
        """(n, 2) pixels without distortion of pixels as recorded."""
        if not any(self.distortion) or not len(px):
            return px
        k = self.matrix()
        flat = cv2.undistortPoints(px.reshape(-1, 1, 2), k, np.asarray(self.distortion, float), P=k)
        return np.asarray(flat, float).reshape(-1, 2)


def through(matrix: Array, points: Array) -> Array:
    """(n, 2) points through a (3, 3) homography; NaN where the third coordinate is not positive."""
    h = np.c_[points, np.ones(len(points))] @ matrix.T
    ahead = h[:, 2:] > 1e-12
    return np.where(ahead, h[:, :2] / np.where(ahead, h[:, 2:], 1.0), np.nan)


class FreePlane:
    """Any homography: eight unknowns, moved in the tangent space of a start."""

    def __init__(self, clicks: Clicks, lens: Lens) -> None:
        self.lens = lens
        flat = lens.flatten(clicks.px)
        self._px = _normaliser(flat)
        self._m = _normaliser(clicks.m)
        # Of centred points, so that OpenCV may scale by the depth of their middle.
        found, _ = cv2.findHomography(through(self._m, clicks.m), through(self._px, flat))
        if found is None:
            raise BadInput("the points fix no plane: four of them must not be in one line")
        self._start = found.ravel() / np.linalg.norm(found)
        self._tangent = np.linalg.svd(self._start[None])[2][1:].T
        if (
            np.median((np.c_[clicks.m, np.ones(len(clicks))] @ self.to_image(self.start).T)[:, 2])
            < 0
        ):
            self._start = -self._start

    start = np.zeros(8)
    unknown = np.ones(8, bool)

    def to_image(self, theta: Array) -> Array:
        """The (3, 3) homography from ground to flat pixels, positive before the camera."""
        h = (self._start + self._tangent @ theta).reshape(3, 3)
        return np.linalg.inv(self._px) @ h @ self._m

    def lens_at(self, theta: Array) -> Lens:
        """The lens: what is known of it."""
        return self.lens


class Pinhole:
    """A plain camera: log focal length, rotation (3), position (3) in m and k1; `unknown` says
    which are fitted.
    """

    def __init__(self, lens: Lens, focal: float, to_image: Array, with_k1: bool = False) -> None:
        self.lens = lens
        self.with_k1 = with_k1
        rotation, position = _pose_from_plane(lens.matrix(focal), to_image)
        self.start = np.r_[np.log(focal), cv2.Rodrigues(rotation)[0].ravel(), position, 0.0]
        self.unknown = np.array([lens.focal is None] + [True] * 6 + [with_k1])

    def to_image(self, theta: Array) -> Array:
        """The (3, 3) homography from ground to flat pixels."""
        rotation = cv2.Rodrigues(theta[1:4])[0]
        columns = np.c_[rotation[:, :2], -rotation @ theta[4:7]]
        return self.lens.matrix(_focal_length(theta)) @ columns

    def lens_at(self, theta: Array) -> Lens:
        """The lens with the fitted focal length and distortion."""
        if not self.with_k1:
            return self.lens
        return replace(
            self.lens, focal=_focal_length(theta), distortion=(float(theta[7]), 0.0, 0.0, 0.0, 0.0)
        )


def _focal_length(theta: Array) -> float:
    """The focal length, kept from running away: clicks of a plane seen head-on do not tell it."""
    return float(np.exp(np.clip(theta[0], 3.0, 12.0)))


def _pose_from_plane(matrix: Array, to_image: Array) -> tuple[Array, Array]:
    """Rotation (3, 3) and position (3,) m of a camera; z is negative where the ground is
    mirrored.
    """
    r = np.linalg.solve(matrix, to_image)
    r = r / np.sqrt(np.linalg.norm(r[:, 0]) * np.linalg.norm(r[:, 1]))
    rough = np.c_[r[:, :2], np.cross(r[:, 0], r[:, 1])]
    u, _, v = np.linalg.svd(rough)
    rotation = u @ np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ v))]) @ v
    return rotation, -rotation.T @ r[:, 2]


def _normaliser(points: Array) -> Array:
    """Moves points to a mean of 0 and a mean distance of the square root of 2 (Hartley & Zisserman,
    section 4.4.4).
    """
    centre = points.mean(0)
    scale = np.sqrt(2) / np.linalg.norm(points - centre, axis=1).mean()
    return np.array([[scale, 0, -scale * centre[0]], [0, scale, -scale * centre[1]], [0, 0, 1.0]])
