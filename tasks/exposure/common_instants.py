"""Align a person with the subject in time: instants at which both were located, and how long each
stands for.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data_contracts.clock import Clock, clock_sd_s
from data_contracts.exposure import MeetSettings
from data_contracts.time import seconds_of

Floats = NDArray[np.float64]

# Samples further apart than this many steps are a gap, across which nothing is interpolated (half a
# step of jitter).
_GAP_STEPS = 1.5
# Walking people (Weidmann 1993), and the policies' fastest walk.
_USUAL_MPS = 1.34
_FASTEST_MPS = 2.5


def instants_with(
    trajectory: pd.DataFrame,
    person: pd.DataFrame,
    settings: MeetSettings,
    clocks: Mapping[str, Clock] = MappingProxyType({}),
) -> pd.DataFrame:
    """One row an instant of `person` (PERSONS, one person_id) at which the subject (TRAJECTORY) was
    located too.

    Columns of ENCOUNTER_POINTS but `encounter_id`. The subject's position, covariance, mask and
    probability are interpolated linearly between samples no further apart than 1.5 steps; elsewhere
    the nearest sample within half a step is taken, and where there is none the instant is left out.
    Covariances are mixed linearly too: the errors of neighbouring samples are nearly the same, so a
    mean of two is no more certain than one. Stretches in which one of the two was not seen are left
    out where longer than `bridge_s`. The doubt of the cameras' clocks (`clocks`, by camera) is
    added: see `clock_covariance`.
    """
    subject = _one_an_instant(trajectory)
    person = _one_an_instant(person)
    if subject.empty or person.empty:
        return pd.DataFrame()
    t0 = subject["t_utc"].iloc[0]
    s = seconds_of(subject["t_utc"], t0)
    t = seconds_of(person["t_utc"], t0)
    step_s = _usual_step(s, settings)
    left, right, weight, ok = _rows_around(s, t, step_s)
    left = left[ok]
    right = right[ok]
    weight = weight[ok]
    t = t[ok]
    person = person[ok]
    if not len(t):
        return pd.DataFrame()

    def subject_at(column: str) -> Floats:
        a = subject[column].to_numpy(float, na_value=np.nan)
        return _between_rows(a[left], a[right], weight)

    subject_seen = subject["seen"].to_numpy(bool)
    seen = person["seen"].to_numpy(bool) & subject_seen[left] & subject_seen[right]
    nearest = np.where(weight < 0.5, left, right)
    subject_cameras = subject["cameras"].fillna("").to_numpy(str)[nearest]
    out = pd.DataFrame(
        {
            "person_id": person["person_id"].to_numpy(),
            "t_utc": person["t_utc"].to_numpy(),
            "dt_s": _durations(t, _usual_step(t, settings)),
            "dx_m": person["x_m"].to_numpy(float) - subject_at("x_m"),
            "dy_m": person["y_m"].to_numpy(float) - subject_at("y_m"),
            "subject_mask_p": subject_at("mask_p"),
            "person_mask_p": person["mask_p"].to_numpy(float, na_value=np.nan),
            "subject_p": subject_at("probability"),
            "cameras": [
                _all_cameras(a, b)
                for a, b in zip(person["cameras"].fillna(""), subject_cameras, strict=True)
            ],
            "seen": seen,
        }
    )
    for column in ("cov_xx", "cov_xy", "cov_yy"):
        out[column] = person[column].to_numpy(float) + subject_at(column)
    out["t_utc"] = pd.to_datetime(out["t_utc"], utc=True)
    if any(span.sd_s for clock in clocks.values() for span in clock):
        their = Moving(_speeds(person, t), person["cameras"].fillna("").to_list())
        own_speed = _speeds(subject, s)
        own = Moving(
            _between_rows(own_speed[left], own_speed[right], weight[:, None]), list(subject_cameras)
        )
        added = clock_covariance(their, own, out["t_utc"], clocks)
        out["cov_xx"] += added[:, 0, 0]
        out["cov_xy"] += added[:, 0, 1]
        out["cov_yy"] += added[:, 1, 1]
    return out[_counted_instants(t, out["dt_s"].to_numpy(), seen, settings.bridge_s)].reset_index(
        drop=True
    )


class Moving(NamedTuple):
    """Somebody at n instants: their speed (n, 2) m/s, and the cameras that saw them, by commas."""

    speed: Floats
    cameras: list[str]


def clock_covariance(
    their: Moving, own: Moving, t_utc: pd.Series, clocks: Mapping[str, Clock]
) -> Floats:
    """(n, 2, 2) m² that the difference of two positions is more uncertain by for the clocks.

    A camera whose clock is wrong by d shows somebody at speed v displaced by v d. Where one camera
    shows both, both are displaced, and only the difference of their speeds counts; where several
    show one, each has its share. Clocks err independently of one another.
    """
    out = np.zeros((len(t_utc), 2, 2))
    for k, at in enumerate(t_utc):
        theirs = [c for c in their.cameras[k].split(",") if c]
        ours = [c for c in own.cameras[k].split(",") if c]
        for camera in {*theirs, *ours}:
            sd_s = clock_sd_s(clocks.get(camera, ()), at)
            if sd_s:
                moved = their.speed[k] * (camera in theirs) / max(len(theirs), 1)
                moved = moved - own.speed[k] * (camera in ours) / max(len(ours), 1)
                out[k] += sd_s**2 * np.outer(moved, moved)
    return out


def _speeds(table: pd.DataFrame, t: Floats) -> Floats:
    """(n, 2) m/s from the positions before and after; not faster than people walk."""
    place = table[["x_m", "y_m"]].to_numpy(float)
    if len(place) < 2:
        return np.full(place.shape, _USUAL_MPS / np.sqrt(2))
    speed = np.asarray(np.gradient(place, t, axis=0), np.float64)
    size = np.hypot(speed[:, 0], speed[:, 1])[:, None]
    return speed * np.minimum(1.0, _FASTEST_MPS / np.maximum(size, 1e-9))


def _one_an_instant(table: pd.DataFrame) -> pd.DataFrame:
    """Located rows sorted by time, one an instant: the seen and more certain one where two cameras
    gave one each.
    """
    table = table[table["x_m"].notna() & table["y_m"].notna()]
    spread = table["cov_xx"] + table["cov_yy"]
    order = table.assign(_hidden=~table["seen"].astype(bool), _spread=spread).sort_values(
        ["t_utc", "_hidden", "_spread"]
    )
    return (
        order.drop_duplicates("t_utc").drop(columns=["_hidden", "_spread"]).reset_index(drop=True)
    )


def _usual_step(t: Floats, settings: MeetSettings) -> float:
    """The usual step of a time series, seconds."""
    return float(np.median(np.diff(t))) if len(t) > 1 else settings.default_step_s


def _rows_around(
    s: Floats, t: Floats, step_s: float
) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats, NDArray[np.bool_]]:
    """For each t: indices of the samples around it, weight of the right one, and whether the
    subject was located.
    """
    right = np.clip(np.searchsorted(s, t), 0, len(s) - 1)
    left = np.clip(np.searchsorted(s, t, side="right") - 1, 0, len(s) - 1)
    span = s[right] - s[left]
    weight = np.where(span > 0, (t - s[left]) / np.where(span > 0, span, 1.0), 0.0)
    between = (s[left] <= t) & (t <= s[right]) & (span <= _GAP_STEPS * step_s)
    nearest = np.where(np.abs(t - s[left]) <= np.abs(s[right] - t), left, right)
    close = np.abs(s[nearest] - t) <= step_s / 2
    left = np.where(between, left, nearest)
    right = np.where(between, right, nearest)
    return left, right, np.where(between, weight, 0.0), between | close


def _between_rows(a: Floats, b: Floats, weight: Floats) -> Floats:
    """Linear interpolation; where one side is unknown the other one is taken."""
    mixed = (1 - weight) * a + weight * b
    return np.where(np.isnan(mixed), np.where(np.isnan(a), b, a), mixed)


def _durations(t: Floats, step_s: float) -> Floats:
    """Seconds that each instant stands for: half of the way to each neighbour; half a step beside a
    gap or the end.
    """
    gaps = np.diff(t)
    half = np.where(gaps <= _GAP_STEPS * step_s, gaps, step_s) / 2
    edge = np.array([step_s / 2])
    return np.asarray(np.concatenate([edge, half]) + np.concatenate([half, edge]), np.float64)


def _counted_instants(
    t: Floats, dt_s: Floats, seen: NDArray[np.bool_], bridge_s: float
) -> NDArray[np.bool_]:
    """False for instants in a stretch that was not seen for longer than `bridge_s`."""
    run = np.cumsum(np.diff(seen.astype(int), prepend=int(seen[0])) != 0)
    length = np.bincount(run, weights=dt_s)[run]
    return seen | (length <= bridge_s)


def _all_cameras(a: str, b: str) -> str:
    return ",".join(sorted({c for c in f"{a},{b}".split(",") if c}))
