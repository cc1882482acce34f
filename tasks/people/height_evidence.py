"""Body height as evidence: how much likelier a height is the subject's than anybody's.

A person's height is read where foot and head are seen, in metres over the ground, over all of their
tracks. Like clothes it says little alone: one in several adults is as tall. Others' heights are
made here and forgotten; what comes out is one number a person. Only under the appearance scope.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data_contracts.camera import Site
from tasks.ground.position import BODY_HEIGHT_M, BODY_HEIGHT_SD_M, Locator
from tasks.people.other_view import hidden_share
from tasks.people.track_position import MIN_HEIGHT_SD_M, spread_of

Array = NDArray[np.float64]
_BOX = ["x0", "y0", "x1", "y1"]
# Wide, so that nobody's height is left out for being unusual.
_ANY_SD_M = 0.3
# Fewer boxes of whole bodies say nothing; ten of one pose, two seconds, count as one. Chosen, as
# for positions.
_LEAST = 5
_ONE_POSE = 10
# Between cameras a height differs by this (calibration, shoes, box edges): tracks of one person on
# two cameras of the demo, plaza and the family (`python -m benchmarks.accuracy.heights`).
_CAMERA_SD_M = 0.04
# A height proves nobody and excludes nobody: boxes may be wrong throughout.
_BOUND = 2.0


def height_evidence(keyed: pd.DataFrame, site: Site, subject: Collection[str]) -> dict[str, float]:
    """Log likelihood ratio (the subject : somebody else) of each person's height, given those who
    surely are the `subject`. `keyed`: TRACKS with `person`. Empty where the subject's is unknown.
    """
    known = heights(keyed, site)
    own = known[known.index.isin(set(subject))]
    if own.empty:
        return {}
    usual, sd_m = _mean(own)
    others = known[~known.index.isin(own.index)]
    ratio = log_ratio(others["height_m"].to_numpy(), others["sd_m"].to_numpy(), usual, sd_m)
    return dict(zip(others.index.astype(str), ratio.tolist(), strict=True))


def heights(keyed: pd.DataFrame, site: Site) -> pd.DataFrame:
    """Height and its deviation (height_m, sd_m) by person, of those with enough whole bodies."""
    keyed = keyed.reset_index(drop=True)
    rows = keyed[(keyed["score"] > 0) & ~keyed["foot_hidden"].astype(bool)]
    parts = []
    for camera_id, own in rows.groupby("camera_id", sort=True):
        camera = site.by_id.get(str(camera_id))
        if camera is not None and camera.homography is not None:
            everybody = keyed[keyed["camera_id"] == camera_id]
            parts.append(own.assign(implied_m=_implied(own, everybody, Locator(camera))))
    if not parts:
        return pd.DataFrame({"height_m": [], "sd_m": []}, dtype=float)
    seen = pd.concat(parts).dropna(subset=["implied_m"])
    tracks = seen.groupby(["person", "camera_id", "track_id"])["implied_m"].agg(
        height_m="median", spread=_spread, n="size"
    )
    tracks = tracks[tracks["n"] >= _LEAST]
    poses = np.maximum(1.0, tracks["n"] / _ONE_POSE)
    tracks["sd_m"] = np.sqrt(tracks["spread"] ** 2 / poses + _CAMERA_SD_M**2)
    means = {person: _mean(part) for person, part in tracks.groupby("person", sort=True)}
    return pd.DataFrame.from_dict(means, orient="index", columns=["height_m", "sd_m"])


def log_ratio(height_m: Array, sd_m: Array, usual_m: float, usual_sd_m: float) -> Array:
    """(n,) of heights with deviations, against the subject's and its deviation."""
    own = _log_normal(height_m - usual_m, np.hypot(sd_m, usual_sd_m))
    anybody = _log_normal(height_m - BODY_HEIGHT_M, np.hypot(sd_m, BODY_HEIGHT_SD_M))
    return np.clip(own - anybody, -_BOUND, _BOUND)


def _log_normal(off_m: Array, sd_m: Array) -> Array:
    return np.asarray(-0.5 * (off_m / sd_m) ** 2 - np.log(sd_m))


def _implied(own: pd.DataFrame, everybody: pd.DataFrame, locator: Locator) -> Array:
    """(n,) the height that foot and head of each box imply, NaN where somebody stands before."""
    hidden = pd.Series(hidden_share(everybody), everybody.index)
    share = np.asarray(hidden[own.index], np.float64)
    return locator.locate(own[_BOX].to_numpy(float), BODY_HEIGHT_M, _ANY_SD_M, share).height_m


def _spread(implied_m: pd.Series) -> float:
    """The deviation of one track's implied heights."""
    return max(spread_of(implied_m.to_numpy(float)), MIN_HEIGHT_SD_M)


def _mean(parts: pd.DataFrame) -> tuple[float, float]:
    """Mean by inverse variance of heights, and its deviation: no better than one camera's."""
    weight = 1 / parts["sd_m"].to_numpy() ** 2
    height = float(weight @ parts["height_m"].to_numpy() / weight.sum())
    return height, float(max(1 / np.sqrt(weight.sum()), _CAMERA_SD_M / np.sqrt(len(parts))))
