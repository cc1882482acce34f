"""Meeting and assessing on random scenes with exact truth: a small run of the benchmark."""

import numpy as np
import pytest

from benchmarks.accuracy.scenes import START, STEP_S, make_scene
from benchmarks.walkers import measure
from data_contracts.exposure import ErrorModel, MeetSettings


@pytest.fixture(scope="module")
def result():
    """Thirty-five scenes with few error histories."""
    return measure(35, MeetSettings(errors=ErrorModel(paths=150)), seed=5000)


def test_scenes_report_what_they_say():
    """Shows that a scene's errors have the covariance that is reported beside them, and equal seeds
    equal scenes.
    """
    z = []
    for seed in range(30):
        scene = make_scene(seed)
        table = scene.trajectory
        error = table[["x_m", "y_m"]].to_numpy() - scene.true_m[0]
        cov = table[["cov_xx", "cov_xy", "cov_xy", "cov_yy"]].to_numpy()[0].reshape(2, 2)
        z.append(np.linalg.solve(np.linalg.cholesky(cov), error.T))
    assert np.concatenate(z, axis=1).std() == pytest.approx(1.0, abs=0.15)
    assert table["t_utc"].iloc[1] - START == np.timedelta64(int(STEP_S * 1000), "ms")
    assert np.array_equal(make_scene(3).true_m, make_scene(3).true_m)


def test_expected_times_are_right_on_average(result):
    """Shows that expected seconds are off by less than a second on average, and three seconds
    typically.
    """
    assert abs(result["times"]["all"]["mean_error_s"]) < 1.0
    assert result["times"]["all"]["mean_abs_error_s"] < 3.0


def test_the_interval_holds_the_truth(result):
    """Shows that the 5 to 95 % interval holds about nine in ten of the undecided encounters."""
    assert 0.84 <= result["times"]["all"]["held_undecided"] <= 0.97


def test_uncorrelated_errors_would_be_too_sure():
    """Shows why errors are correlated: with independent ones the interval holds far fewer."""
    naive = measure(
        15,
        MeetSettings(errors=ErrorModel(correlation_s=0.05, paths=150)),
        seed=5000,
        with_rules=False,
    )
    assert naive["times"]["all"]["held_undecided"] < 0.7


def test_probabilities_mean_what_they_say(result):
    """Shows that rules said to be met with 80 to 95 % are met about that often, and sure ones
    nearly always.
    """
    rules = result["rules"]
    assert rules["precision"] > 0.85
    assert rules["recall"] > 0.85
    for row in rules["reliability"]:
        if row["n"] >= 40:
            assert abs(row["said"] - row["met"]) < 0.2
