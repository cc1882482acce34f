"""The distance as a distribution, against quadrature, closed forms and drawn samples."""

import numpy as np
import pytest
from scipy.stats import ncx2

from data_contracts.exposure import ErrorModel
from tasks.exposure.distance import distance_paths, probability_within, root


def _random_cases(n: int, seed: int = 3):
    rng = np.random.default_rng(seed)
    mean = rng.uniform(-4, 4, (n, 2))
    sd = rng.uniform(0.02, 1.2, (n, 2))
    angle = rng.uniform(0, np.pi, n)
    turn = np.stack(
        [
            np.stack([np.cos(angle), -np.sin(angle)], -1),
            np.stack([np.sin(angle), np.cos(angle)], -1),
        ],
        -2,
    )
    return mean, np.einsum("nij,nj,nkj->nik", turn, sd**2, turn)


def test_isotropic_equals_noncentral_chi_square():
    """Shows the closed form for equal deviations, from a millimetre's to a metre's, is met to
    1e-6.
    """
    rng = np.random.default_rng(0)
    sd = rng.uniform(0.005, 1.5, 400)
    mean = rng.uniform(-3, 3, (400, 2))
    cov = sd[:, None, None] ** 2 * np.eye(2)
    for d in (0.5, 1.0, 1.83, 3.0):
        expected = ncx2.cdf((d / sd) ** 2, 2, (mean**2).sum(1) / sd**2)
        assert np.abs(probability_within(mean, cov, d) - expected).max() < 1e-6


@pytest.mark.parametrize("distance_m", [1.0, 2.0])
def test_anisotropic_equals_drawn_samples(distance_m):
    """Shows unequal, turned deviations (a low camera's long ellipse) agree with half a million
    drawn differences.
    """
    mean, cov = _random_cases(24)
    rng = np.random.default_rng(1)
    z = rng.standard_normal((500_000, 2))
    for m, c, p in zip(mean, cov, probability_within(mean, cov, distance_m), strict=True):
        drawn = np.hypot(*(m + z @ np.linalg.cholesky(c).T).T) < distance_m
        assert p == pytest.approx(drawn.mean(), abs=3e-3)


def test_thin_ellipse_equals_fine_grid():
    """Shows that a deviation of 1 cm across and 1.5 m along the view is still integrated to
    1e-4.
    """
    cov = np.array([[[1.5**2, 0.0], [0.0, 0.01**2]]])
    x = np.linspace(-2, 2, 400_001)
    density = np.exp(-0.5 * ((x - 0.7) / 1.5) ** 2) / (1.5 * np.sqrt(2 * np.pi))
    expected = np.trapezoid(density * (x**2 + 0.4**2 < 4), x)
    assert probability_within(np.array([[0.7, 0.4]]), cov, 2.0)[0] == pytest.approx(
        expected, abs=1e-4
    )


def test_extremes_stay_probabilities():
    """Shows certain positions and far people give 1 and 0, and nothing gives nothing."""
    cov = np.zeros((2, 2, 2))
    assert probability_within(np.array([[0.5, 0.0], [50.0, 0.0]]), cov, 1.0) == pytest.approx(
        [1, 0]
    )
    assert probability_within(np.zeros((0, 2)), np.zeros((0, 2, 2)), 1.0).shape == (0,)


def test_root_squares_to_the_covariance():
    """Shows the closed-form root is a root, also of a degenerate covariance."""
    _, cov = _random_cases(50)
    cov = np.concatenate([cov, [[[0.04, 0.0], [0.0, 0.0]]]])
    half = root(cov)
    assert np.allclose(half @ half, cov, atol=1e-9)


def test_error_histories_have_the_stated_covariance_and_correlation():
    """Shows that histories spread at each instant as stated, and that errors a second apart
    resemble each other.
    """
    t = np.arange(0, 60, 0.2)
    cov = np.tile(np.diag([0.09, 0.01]), (len(t), 1, 1))
    mean = np.tile([100.0, 0.0], (len(t), 1))
    model = ErrorModel(paths=4000, correlation_s=5)
    paths = (
        np.concatenate(list(distance_paths(t, mean, cov, model, np.random.default_rng(0)))) - 100
    )
    assert paths.shape == (4000, len(t))
    assert paths.std(axis=0) == pytest.approx(np.full(len(t), 0.3), rel=0.08)
    assert np.corrcoef(paths[:, 100], paths[:, 105])[0, 1] == pytest.approx(
        np.exp(-1 / 5), abs=0.03
    )
