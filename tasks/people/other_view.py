"""Body heights from another camera's view: feet cut off by furniture look like somebody of
average height further away, and one camera alone cannot tell.

A head seen from one camera lies on a line of sight, and each body height is a place on it. Where
two overlapping cameras place two tracks apart, and one height brings the head of the one (feet
hidden) to the place of the other for all of their common time, the two may be one person of that
height: the track is placed anew with it. Whether they are one person is still for
`tasks.people.join` to say. Nothing about anyone's looks is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data_contracts.camera import Site
from data_contracts.record import Record
from data_contracts.tables.contracts import TRACKS
from data_contracts.time import CLOCK_S
from tasks.ground.position import Locator, hidden_by_others
from tasks.people.ground_path import GroundPath, overlap_ratio, path_of
from tasks.people.join import JoinSettings
from tasks.people.track_position import MIN_HEIGHT_SD_M, placed

Array = NDArray[np.float64]
_BOX = ["x0", "y0", "x1", "y1"]


class OtherViewSettings(Record):
    """When another camera's view decides about hidden feet. Chosen for the reason beside each.

    `min_common_s`: two looks that do not share a pose. `height_m` ± `height_sd_m`: adults and
    children of school age, wide enough that a few looks outweigh it. `tallest_m`, `shortest_m`:
    beyond them it is not a standing body. `misfit`: mean squared Mahalanobis distance of the fitted
    places, of which 2 is expected. `rival`: how many times worse the second-best track must fit.
    `look_s`: instants of one pose, that count as one. `shorter_m`: hidden feet make a body look
    shorter by at least this. `both_feet`: what it costs to say that both cameras miss the feet.
    """

    min_common_s: float = 2.0
    height_m: float = 1.65
    height_sd_m: float = 0.2
    shortest_m: float = 1.0
    tallest_m: float = 2.1
    misfit: float = 4.0
    rival: float = 3.0
    look_s: float = 2.0
    shorter_m: float = 0.05
    both_feet: float = 1.0


@dataclass(frozen=True, eq=False)
class _View:
    """One track: its path, and by tick where its head is at no height and per metre of height."""

    key: tuple[str, int]
    path: GroundPath
    ticks: NDArray[np.intp]
    base_m: Array
    per_m: Array
    cov_m2: Array
    implied_m: Array


class Fit(NamedTuple):
    """One body height for two tracks: mean squared Mahalanobis distance of the places, the height
    with its deviation, and the time in common.
    """

    misfit: float
    height_m: float
    height_sd_m: float
    common_s: float


def settle_heights(
    tracks: pd.DataFrame, site: Site, settings: OtherViewSettings | None = None
) -> pd.DataFrame:
    """TRACKS with those placed anew whose feet are hidden by what another camera sees.

    What agrees with the other camera as it is placed stays, and so does a track for which two
    others fit about as well.
    """
    settings = settings or OtherViewSettings()
    if tracks["x_m"].notna().sum() == 0 or tracks["camera_id"].nunique() < 2:
        return tracks
    locators = locators_of(tracks, site)
    views = _views(tracks, locators)
    found = {v.key: _height_of(v, views, site, settings) for v in views}
    heights = {key: fit for key, fit in found.items() if fit is not None}
    if not heights:
        return tracks
    hidden = hidden_share(tracks)
    parts = []
    for _, rows in tracks.groupby(["camera_id", "track_id"], sort=False):
        key = _key(rows)
        fit = heights.get(key)
        if fit is not None:
            locator = locators[key[0]]
            rows = _placed_anew(rows, hidden[rows.index], fit, locator, settings)
        parts.append(rows)
    return TRACKS.shape(pd.concat(parts).sort_index())


def one_height(
    one: pd.DataFrame, other: pd.DataFrame, site: Site, settings: OtherViewSettings
) -> Fit | None:
    """The body height at which two people's tracks, on overlapping cameras, are at one place for
    the longest time; None where there is none.

    `one`, `other`: rows of TRACKS with a score. Either's feet may be the hidden ones, or both.
    """
    rows = pd.concat([one, other])
    located = rows[rows["x_m"].notna()]
    if located.empty:
        return None
    views = _views(rows, locators_of(rows, site))
    theirs = set(zip(other["camera_id"], other["track_id"], strict=True))
    fits = [
        fit
        for a in views
        for b in views
        if a.key not in theirs and b.key in theirs and _overlap(a, b, site)
        for view, seen, both in ((a, b, False), (b, a, False), (a, b, True))
        if (fit := _fit(view, seen, settings, both)) is not None and fit.misfit <= settings.misfit
    ]
    return max(fits, key=lambda fit: fit.common_s, default=None)


def locators_of(tracks: pd.DataFrame, site: Site) -> dict[str, Locator]:
    """The calibrated cameras that tracks were seen by."""
    seen = sorted(set(tracks["camera_id"]))
    cameras = [site.by_id[camera_id] for camera_id in seen if camera_id in site.by_id]
    return {c.camera_id: Locator(c) for c in cameras if c.homography is not None}


def _overlap(a: _View, b: _View, site: Site) -> bool:
    """Whether the views are of two cameras that look at one place."""
    return a.key[0] != b.key[0] and site.overlapping(*sorted((a.key[0], b.key[0])))


def _key(rows: pd.DataFrame) -> tuple[str, int]:
    """Camera and number of one track's rows."""
    return str(rows["camera_id"].iloc[0]), int(rows["track_id"].iloc[0])


def _placed_anew(
    rows: pd.DataFrame,
    hidden_share: Array,
    fit: Fit,
    locator: Locator,
    settings: OtherViewSettings,
) -> pd.DataFrame:
    """One track's rows for a body of the fitted height; feet that make it shorter are hidden."""
    implied = locator.head_line(rows[_BOX].to_numpy(float)).implied_m
    short = implied < fit.height_m - settings.shorter_m
    measured = rows.assign(
        hidden_share=np.where(short, 1.0, hidden_share), measured=rows["score"] > 0
    )
    return placed(measured, locator, (fit.height_m, max(fit.height_sd_m, MIN_HEIGHT_SD_M)))


def _views(tracks: pd.DataFrame, locators: dict[str, Locator]) -> list[_View]:
    located = tracks[tracks["x_m"].notna()]
    origin = located["t_utc"].min()
    views = []
    for _, rows in located.groupby(["camera_id", "track_id"], sort=True):
        key = _key(rows)
        locator = locators.get(key[0])
        if locator is None or locator.projection.vertical is None:
            continue
        views.append(_view(key, rows, origin, locator))
    return views


def _view(
    key: tuple[str, int], rows: pd.DataFrame, origin: pd.Timestamp, locator: Locator
) -> _View:
    own = rows[rows["score"] > 0]
    boxes = own[_BOX].to_numpy(float)
    ticks = np.round((own["t_utc"] - origin).dt.total_seconds().to_numpy() / CLOCK_S).astype(int)
    ticks, first = np.unique(ticks, return_index=True)
    boxes = boxes[first]
    ground = locator.head_line(boxes)
    return _View(
        key,
        path_of(rows, origin),
        ticks,
        ground.base_m,
        ground.per_m,
        ground.cov_m2,
        ground.implied_m,
    )


def _height_of(
    view: _View, views: list[_View], site: Site, settings: OtherViewSettings
) -> Fit | None:
    """The height that another camera's track gives to this one; None where it is not needed or not
    clear.
    """
    others = [
        v
        for v in views
        if _overlap(v, view, site) and v.path.common(view.path) * CLOCK_S >= settings.min_common_s
    ]
    agreeing = [other for other in others if _agree(view, other)]
    open_to = [
        other
        for other in others
        if other not in agreeing
        and not any(_together(other, known) for known in agreeing)
        and not _taken(other, view, views)
    ]
    return _clear(view, open_to, settings)


def _clear(view: _View, open_to: list[_View], settings: OtherViewSettings) -> Fit | None:
    """The best fit among the tracks, if none that was seen beside it fits nearly as well."""
    fits = [
        (fit, other)
        for other in open_to
        for both in (False, True)
        if (fit := _fit(view, other, settings, both)) is not None
    ]
    fits.sort(key=lambda item: item[0].misfit)
    if not fits or fits[0][0].misfit > settings.misfit:
        return None
    best, chosen = fits[0]
    least = settings.rival * max(best.misfit, 1.0)
    if any(_together(other, chosen) and fit.misfit < least for fit, other in fits[1:]):
        return None
    return best


def _agree(a: _View, b: _View) -> bool:
    """Whether the two are one person as they are placed."""
    known = JoinSettings()
    ratio, judged = overlap_ratio(a.path, b.path, known.density_per_m2, known.min_common_s)
    return judged and ratio >= known.accept


def _taken(other: _View, view: _View, views: list[_View]) -> bool:
    """Whether `other` is somebody else on this camera at the same time."""
    return any(_together(v, view) and _agree(v, other) for v in views)


def _together(a: _View, b: _View) -> bool:
    """Whether one camera sees the two at a time: then they are two people."""
    limit = JoinSettings().same_camera_overlap_s / CLOCK_S
    return a.key[0] == b.key[0] and a.key != b.key and a.path.common(b.path) > limit


def _fit(view: _View, other: _View, settings: OtherViewSettings, both: bool = False) -> Fit | None:
    """The height that brings this track's head to the other's place (least squares with the
    population as prior), and how well it does; None where no standing body with hidden feet does.

    `both`: the other's feet are hidden too, so the two heads are brought together.
    """
    at = other.ticks if both else other.path.ticks[other.path.seen]
    place = other.base_m if both else other.path.xy[other.path.seen]
    cov = other.cov_m2 if both else other.path.cov[other.path.seen]
    _, mine, theirs = np.intersect1d(view.ticks, at, return_indices=True)
    good = np.isfinite(view.base_m[mine]).all(1) & np.isfinite(place[theirs]).all(1)
    mine = mine[good]
    theirs = theirs[good]
    if len(mine) * CLOCK_S < settings.min_common_s:
        return None
    gap = view.base_m[mine] - place[theirs]
    per_m = view.per_m[mine] - (other.per_m[theirs] if both else 0.0)
    cov = view.cov_m2[mine] + cov[theirs]
    weight = np.linalg.inv(cov)
    looks = CLOCK_S / settings.look_s
    known = looks * float(np.einsum("ni,nij,nj->", per_m, weight, per_m))
    pull = looks * float(np.einsum("ni,nij,nj->", per_m, weight, gap))
    prior = settings.height_sd_m**-2
    height = (prior * settings.height_m - pull) / (known + prior)
    off = gap + height * per_m
    misfit = float(np.mean(np.einsum("ni,nij,nj->n", off, weight, off)))
    implied = view.implied_m[mine]
    # As short as they look, or shorter for hidden feet; nothing makes a body look taller.
    short = np.isnan(implied) | (implied < height + settings.shorter_m)
    plausible = settings.shortest_m <= height <= settings.tallest_m
    if not plausible or np.mean(short) < 0.5:
        return None
    misfit += settings.both_feet if both else 0.0
    return Fit(misfit, height, float((known + prior) ** -0.5), len(mine) * CLOCK_S)


def hidden_share(tracks: pd.DataFrame) -> Array:
    """(n,) how much of each row a nearer tracked person hides; 1 where interpolated."""
    out = np.ones(len(tracks))
    boxes = tracks[_BOX].to_numpy(float)
    score = tracks["score"].to_numpy(float)
    groups = tracks.reset_index(drop=True).groupby(["camera_id", "t_utc"]).indices
    for rows in groups.values():
        seen = rows[score[rows] > 0]
        out[seen] = hidden_by_others(boxes[seen], score[seen])
    return out
