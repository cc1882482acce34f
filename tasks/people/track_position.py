"""A track's rows on the ground: gaps bridged, the body height that the track itself shows,
positions smoothed.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data_contracts.time import CLOCK_S, seconds_of
from tasks.ground.kalman import smooth, with_lasting
from tasks.ground.position import BODY_HEIGHT_M, BODY_HEIGHT_SD_M, Ground, Locator

Array = NDArray[np.float64]
_BOX = ["x0", "y0", "x1", "y1"]
# Of bodies that look too short for an adult, the share that is (a child, somebody who sits), where
# nothing tells: a guess. The rest have hidden feet.
SHORT_SHARE = 0.1
# No body height is known better than this: shoes, hair and posture. Chosen.
MIN_HEIGHT_SD_M = 0.03


def bridged(part: pd.DataFrame, bridge_s: float) -> pd.DataFrame:
    """Rows for missing frames inside gaps up to `bridge_s`: boxes interpolated, score 0, no
    face.
    """
    at = seconds_of(part["t_utc"])
    steps = np.diff(at)
    step = float(np.median(steps)) if len(steps) else CLOCK_S
    filled = [part.assign(measured=True)]
    for i in np.flatnonzero((steps > 1.5 * step) & (steps <= bridge_s)):
        n = max(1, round(steps[i] / step) - 1)
        share = np.arange(1, n + 1) / (n + 1)
        before = part.iloc[i]
        after = part.iloc[i + 1]
        boxes = np.outer(1 - share, before[_BOX].to_numpy(float)) + np.outer(
            share, after[_BOX].to_numpy(float)
        )
        new = pd.DataFrame(boxes, columns=_BOX)
        new["t_utc"] = before["t_utc"] + pd.to_timedelta(
            np.round(share * steps[i] * 1e6), unit="us"
        )
        new["camera_id"] = before["camera_id"]
        new["score"] = 0.0
        new["hidden_share"] = 1.0
        new["measured"] = False
        filled.append(new)
    return (
        pd.concat(filled, ignore_index=True)
        .sort_values("t_utc", kind="stable")
        .reset_index(drop=True)
    )


def placed(
    part: pd.DataFrame, locator: Locator | None, known_m: tuple[float, float] | None = None
) -> pd.DataFrame:
    """Positions with the track's own body height, smoothed; null where there is no locator or no
    measurement near.

    `known_m`: body height and its deviation, where more than the track is known.
    """
    if locator is None:
        return part.assign(
            x_m=np.nan, y_m=np.nan, cov_xx=np.nan, cov_xy=np.nan, cov_yy=np.nan, foot_hidden=True
        )
    boxes = part[_BOX].to_numpy(float)
    measured = part["measured"].to_numpy(bool)
    hidden = part["hidden_share"].to_numpy(float)
    height, height_sd = known_m or body_height(
        locator.locate(boxes, hidden_share=hidden).height_m[measured]
    )
    ground = locator.locate(boxes, height, height_sd, hidden)
    at = seconds_of(part["t_utc"])
    xy, cov = measurements(at, ground, measured)
    out = part.assign(foot_hidden=ground.foot_hidden | ~measured)
    if not np.isfinite(xy).all(1).any():
        return out.assign(x_m=np.nan, y_m=np.nan, cov_xx=np.nan, cov_xy=np.nan, cov_yy=np.nan)
    state, spread = smooth(at, xy, cov)
    final = with_lasting(spread[:, :2, :2], cov)
    near = _near_measurement(at, np.asarray(np.isfinite(xy).all(1), bool))
    place = np.where(near[:, None], state[:, :2], np.nan)
    final = np.where(near[:, None, None], final, np.nan)
    return out.assign(
        x_m=place[:, 0],
        y_m=place[:, 1],
        cov_xx=final[:, 0, 0],
        cov_xy=final[:, 0, 1],
        cov_yy=final[:, 1, 1],
    )


def measurements(at: Array, ground: Ground, measured: NDArray[np.bool_]) -> tuple[Array, Array]:
    """What to smooth: positions (n, 2) and covariances (n, 2, 2), NaN where nothing was measured.

    Foot and head may contradict each other for a moment between others, near, where they agree: one
    edge of the box jumped. Then the one counts that continues the path of the others (smaller
    Mahalanobis distance): on PETS09-S2L1 the foot in three cases of four (docs/accuracy.md). What
    lasts is feet behind something: there the head is all there is, and that it may be a short body
    after all is a part of the covariance (of the two places, with `SHORT_SHARE` at the foot's).
    """
    xy = np.where(measured[:, None], ground.xy_m, np.nan)
    cov = np.where(measured[:, None, None], ground.cov_m2, np.nan)
    cov = cov + _short_body(ground)
    firm = np.asarray(np.isfinite(xy).all(1) & ~ground.at_odds, bool)
    if not firm.any():
        return xy, cov
    rows = np.flatnonzero(np.isfinite(xy).all(1) & ground.at_odds & _near_measurement(at, firm))
    path, spread = smooth(at, np.where(firm[:, None], xy, np.nan), cov)
    foot = _squared_distances(ground.foot_m, ground.foot_cov_m2 + spread[:, :2, :2], path[:, :2])
    head = _squared_distances(xy, cov + spread[:, :2, :2], path[:, :2])
    rows = rows[foot[rows] < head[rows]]
    xy[rows], cov[rows] = ground.foot_m[rows], ground.foot_cov_m2[rows]
    return xy, cov


def _short_body(ground: Ground) -> Array:
    """(n, 2, 2) what the covariance grows by where feet are only taken for hidden."""
    doubtful = ground.at_odds & np.isfinite(ground.foot_m).all(1) & np.isfinite(ground.xy_m).all(1)
    away = np.where(doubtful[:, None], ground.foot_m - ground.xy_m, 0.0)
    return SHORT_SHARE * away[:, :, None] * away[:, None, :]


def _squared_distances(xy_m: Array, cov_m2: Array, path_m: Array) -> Array:
    """(n,) squared Mahalanobis distances of positions (n, 2) from a path's, infinite where there is
    none.
    """
    known = np.asarray(np.isfinite(xy_m).all(1) & np.isfinite(cov_m2).all((1, 2)), bool)
    gap = np.where(known[:, None], xy_m - path_m, 0.0)[..., None]
    squared = gap.transpose(0, 2, 1) @ np.linalg.solve(
        np.where(known[:, None, None], cov_m2, np.eye(2)), gap
    )
    return np.where(known, squared[:, 0, 0], np.inf)


def _near_measurement(
    at: Array, seen: NDArray[np.bool_], within_s: float = 2.0
) -> NDArray[np.bool_]:
    """(n,) whether a located detection lies within the bridging time on both sides, or is the row
    itself.
    """
    known = at[seen]
    right = np.searchsorted(known, at)
    before = at - known[np.clip(right - 1, 0, len(known) - 1)]
    after = known[np.clip(right, 0, len(known) - 1)] - at
    inside = (before >= 0) & (after >= 0) & (before + after <= within_s)
    return seen | inside


def body_height(implied_m: Array) -> tuple[float, float]:
    """A track's body height and its deviation from implied heights (n,), NaN ignored.

    Median, combined with the population's as a prior. The deviation is `spread_of`
    them, and at least 3 cm. Ten frames (two seconds) of one pose
    count as one, because errors of a pose last. 3 cm and ten frames are chosen.
    """
    good = implied_m[np.isfinite(implied_m)]
    if len(good) < 3:
        return BODY_HEIGHT_M, BODY_HEIGHT_SD_M
    middle = float(np.median(good))
    spread = max(spread_of(good), MIN_HEIGHT_SD_M)
    variance = spread**2 / max(1.0, len(good) / 10)
    weight = BODY_HEIGHT_SD_M**2 / (BODY_HEIGHT_SD_M**2 + variance)
    height = weight * middle + (1 - weight) * BODY_HEIGHT_M
    return height, float(np.sqrt(weight * variance))


def spread_of(values: Array) -> float:
    """Deviation of (n,) values without their outliers: 1.4826 times the median absolute one, as of
    a normal error.
    """
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))
