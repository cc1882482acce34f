"""Settings of how distance becomes exposure: read once, recorded in every artefact, never bare
numbers in the code.
"""

from __future__ import annotations

from pydantic import Field

from data_contracts.record import Record
from data_contracts.time import CLOCK_S


class ErrorModel(Record):
    """How long the error of a measured distance lives.

    Persons are smoothed tracks; what stays wrong (foot point, hidden feet, calibration) stays wrong
    while people stand. The difference vector's error is a stationary Gaussian process with
    autocorrelation exp(-|dt| / `correlation_s`). The default is the one for which the 5 to 95 %
    interval holds the truth in 90 % of the undecided encounters of random walkers (`python -m
    benchmarks.walkers --fit`; numbers in `docs/exposure.md`); shorter times give intervals that are
    too narrow. `paths` error histories are drawn from a fixed seed: equal input gives equal output.
    """

    correlation_s: float = Field(default=120.0, gt=0)
    paths: int = Field(default=1000, ge=100, le=20000)
    seed: int = 20261116


class MeetSettings(Record):
    """Thresholds of meeting and masks.

    `keep_probability`: instants with a smaller P(distance < near) are not kept: what they could add
    to an exposure is below a hundredth of their time. `near_probability`: "within 3 m" means more
    likely than not. `join_gap_s`: the gap that the synthetic truth joins too. `bridge_s`: stretches
    in which one of the two was not seen count up to this length (people hidden behind others in a
    queue), longer ones not at all. `default_step_s`: what one instant stands for when a table has
    only one (5 Hz, the grid of persons). Masks: an instant is masked or bare beyond `masked_p` /
    `bare_p`; a state needs `known_share` of the time to be known, and `pure_share` of that to
    agree.
    """

    keep_probability: float = Field(default=0.01, gt=0, lt=1)
    near_probability: float = Field(default=0.5, gt=0, lt=1)
    join_gap_s: float = Field(default=2.0, ge=0)
    bridge_s: float = Field(default=5.0, ge=0)
    default_step_s: float = Field(default=CLOCK_S, gt=0)
    masked_p: float = Field(default=0.7, gt=0.5, lt=1)
    bare_p: float = Field(default=0.3, gt=0, lt=0.5)
    known_share: float = Field(default=0.1, ge=0, le=1)
    pure_share: float = Field(default=0.9, gt=0.5, le=1)
    errors: ErrorModel = ErrorModel()
