"""Meet: who was near the subject, when, how close and for how long. Nothing here knows who anyone
is.

In: the subject's trajectory and the anonymous persons, both on the site's ground plane. Out: one
row an instant at which both were located near each other (all that `assess` needs), and one row an
encounter.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data_contracts.clock import Clock
from data_contracts.errors import BadInput
from data_contracts.exposure import MeetSettings
from data_contracts.tables.contracts import ENCOUNTER_POINTS, ENCOUNTERS
from data_contracts.time import seconds_of
from tasks.exposure.common_instants import instants_with
from tasks.exposure.distance import distance_paths, probability_within
from tasks.exposure.mask_rule import mask_state

Floats = NDArray[np.float64]
_COLUMN = {1.0: "seconds_1m", 1.5: "seconds_1_5m", 2.0: "seconds_2m"}
_INTERVAL = (0.05, 0.95)


def meet(
    trajectory: pd.DataFrame,
    persons: pd.DataFrame,
    subject_person_ids: set[str],
    distances_m: tuple[float, ...] = (1.0, 1.5, 2.0),
    near_m: float = 3.0,
    settings: MeetSettings | None = None,
    clocks: Mapping[str, Clock] = MappingProxyType({}),
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Encounter points and encounters (contracts ENCOUNTER_POINTS, ENCOUNTERS) of everyone but the
    subject.

    Both positions are needed at an instant: the subject is interpolated between neighbouring
    samples and never extrapolated. An encounter is a run of instants that are more likely than not
    within `near_m`, gaps up to `join_gap_s` joined. Raises BadInput when `distances_m` are not
    those of the contract.
    """
    settings = settings or MeetSettings()
    if set(distances_m) != set(_COLUMN):
        raise BadInput(
            f"meet: expected the contract's distances {sorted(_COLUMN)} m, got "
            f"{sorted(set(distances_m))}"
        )
    found = []
    others = persons[~persons["person_id"].isin(subject_person_ids)]
    for _, person in others.groupby("person_id", sort=True):
        pair = instants_with(trajectory, person, settings, clocks)
        if len(pair):
            found += _split_encounters(pair, near_m, settings)
    found.sort(
        key=lambda points: (
            points.loc[points["_near"], "t_utc"].iloc[0],
            points["person_id"].iloc[0],
        )
    )
    rows = []
    for number, points in enumerate(found, start=1):
        points["encounter_id"] = f"E-{number:03d}"
        rows.append(_encounter_row(points, settings))
    all_points = (
        pd.concat(found, ignore_index=True)
        if found
        else pd.DataFrame(columns=ENCOUNTER_POINTS.names)
    )
    return ENCOUNTER_POINTS.shape(all_points), ENCOUNTERS.shape(rows)


def difference(points: pd.DataFrame) -> tuple[Floats, Floats]:
    """Mean (n, 2) metres and covariance (n, 2, 2) square metres of person minus subject."""
    mean = points[["dx_m", "dy_m"]].to_numpy(float)
    cov = points[["cov_xx", "cov_xy", "cov_xy", "cov_yy"]].to_numpy(float).reshape(-1, 2, 2)
    return mean, cov


def _split_encounters(
    pair: pd.DataFrame, near_m: float, settings: MeetSettings
) -> list[pd.DataFrame]:
    """The kept instants of one person, one table an encounter; `_near` marks those within `near_m`.

    Kept instants before and after a run belong to the run that is nearest in time, as long as no
    gap separates them.
    """
    p = probability_within(*difference(pair), near_m)
    keep = p >= settings.keep_probability
    pair = pair[keep].assign(_near=p[keep] >= settings.near_probability)
    if not pair["_near"].any():
        return []
    t = seconds_of(pair["t_utc"])
    near = pair["_near"].to_numpy()
    stretch = np.cumsum(np.diff(t, prepend=t[0]) > settings.join_gap_s)
    near_t = t[near]
    run_of_near = np.cumsum(np.diff(near_t, prepend=near_t[0]) > settings.join_gap_s)
    after = np.clip(np.searchsorted(near_t, t), 0, len(near_t) - 1)
    before = np.clip(np.searchsorted(near_t, t, side="right") - 1, 0, len(near_t) - 1)
    nearest = np.where(np.abs(near_t[after] - t) < np.abs(t - near_t[before]), after, before)
    same = stretch == stretch[near][nearest]
    run = run_of_near[nearest]
    return [pair[same & (run == r)].reset_index(drop=True) for r in range(int(run_of_near[-1]) + 1)]


def _encounter_row(points: pd.DataFrame, settings: MeetSettings) -> dict[str, Any]:
    """One encounter's row from its points."""
    inside = points[points["_near"]]
    distance = np.hypot(inside["dx_m"].to_numpy(), inside["dy_m"].to_numpy())
    dt = inside["dt_s"].to_numpy()
    start = inside["t_utc"].iloc[0]
    end = inside["t_utc"].iloc[-1]
    cameras = sorted({c for text in inside["cameras"] for c in text.split(",") if c})
    return {
        "encounter_id": points["encounter_id"].iloc[0],
        "person_id": points["person_id"].iloc[0],
        "start_utc": start,
        "end_utc": end,
        "duration_s": (end - start).total_seconds(),
        "min_m": float(distance.min()),
        "median_m": float(np.median(distance)),
        "subject_mask": mask_state(inside["subject_mask_p"].to_numpy(float), dt, settings),
        "person_mask": mask_state(inside["person_mask_p"].to_numpy(float), dt, settings),
        "cameras": ",".join(cameras),
        "doubt": "",
        "review": "unreviewed",
        "confidence": float(np.average(inside["subject_p"], weights=np.maximum(dt, 1e-9))),
        **expected_seconds(points, settings),
    }


def expected_seconds(points: pd.DataFrame, settings: MeetSettings) -> dict[str, float]:
    """Expected time within 1, 1.5 and 2 m with 5 and 95 % bounds, by the columns' names of
    ENCOUNTERS.

    The expectation is the sum of dt x P(distance < d). The bounds are quantiles over error
    histories that are correlated in time (`ErrorModel`), widened where needed to hold the
    expectation.
    """
    mean, cov = difference(points)
    dt = points["dt_s"].to_numpy(float)
    rng = np.random.default_rng(settings.errors.seed)
    drawn: dict[float, list[Floats]] = {d: [] for d in _COLUMN}
    for block in distance_paths(seconds_of(points["t_utc"]), mean, cov, settings.errors, rng):
        for d in _COLUMN:
            drawn[d].append((block < d) @ dt)
    out: dict[str, float] = {}
    for d, name in _COLUMN.items():
        expected = float(probability_within(mean, cov, d) @ dt)
        low, high = np.quantile(np.concatenate(drawn[d]), _INTERVAL)
        out |= {
            name: expected,
            f"{name}_lo": min(float(low), expected),
            f"{name}_hi": max(float(high), expected),
        }
    return out
