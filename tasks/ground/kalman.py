"""Smoothing of walked paths on the ground: a Kalman filter and Rauch-Tung-Striebel smoother with
near-constant velocity.

Model: white-noise acceleration (Bar-Shalom, Li & Kirubarajan, Estimation with Applications to
Tracking and Navigation, 2001, section 6.2.2), measurement noise from `tasks.ground.position`;
smoother after Rauch, Tung & Striebel, AIAA J. 1965.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Spectral density of the acceleration: people start, stop and turn within about a second at 1 m/s,
# so the velocity changes by (q * 1 s) ** 0.5 = 0.6 m/s in one second.
ACCELERATION_PSD = 0.36
# A walker's speed has this deviation before it is known (1.3 m/s mean walking speed, and many
# stand).
SPEED_SD_MPS = 1.0
# A measurement this many deviations off its prediction is down-weighted (Huber 1964).
_HUBER = 2.5
# Share of a measurement's variance that does not average out: the same pose gives the same box
# error for seconds. Chosen so that the subject's path on the demo's footage errs no more than it
# says (mean squared Mahalanobis distance 1.5 of 2).
LASTING_SHARE = 0.6


def smooth(t_s: Array, xy_m: Array, cov_m2: Array) -> tuple[Array, Array]:
    """Smoothed positions (n, 2) and velocities stacked as (n, 4), and their covariances (n, 4, 4),
    at times t_s (n,).

    `xy_m` (n, 2) may hold NaN (no measurement then). Times rise strictly. Needs at least one
    measurement.
    """
    n = len(t_s)
    seen = np.asarray(np.isfinite(xy_m).all(1) & np.isfinite(cov_m2).all((1, 2)), bool)
    first = int(np.argmax(seen))
    x = np.r_[xy_m[first], 0.0, 0.0]
    p = np.diag([25.0, 25.0, SPEED_SD_MPS**2, SPEED_SD_MPS**2])
    ahead_x = np.empty((n, 4))
    ahead_p = np.empty((n, 4, 4))
    at_x = np.empty((n, 4))
    at_p = np.empty((n, 4, 4))
    steps = np.empty((n, 4, 4))
    for i in range(n):
        steps[i], noise = _motion_step(0.0 if i == 0 else t_s[i] - t_s[i - 1])
        x = steps[i] @ x
        p = steps[i] @ p @ steps[i].T + noise
        ahead_x[i], ahead_p[i] = x, p
        if seen[i]:
            x, p = _take_measurement(x, p, xy_m[i], cov_m2[i])
        at_x[i], at_p[i] = x, p
    for i in range(n - 2, -1, -1):
        gain = at_p[i] @ steps[i + 1].T @ np.linalg.inv(ahead_p[i + 1])
        at_x[i] = at_x[i] + gain @ (at_x[i + 1] - ahead_x[i + 1])
        at_p[i] = at_p[i] + gain @ (at_p[i + 1] - ahead_p[i + 1]) @ gain.T
    return at_x, (at_p + at_p.transpose(0, 2, 1)) / 2


def predict(state: Array, cov: Array, dt_s: float) -> tuple[Array, Array]:
    """State (4,) and covariance (4, 4) after `dt_s` (may be negative: where the walker came
    from).
    """
    step, noise = _motion_step(dt_s)
    return step @ state, step @ cov @ step.T + noise


def with_lasting(cov_m2: Array, measured_m2: Array) -> Array:
    """Smoothed position covariances (n, 2, 2) plus the share of the measured ones that smoothing
    cannot remove.
    """
    seen = np.asarray(np.isfinite(measured_m2).all((1, 2)), bool)
    # The middle one, not the middle of each entry: that need not be a covariance.
    size = np.argsort(np.trace(measured_m2[seen], axis1=1, axis2=2))
    typical = measured_m2[seen][size[len(size) // 2]] if len(size) else np.zeros((2, 2))
    lasting: Array = np.where(seen[:, None, None], measured_m2, typical).astype(np.float64)
    return cov_m2 + LASTING_SHARE * lasting


def _motion_step(dt_s: float) -> tuple[Array, Array]:
    step = np.eye(4)
    step[0, 2] = step[1, 3] = dt_s
    d = abs(dt_s)
    noise = np.zeros((4, 4))
    cross = d**2 / 2 * (1 if dt_s >= 0 else -1)
    for k in (0, 1):
        noise[k, k], noise[k, k + 2], noise[k + 2, k], noise[k + 2, k + 2] = (
            d**3 / 3,
            cross,
            cross,
            d,
        )
    return step, ACCELERATION_PSD * noise


def _take_measurement(x: Array, p: Array, z: Array, r: Array) -> tuple[Array, Array]:
    gap = z - x[:2]
    s = p[:2, :2] + r
    off = max(float(gap @ np.linalg.solve(s, gap)), 0.0) ** 0.5
    if off > _HUBER:
        r = r * (off / _HUBER)
        s = p[:2, :2] + r
    gain = p[:, :2] @ np.linalg.inv(s)
    return x + gain @ gap, p - gain @ s @ gain.T


def path_likelihoods(xy_m: Array, cov_m2: Array, step_s: float, most_sds: float) -> Array:
    """(n,) log likelihoods of n sequences of positions (n, t, 2), `step_s` apart, NaN where nothing
    was measured, with covariances (n, t, 2, 2), as those of one walker each: of every position
    given those before it. One that is further off than `most_sds` deviations counts as so far off:
    boxes of people who meet are of both.
    """
    n, steps = xy_m.shape[:2]
    x = np.zeros((n, 4))
    p = np.zeros((n, 4, 4))
    begun = np.zeros(n, bool)
    total = np.zeros(n)
    ahead, noise = _motion_step(step_s)
    for k in range(steps):
        x = x @ ahead.T
        p = ahead @ p @ ahead.T + noise
        seen = np.isfinite(xy_m[:, k]).all(1)
        own = np.flatnonzero(seen & begun)
        gap = xy_m[own, k] - x[own, :2]
        r = cov_m2[own, k]
        s = p[own, :2, :2] + r
        squared = np.einsum("ni,nij,nj->n", gap, _inverse(s), gap)
        spread = np.log((2 * np.pi) ** 2 * _determinant(s))
        total[own] -= (np.minimum(squared, most_sds**2) + spread) / 2
        s = s + r * np.maximum(np.sqrt(squared) / _HUBER - 1.0, 0.0)[:, None, None]
        across = p[own][:, :, :2]
        gain = across @ _inverse(s)
        x[own] += np.einsum("nij,nj->ni", gain, gap)
        p[own] -= gain @ across.transpose(0, 2, 1)
        new = seen & ~begun
        x[new] = np.c_[xy_m[new, k], np.zeros((int(new.sum()), 2))]
        p[new] = 0.0
        p[new, :2, :2] = cov_m2[new, k]
        p[new, 2:, 2:] = np.eye(2) * SPEED_SD_MPS**2
        begun |= new
    return total


def _determinant(m: Array) -> Array:
    """(n,) determinants of symmetric (n, 2, 2)."""
    return np.asarray(m[:, 0, 0] * m[:, 1, 1] - m[:, 0, 1] ** 2)


def _inverse(m: Array) -> Array:
    """Inverses of symmetric (n, 2, 2)."""
    turned = np.empty_like(m)
    turned[:, 0, 0] = m[:, 1, 1]
    turned[:, 1, 1] = m[:, 0, 0]
    turned[:, 0, 1] = turned[:, 1, 0] = -m[:, 0, 1]
    return np.asarray(turned / _determinant(m)[:, None, None])
