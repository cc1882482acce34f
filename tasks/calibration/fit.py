"""A camera model fitted to clicks by least squares, with the covariance that the points' doubt
leaves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.stats import chi2

from tasks.calibration.clicks import Clicks
from tasks.calibration.pinhole import FreePlane, Lens, Pinhole, through
from tasks.calibration.record_check import POSITION_SD_M

Array = NDArray[np.float64]

_PASS_LEVEL = 0.999
# One unknown more must lower the sum of squares by this: the same level for one degree of freedom.
GAIN = float(chi2.ppf(_PASS_LEVEL, 1))


@dataclass(frozen=True)
class Fit:
    """A model fitted to clicks: unknowns `theta`, their covariance, sum of squares and degrees of
    freedom.
    """

    model: FreePlane | Pinhole
    clicks: Clicks
    theta: Array
    cov: Array
    square: float
    dof: int

    @property
    def passes(self) -> bool:
        """Whether the points agree with the model and with each other. False where nothing is left
        to tell by.
        """
        return self.dof > 0 and self.square <= chi2.ppf(_PASS_LEVEL, self.dof)

    @property
    def plain(self) -> bool:
        """Whether it is a plain camera, so that heights follow from it too."""
        return isinstance(self.model, Pinhole)

    @property
    def lens(self) -> Lens:
        """Its lens."""
        return self.model.lens_at(self.theta)

    @cached_property
    def to_image(self) -> Array:
        """The (3, 3) homography from ground (m) to pixels without distortion."""
        return self.model.to_image(self.theta)

    def pixels(self, m: Array) -> Array:
        """(n, 2) pixels as recorded of ground positions; NaN behind the camera."""
        return self.lens.bend(through(self.to_image, m))

    def ground(self, px: Array) -> Array:
        """(n, 2) ground positions of pixels as recorded; NaN above the horizon."""
        return _ground_points(self.model, self.theta, px)

    def ground_sd(self, px: Array) -> Array:
        """(n,) standard deviation in m of `ground(px)` that the points' doubt leaves (both
        directions together).
        """
        moves = np.stack(
            [
                _numeric_slope(lambda t: _ground_points(self.model, t, px), self.theta, i)
                for i in self._unknown_indices
            ],
            -1,
        )
        return np.sqrt(np.einsum("nij,jk,nik->n", moves, self.cov, moves))

    def position(self) -> tuple[Array, Array] | None:
        """The camera's position (3,) m and its standard deviation (3,); None for a free
        homography.
        """
        if not isinstance(self.model, Pinhole):
            return None
        first = int(self.model.unknown[:4].sum())
        return self.theta[4:7], np.sqrt(np.diag(self.cov)[first : first + 3])

    @property
    def _unknown_indices(self) -> NDArray[np.int_]:
        return np.flatnonzero(self.model.unknown)


def fit_model(model: FreePlane | Pinhole, clicks: Clicks, known: Array) -> Fit | None:
    """Least squares, weighted anew at the fit; None where a point ends behind the camera or nothing
    converges.
    """
    unknown = np.flatnonzero(model.unknown)
    theta = model.start.copy()
    given = np.isfinite(known)

    def residuals(free: Array, whiten: Array) -> Array:
        full = theta.copy()
        full[unknown] = free
        px = model.lens_at(full).bend(through(model.to_image(full), clicks.m))
        error = np.einsum("nij,nj->ni", whiten, np.nan_to_num(px - clicks.px, nan=1e4)).ravel()
        return np.r_[error, (full[4:7] - known)[given] / POSITION_SD_M] if given.any() else error

    for _ in range(3):
        whiten = _whitening(model, theta, clicks)
        if whiten is None:
            return None
        found = least_squares(
            residuals, theta[unknown], args=(whiten,), x_scale="jac", max_nfev=200
        )
        theta[unknown] = found.x
    if not np.isfinite(through(model.to_image(theta), clicks.m)).all():
        return None
    information = found.jac.T @ found.jac
    cov = np.linalg.pinv(information)
    dof = 2 * len(clicks) + int(given.sum()) - len(unknown)
    return Fit(model, clicks, theta, cov, 2 * float(found.cost), dof)


def _whitening(model: FreePlane | Pinhole, theta: Array, clicks: Clicks) -> Array | None:
    """(n, 2, 2) inverse square roots of each point's covariance in the picture."""

    def at(m: Array) -> Array:
        return model.lens_at(theta).bend(through(model.to_image(theta), m))

    step = 0.01
    slopes = np.stack(
        [(at(clicks.m + d) - at(clicks.m - d)) / (2 * step) for d in np.eye(2) * step], -1
    )
    if not np.isfinite(slopes).all():
        return None
    cov = clicks.click_sd_px**2 * np.eye(2) + clicks.measured_sd_m**2 * slopes @ slopes.transpose(
        0, 2, 1
    )
    return np.linalg.inv(np.linalg.cholesky(cov))


def _numeric_slope(function: Callable[[Array], Array], theta: Array, i: int) -> Array:
    step = 1e-5 * max(1.0, abs(float(theta[i])))
    ahead = theta.copy()
    behind = theta.copy()
    ahead[i] += step
    behind[i] -= step
    return (function(ahead) - function(behind)) / (2 * step)


def _ground_points(model: FreePlane | Pinhole, theta: Array, px: Array) -> Array:
    matrix = model.to_image(theta)
    inverse = np.asarray(np.linalg.inv(matrix), float)
    return through(inverse, model.lens_at(theta).flatten(px))
