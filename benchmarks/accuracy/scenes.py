"""Random scenes of walkers with exact positions, and what an imperfect tracker would report of
them.

Positions only: nobody is drawn. Each scene has one subject (`P0`) and others who stand near it,
queue with it, pass it or wander. The reported positions carry Gaussian errors that are correlated
in time, with exactly the covariance that is reported beside them; how long the errors live differs
from data_contracts.time import CLOCK_S
from scene to scene (uniform over wide ranges), because a tracker's does too. Most of the variance
is slow: persons are smoothed tracks, so that what is left of jitter is small beside foot points,
hidden feet and calibration, which stay wrong as long as somebody stands.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data_contracts.tables.contracts import PERSONS, TRAJECTORY
from data_contracts.time import CLOCK_S

Floats = NDArray[np.float64]
STEP_S = CLOCK_S
START = pd.Timestamp("2026-11-16T00:00:00Z")


@dataclass(frozen=True)
class Scene:
    """True positions (people, n, 2) metres and masks (people,), and the tables a tracker would
    report.
    """

    true_m: Floats
    masked: NDArray[np.bool_]
    trajectory: pd.DataFrame
    persons: pd.DataFrame

    def true_distance_m(self, person: str) -> Floats:
        """(n,) true distance of a person to the subject at each instant of the grid."""
        return np.hypot(*(self.true_m[int(person[1:])] - self.true_m[0]).T)


def make_scene(seed: int, length_s: float = 90.0) -> Scene:
    """A random scene. Equal seeds give equal scenes."""
    rng = np.random.default_rng(seed)
    t = np.arange(0.0, length_s, STEP_S)
    subject = _subject(t, rng)
    makers = (_stand, _queue, _pass, _wander)
    others = [makers[rng.integers(len(makers))](t, subject, rng) for _ in range(rng.integers(2, 7))]
    true_m = np.stack([subject, *others])
    masked = rng.random(len(true_m)) < 0.5
    long_share = rng.uniform(0.5, 1.0)
    long_s = rng.uniform(20, 200)
    short_s = rng.uniform(0.4, 1.5)
    frames = []
    for i, path in enumerate(true_m):
        cov = _covariance(rng)
        error = _error(t, long_share, long_s, short_s, rng) @ np.linalg.cholesky(cov).T
        frames.append(_table(f"P{i}", t, path + error, cov, bool(masked[i])))
    trajectory = TRAJECTORY.shape(frames[0].assign(probability=0.98))
    return Scene(true_m, masked, trajectory, PERSONS.shape(pd.concat(frames, ignore_index=True)))


def _table(name: str, t: Floats, xy: Floats, cov: Floats, masked: bool) -> pd.DataFrame:
    columns = {
        "person_id": name,
        "t_utc": START + pd.to_timedelta(t.round(3), unit="s"),
        "x_m": xy[:, 0],
    }
    columns |= {"y_m": xy[:, 1], "cov_xx": cov[0, 0], "cov_xy": cov[0, 1], "cov_yy": cov[1, 1]}
    return pd.DataFrame(
        columns | {"mask_p": 0.95 if masked else 0.05, "seen": True, "cameras": "a"}
    )


def _covariance(rng: np.random.Generator) -> Floats:
    """Deviation 4 to 25 cm across the view (median of real foot points: 11 cm) and one to three
    times that along it.
    """
    across = np.exp(rng.uniform(np.log(0.04), np.log(0.25)))
    sd = np.array([across, across * rng.uniform(1, 3)])
    a = rng.uniform(0, np.pi)
    turn = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    return np.asarray(turn @ np.diag(sd**2) @ turn.T)


def _error(
    t: Floats, long_share: float, long_s: float, short_s: float, rng: np.random.Generator
) -> Floats:
    """(n, 2) unit errors: a slow and a fast first-order process."""
    out = np.zeros((len(t), 2))
    for share, correlation_s in ((long_share, long_s), (1 - long_share, short_s)):
        keep = np.exp(-STEP_S / correlation_s)
        z = rng.standard_normal((len(t), 2))
        for i in range(1, len(t)):
            z[i] = keep * z[i - 1] + np.sqrt(1 - keep**2) * z[i]
        out += np.sqrt(share) * z
    return out


def _subject(t: Floats, rng: np.random.Generator) -> Floats:
    """Stands for most of the time, or walks to and fro."""
    if rng.random() < 0.7:
        return np.tile(rng.uniform(-2, 2, 2), (len(t), 1))
    return _wander(t, np.zeros((len(t), 2)), rng)


def _direction(rng: np.random.Generator) -> Floats:
    a = rng.uniform(0, 2 * np.pi)
    return np.array([np.cos(a), np.sin(a)])


def _stand(t: Floats, subject: Floats, rng: np.random.Generator) -> Floats:
    """Comes, stands with the subject at 0.4 to 3.5 m (and goes along where it moves), and
    leaves.
    """
    direction = _direction(rng)
    distance = rng.uniform(0.4, 3.5)
    come = rng.uniform(0, 0.5) * t[-1]
    stay = rng.uniform(0.1, 0.8) * t[-1]
    away = np.maximum(0, np.maximum(come - t, t - come - stay)) * 1.2
    return subject + (distance + away)[:, None] * direction


def _queue(t: Floats, subject: Floats, rng: np.random.Generator) -> Floats:
    """Ahead of or behind the subject in a queue; the gap changes by steps as each moves up."""
    direction = _direction(rng)
    gap = rng.uniform(0.8, 2.2)
    steps = np.cumsum(rng.random(len(t)) < STEP_S / 15)
    gaps = gap + 0.5 * np.sin(2.4 * steps + rng.uniform(0, 6))
    smooth = np.convolve(np.pad(gaps, 5, mode="edge"), np.ones(11) / 11, mode="valid")
    return subject + np.maximum(smooth, 0.35)[:, None] * direction


def _pass(t: Floats, subject: Floats, rng: np.random.Generator) -> Floats:
    """Walks by on a straight line that comes as near as 0.3 to 4 m."""
    direction = _direction(rng)
    when = rng.uniform(0.1, 0.9) * t[-1]
    normal = np.array([-direction[1], direction[0]])
    centre = subject[int(when / STEP_S)]
    return (
        centre
        + rng.uniform(0.3, 4) * normal
        + ((t - when) * rng.uniform(0.5, 1.6))[:, None] * direction
    )


def _wander(t: Floats, subject: Floats, rng: np.random.Generator) -> Floats:
    """Walks between random points of a room of 8 by 8 m, with pauses."""
    at = rng.uniform(-4, 4, 2)
    path = []
    goal = rng.uniform(-4, 4, 2)
    pause = 0.0
    for _ in t:
        left = goal - at
        length = float(np.hypot(*left))
        if pause > 0:
            pause -= STEP_S
        elif length < 1.1 * STEP_S:
            goal = rng.uniform(-4, 4, 2)
            pause = rng.exponential(8)
        else:
            at = at + left / length * 1.1 * STEP_S
        path.append(at)
    return np.asarray(path)
