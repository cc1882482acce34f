"""Similarities become probabilities that claim no more than was measured."""

from __future__ import annotations

import numpy as np
import pytest

from models.score_calibration import Curve, Knot, LogisticCalibration

CURVE = Curve(
    knots=(Knot(face_px=32, slope=10, midpoint=0.6), Knot(face_px=64, slope=20, midpoint=0.5)),
    floor=0.02,
    ceiling=0.95,
)
WEAK = Curve(knots=(Knot(face_px=32, slope=5, midpoint=0.7),), floor=0.1, ceiling=0.8)
IT = LogisticCalibration(prior=0.5, min_face_px=32, bare=CURVE, masked=WEAK, data="hand-made")


def test_even_odds_at_the_midpoint_between_knots() -> None:
    """At the geometric mean of two knots' widths, slope and midpoint are their means; P is 1/2 at
    the midpoint.
    """
    width = float(np.sqrt(32 * 64))
    assert IT.probability(np.array(0.55), width, False) == pytest.approx(0.5)
    assert IT.probability(np.array(0.65), width, False) == pytest.approx(
        1 / (1 + np.exp(-15 * 0.1))
    )


def test_rises_with_similarity_and_stays_within_its_limits() -> None:
    """More similar is never less probable, and no single face says more than floor and ceiling
    allow.
    """
    p = IT.probability(np.linspace(-1, 1, 101), 80.0, False)
    assert (np.diff(p) >= 0).all()
    assert (p.min(), p.max()) == (0.02, 0.95)


def test_a_small_face_says_nothing() -> None:
    """Below the least width there is no probability, whatever the similarity."""
    assert np.isnan(IT.probability(np.array([0.99]), 31.9, False)).all()


def test_masked_faces_have_their_own_curve() -> None:
    """The mask state is taken face by face."""
    p = IT.probability(np.array([0.7, 0.7]), np.array([64.0, 64.0]), np.array([True, False]))
    assert p == pytest.approx([0.5, 0.95])
