"""What a similarity says; the numbers live in the manifest.

Of faces a probability, by face size and mask state:

logit P(same | s) = slope(w) * (s - midpoint(w)), where slope and midpoint are interpolated linearly
in log2 of the face's width w between the manifest's knots and held constant outside them, one set
for bare faces and one for masked ones. The result is clipped to [`floor`, `ceiling`]: no single
face is allowed to say more than the error rates measured for the embedder support.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from data_contracts.record import Record

_FloatArray = NDArray[np.floating]


class Knot(Record):
    """Logistic parameters at one face width: P = 1/2 at `midpoint`, steepness `slope` per unit of
    cosine.
    """

    face_px: float = Field(gt=0)
    slope: float = Field(gt=0)
    midpoint: float


class Curve(Record):
    """Knots in rising order of width, and the limits of what one face may say."""

    knots: tuple[Knot, ...] = Field(min_length=1)
    floor: float = Field(gt=0, lt=0.5)
    ceiling: float = Field(gt=0.5, lt=1)


class BodyCalibration(Record):
    """The log likelihood ratio (one person : two) of a cosine of two descriptions of bodies:
    `slope` * -log(1 - cosine) + `offset`, not beyond `bound` either way, because others in like
    clothes are always possible. `data`: what it rests on.
    """

    slope: float = Field(gt=0)
    offset: float
    bound: float = Field(gt=0, le=5)
    data: str

    def log_ratio(self, cosine: _FloatArray) -> NDArray[np.float64]:
        """Of each cosine; the shape stays."""
        away = -np.log(np.clip(1 - np.asarray(cosine, np.float64), 1e-4, 1.0))
        return np.clip(self.slope * away + self.offset, -self.bound, self.bound)


class LogisticCalibration(Record):
    """See the module. `prior`: the share of same-person pairs that the curves assume; `data`: what
    they rest on.
    """

    prior: float = Field(default=0.5, gt=0, lt=1)
    min_face_px: float = Field(gt=0)
    bare: Curve
    masked: Curve
    data: str

    def probability(
        self,
        similarity: _FloatArray,
        face_px: _FloatArray | float,
        masked: NDArray[np.bool_] | bool,
    ) -> NDArray[np.float64]:
        """Probability that the two faces are one person's, NaN where a face is too small. Arguments
        broadcast.
        """
        s, w, m = np.broadcast_arrays(
            np.asarray(similarity, np.float64),
            np.asarray(face_px, np.float64),
            np.asarray(masked, bool),
        )
        p = np.where(m, _curve(self.masked, s, w), _curve(self.bare, s, w))
        return np.where(w >= self.min_face_px, p, np.nan)

    def log_ratio(self, probability: _FloatArray) -> NDArray[np.float64]:
        """What probabilities of this calibration say without its prior: log likelihood ratios (one
        person : two).
        """
        p = np.asarray(probability, np.float64)
        return np.log(p / (1 - p)) - np.log(self.prior / (1 - self.prior))


def _curve(curve: Curve, s: NDArray[np.float64], w: NDArray[np.float64]) -> NDArray[np.float64]:
    at = np.log2([k.face_px for k in curve.knots])
    x = np.log2(np.maximum(w, 1.0))
    slope = np.interp(x, at, [k.slope for k in curve.knots])
    midpoint = np.interp(x, at, [k.midpoint for k in curve.knots])
    logit = np.clip(slope * (s - midpoint), -60.0, 60.0)
    return np.clip(1.0 / (1.0 + np.exp(-logit)), curve.floor, curve.ceiling)
