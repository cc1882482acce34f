"""The reliability figures mean what their names say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmarks.accuracy.reliability import bins, calibration_error, weights


def test_pairs_are_weighed_to_the_prior() -> None:
    """However many pairs of each kind there are, same-person pairs weigh what the calibration's
    prior says.
    """
    same = np.r_[np.ones(3, bool), np.zeros(997, bool)]
    weight = weights(same, 0.05)
    assert weight[same].sum() == pytest.approx(0.05)
    assert weight.sum() == pytest.approx(1)


def test_no_error_where_predicted_is_observed() -> None:
    """Of a hundred pairs said to be .2, twenty are: 0; said to be .7, they are off by .5."""
    same = np.arange(100) < 20
    even = np.full(100, 0.01)
    assert calibration_error(np.full(100, 0.2), same, even) == pytest.approx(0, abs=1e-12)
    assert calibration_error(np.full(100, 0.7), same, even) == pytest.approx(0.5)


def test_errors_of_two_bins_do_not_cancel() -> None:
    """Too high in one bin and too low in another is an error, though the means agree."""
    p = np.r_[np.full(50, 0.9), np.full(50, 0.1)]
    same = np.r_[np.zeros(50, bool), np.ones(50, bool)]
    assert calibration_error(p, same, np.full(100, 0.01)) == pytest.approx(0.9)


def test_bins_show_what_was_seen_at_the_prior() -> None:
    """One of two pairs at .95 is the same person; at a prior of .5 and one pair of each kind, half
    is observed.
    """
    pairs = pd.DataFrame({"p": [0.95, 0.95], "same": [True, False]})
    (row,) = bins(pairs, False, 0.5)
    assert (row["predicted"], row["observed"]) == (pytest.approx(0.95), pytest.approx(0.5))
    assert row["probability"] == "0.9 to 1.0"
