"""The distance between two people as a distribution, at one instant and along error histories.

The difference vector (person minus subject, metres on the ground plane) is Gaussian with the sum of
both covariances. All functions are vectorised over instants and mutate nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from data_contracts.exposure import ErrorModel

Floats = NDArray[np.float64]

# Floor of a position's deviation: below a millimetre the quadrature gains nothing.
_MIN_SD_M = 1e-3
# Gauss-Legendre nodes over at most 16 deviations of the smaller axis: error below 1e-6
# (tests/tasks/exposure/test_distance.py).
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(48)
_REACH_SD = 8.0
# Cells of one block of error histories (paths x instants): bounds memory to some tens of megabytes.
_BLOCK_CELLS = 2_000_000


def probability_within(mean: Floats, cov: Floats, distance_m: float) -> Floats:
    """P(|D| < distance_m) for D ~ N(mean, cov).

    `mean` (n, 2) metres, `cov` (n, 2, 2) square metres; returns (n,). In the eigenbasis of the
    covariance the integral over the disc is one-dimensional: the density along the axis of the
    smaller deviation times the normal probability of the chord along the other, by Gauss-Legendre
    quadrature in the angle that parametrises the chord.
    """
    if len(mean) == 0:
        return np.zeros(0)
    values, vectors = np.linalg.eigh(cov)
    sd = np.sqrt(np.maximum(values, _MIN_SD_M**2))
    small, large = np.moveaxis(np.einsum("nij,ni->nj", vectors, mean), -1, 0)
    low = np.clip((small - _REACH_SD * sd[:, 0]) / distance_m, -1.0, 1.0)
    high = np.clip((small + _REACH_SD * sd[:, 0]) / distance_m, -1.0, 1.0)
    a = np.arcsin(low)
    b = np.arcsin(high)
    theta = (a + b)[:, None] / 2 + (b - a)[:, None] / 2 * _NODES
    along = distance_m * np.sin(theta)
    chord = distance_m * np.cos(theta)
    density = np.exp(-0.5 * ((along - small[:, None]) / sd[:, :1]) ** 2) / (
        np.sqrt(2 * np.pi) * sd[:, :1]
    )
    inside = ndtr((chord - large[:, None]) / sd[:, 1:]) - ndtr(
        (-chord - large[:, None]) / sd[:, 1:]
    )
    total = (density * inside * chord * _WEIGHTS).sum(axis=1) * (b - a) / 2
    return np.clip(total, 0.0, 1.0)


def root(cov: Floats) -> Floats:
    """Symmetric square roots of (n, 2, 2) covariances: (C + sqrt(det) I) / trace of the root, the 2
    x 2 closed form.
    """
    det = cov[:, 0, 0] * cov[:, 1, 1] - cov[:, 0, 1] ** 2
    s = np.sqrt(np.maximum(det, 0.0))
    t = np.sqrt(np.maximum(cov[:, 0, 0] + cov[:, 1, 1] + 2 * s, _MIN_SD_M**2))
    return (cov + s[:, None, None] * np.eye(2)) / t[:, None, None]


def distance_paths(
    t_s: Floats, mean: Floats, cov: Floats, model: ErrorModel, rng: np.random.Generator
) -> Iterator[NDArray[np.float32]]:
    """Possible histories of the distance, in blocks of (paths in the block, n) metres.

    `t_s` (n,) seconds, sorted; `mean` (n, 2); `cov` (n, 2, 2). Each path is the measured difference
    plus one error history of the model; at each instant it has exactly the stated covariance.
    """
    half = root(cov).astype(np.float32)[..., None]
    centre = mean.astype(np.float32)[..., None]
    block = max(1, min(model.paths, _BLOCK_CELLS // max(1, len(t_s))))
    for start in range(0, model.paths, block):
        z = _ornstein_uhlenbeck(t_s, min(block, model.paths - start), model.correlation_s, rng)
        east = centre[:, 0] + half[:, 0, 0] * z[0] + half[:, 0, 1] * z[1]
        north = centre[:, 1] + half[:, 1, 0] * z[0] + half[:, 1, 1] * z[1]
        yield np.ascontiguousarray(np.hypot(east, north).T)


def _ornstein_uhlenbeck(
    t_s: Floats, paths: int, correlation_s: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """(2, n, paths) two independent processes of unit variance and autocorrelation exp(-|dt| /
    correlation_s).
    """
    z = rng.standard_normal((2, len(t_s), paths), dtype=np.float32)
    keep = np.exp(-np.diff(t_s) / correlation_s).astype(np.float32)
    fresh = np.sqrt(1 - keep**2)
    for i in range(1, len(t_s)):
        z[:, i] *= fresh[i - 1]
        z[:, i] += keep[i - 1] * z[:, i - 1]
    return z
