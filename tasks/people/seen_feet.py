"""Whether somebody who looks short has hidden feet or a short body: a child, a wheelchair.

Feet that furniture hides make a body look short, and further away than it is. But the lower edge
of such a box then lies on the furniture, where nobody's feet are ever seen. Where the feet of
people of usual height were seen at the very place, the floor is in view there, so the feet of who
stands there are too, and the body is as short as it looks. A body that looks too tall is as tall:
nothing that hides feet does that.

This is the map of where feet are ever seen in a camera's picture. Nothing about anyone's looks is
used.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from data_contracts.camera import Site
from data_contracts.record import Record
from data_contracts.tables.contracts import TRACKS
from tasks.ground.position import BODY_HEIGHT_M, Ground, Locator
from tasks.people.other_view import hidden_share, locators_of
from tasks.people.track_position import MIN_HEIGHT_SD_M, placed, spread_of

Array = NDArray[np.float64]
_BOX = ["x0", "y0", "x1", "y1"]
_KEY = ["camera_id", "track_id"]


class SeenFeetSettings(Record):
    """When a body counts as short, or as tall, as it looks. Chosen; `benchmarks.family` and PETS
    are no worse for it.

    `least`: so many boxes of a track must contradict a usual body, and more than agree with one.
    `near_m`: feet seen so near to a place are at that place. `share`: of the boxes that look too
    short at least this many stand where others' feet were seen. `whole_m`: a foot is seen where the
    body is not shorter by more than this than that person is at most. `steady_m`: heights of one
    body scatter less. `shortest_m`, `tallest_m`: beyond them it is no body; a seated child is above
    the one, and whoever is above the other is not on the floor.
    """

    least: int = 10
    near_m: float = 0.3
    share: float = 0.5
    whole_m: float = 0.1
    steady_m: float = 0.12
    shortest_m: float = 0.7
    tallest_m: float = 2.15


def settle_short_and_tall(
    tracks: pd.DataFrame, site: Site, settings: SeenFeetSettings | None = None
) -> pd.DataFrame:
    """TRACKS with those placed anew by their feet who are as short, or as tall, as they look."""
    settings = settings or SeenFeetSettings()
    if tracks.empty:
        return tracks
    hidden = hidden_share(tracks)
    parts = [
        part
        for camera_id, locator in locators_of(tracks, site).items()
        for part in _of_camera(tracks[tracks["camera_id"] == camera_id], hidden, locator, settings)
    ]
    if not parts:
        return tracks
    anew = pd.concat(parts)
    out = pd.concat([tracks.drop(index=anew.index), anew])
    return TRACKS.shape(out.sort_index())


def _of_camera(
    own: pd.DataFrame, hidden: Array, locator: Locator, settings: SeenFeetSettings
) -> list[pd.DataFrame]:
    """The rows of those who are placed anew."""
    if locator.projection.vertical is None or own.empty:
        return []
    boxes = own[_BOX].to_numpy(float)
    seen = (own["score"] > 0).to_numpy(bool)
    share = hidden[own.index]
    ground = locator.locate(boxes, hidden_share=share)
    implied = locator.head_line(boxes).implied_m
    numbers = own["track_id"].to_numpy(np.int64)
    odd = seen & ground.at_odds & np.isfinite(ground.foot_m).all(1) & np.isfinite(implied)
    unusual = [
        number
        for number in np.unique(numbers[odd])
        if _mostly_odd(numbers == number, odd, ground, seen, settings)
    ]
    if not unusual:
        return []
    floor = _floor_in_view(own, ground, seen & ~np.isin(numbers, unusual), settings)
    out = []
    for number in unusual:
        rows = numbers == number
        height = _height(ground.foot_m[rows & odd], implied[rows & odd], floor, settings)
        if height is not None:
            measured = own[rows].assign(hidden_share=share[rows], measured=seen[rows])
            out.append(placed(measured, locator, height))
    return out


def _mostly_odd(
    rows: NDArray[np.bool_],
    odd: NDArray[np.bool_],
    ground: Ground,
    seen: NDArray[np.bool_],
    settings: SeenFeetSettings,
) -> bool:
    """Whether more of a track's boxes contradict a usual body than agree with one."""
    usual = rows & seen & np.isfinite(ground.height_m)
    return bool((rows & odd).sum() >= max(settings.least, usual.sum() + 1))


def _floor_in_view(
    own: pd.DataFrame, ground: Ground, usable: NDArray[np.bool_], settings: SeenFeetSettings
) -> cKDTree | None:
    """Where feet were seen: of people of usual height, where they look as tall as they ever do."""
    usable = usable & np.isfinite(ground.height_m)
    if not usable.any():
        return None
    height = pd.Series(np.where(usable, ground.height_m, np.nan), index=own.index)
    most = height.groupby(own["track_id"]).transform(lambda of: of.quantile(0.9))
    whole = usable & (height >= most - settings.whole_m).to_numpy(bool)
    return cKDTree(ground.foot_m[whole]) if whole.any() else None


def _height(
    foot_m: Array, implied_m: Array, floor: cKDTree | None, settings: SeenFeetSettings
) -> tuple[float, float] | None:
    """The body height with its deviation of boxes that contradict a usual body; None where their
    feet may be hidden.
    """
    middle = float(np.median(implied_m))
    spread = spread_of(implied_m)
    if spread > settings.steady_m or not settings.shortest_m <= middle <= settings.tallest_m:
        return None
    if middle < BODY_HEIGHT_M and not _on_the_floor(foot_m, floor, settings):
        return None
    # Ten boxes (two seconds) of one pose count as one, as in `body_height`.
    return middle, max(MIN_HEIGHT_SD_M, spread / float(np.sqrt(max(1.0, len(implied_m) / 10))))


def _on_the_floor(foot_m: Array, floor: cKDTree | None, settings: SeenFeetSettings) -> bool:
    if floor is None:
        return False
    away, _ = floor.query(foot_m)
    return bool(np.mean(away <= settings.near_m) >= settings.share)
