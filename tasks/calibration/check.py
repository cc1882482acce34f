"""Does a camera's calibration hold? Walkers' body heights over the picture, and what the camera's
record says of itself.

Only boxes are used: no faces, no looks, and what comes out are numbers about the camera, never
about a person.

Of a person of height h at distance d, seen from z above the floor, the calibration makes h d / z
metres more for every radian that the camera really looks further down than its file says (first
order), and h (s - 1) more where the file's metres are too long by the factor s. So the mean tells
the scale and the slope over distance the tilt.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data_contracts.camera import Camera
from data_contracts.errors import BadInput
from data_contracts.time import seconds_of
from tasks.calibration.record_check import position_of
from tasks.ground.position import (
    BODY_HEIGHT_M,
    BODY_HEIGHT_SD_M,
    COVERAGE_MARGIN_M,
    EDGE_SD_SHARE,
    HEIGHT_GATE_SD,
    Locator,
    hidden_by_others,
)
from tasks.ground.projection import Projection
from tasks.people.track import TrackSettings, track

Array = NDArray[np.float64]
_BOX_COLUMNS = ["x0", "y0", "x1", "y1"]

# Errors of one pose last: two seconds of a person count as one height
# (tasks.people.track_position.body_height).
_PIECE_S = 2.0
# Doubt of such a height: both edges of the box (EDGE_SD_SHARE) and the rise and fall of a gait,
# about 2 cm.
_HEIGHT_SD_M = float(np.hypot(np.sqrt(2) * EDGE_SD_SHARE * BODY_HEIGHT_M, 0.02))
# How far the mean of a site's people may be from BODY_HEIGHT_M: means of countries, both sexes
# pooled, lie between about 1.56 and 1.76 m (NCD-RisC, eLife 2016); shoes and the detector's edges
# are inside that.
_SITE_SD_M = 0.04
# A person of stated height: shoes and posture. An assumption.
_STATED_SD_M = 0.02
# A change over the picture below this share of the height is within what a detector's edges vary (1
# to 2 %, EDGE_SD) and what feet on a slope or in a doorway do.
_LEAST_CHANGE = 0.05
_CHANGE_SD = 3.0
# Fewer pieces of walking say nothing; standing still at one distance tells no tilt.
_LEAST_PIECES = 4
_LEAST_SPAN = 0.25
_HUBER_TUNING = 1.345  # 95 % efficient for normal errors (Huber 1981)
_OUTSIDE_SHARE = 0.2


@dataclass(frozen=True)
class Walkers:
    """Pieces of walking, each of (n,): `height_m` as the calibration sees it, `distance_m` from the
    camera's foot, `across` the picture (-0.5 left, 0.5 right), `track` number; `outside` is the
    share of places outside the coverage.
    """

    height_m: Array
    distance_m: Array
    across: Array
    track: NDArray[np.intp]
    outside: float


@dataclass(frozen=True)
class HeightCheck:
    """`height_m` ± `height_sd_m` of `tracks` tracks; how much taller people appear far than near
    and right than left, each over the stretch that was walked, ± its deviation (NaN where it cannot
    be told); `warnings`, empty when all is well.
    """

    tracks: int
    height_m: float
    height_sd_m: float
    far_m: float
    far_sd_m: float
    right_m: float
    right_sd_m: float
    warnings: tuple[str, ...] = ()


def walkers(
    detections: pd.DataFrame, camera: Camera, settings: TrackSettings | None = None
) -> Walkers:
    """Heights of everyone tracked in DETECTIONS of one camera whose head and feet are seen.

    `settings`: None where the detections are the default detector's.
    Raises BadInput without a calibration, or where its record gives no vertical.
    """
    settings = settings or TrackSettings()
    below = _foot_of_camera(camera)
    # Tracked in the picture alone: the ground is what is in question.
    plain = Camera(**{**camera.model_dump(), "homography_px_to_local": None})
    seen = track(detections, plain, settings)
    boxes = seen[_BOX_COLUMNS].to_numpy(float)
    score = seen["score"].to_numpy(float)
    share = np.zeros(len(seen))
    for rows in seen.groupby("t_utc").indices.values():
        share[rows] = hidden_by_others(boxes[rows], score[rows])
    # No gate on heights and no limit by coverage: a wrong calibration must show.
    ground = Locator(Camera(**{**camera.model_dump(), "coverage_local_m": ()})).locate(
        boxes, height_sd_m=1e3, hidden_share=share
    )
    apart = np.linalg.norm(ground.xy_m - below, axis=1)
    good = (score >= settings.high_score) & np.isfinite(ground.height_m) & np.isfinite(apart)
    piece = pd.DataFrame(
        {
            "track": seen["track_id"],
            "piece": seconds_of(seen["t_utc"]) // _PIECE_S,
            "height": ground.height_m,
            "distance": apart,
            "across": boxes[:, [0, 2]].mean(1) / camera.image_width - 0.5,
        }
    )[good]
    groups = piece.groupby(["track", "piece"])
    rows = groups.median()[groups.size() >= settings.min_frames].reset_index()
    reach = _coverage_reach(camera, below)
    near = ground.xy_m[
        good & (apart <= reach)
    ]  # people may be seen beyond the coverage, through a door or a window
    outside = [not camera.covers(x, y, COVERAGE_MARGIN_M) for x, y in near]
    return Walkers(
        rows["height"].to_numpy(float),
        rows["distance"].to_numpy(float),
        rows["across"].to_numpy(float),
        rows["track"].to_numpy(np.intp),
        float(np.mean(outside)) if outside else 0.0,
    )


def _coverage_reach(camera: Camera, below: Array) -> float:
    """Distance of the coverage's farthest corner, m; none without a coverage."""
    if not camera.coverage_local_m:
        return 0.0
    return float(np.linalg.norm(np.array(camera.coverage_local_m) - below, axis=1).max())


def _foot_of_camera(camera: Camera) -> Array:
    """The point (2,) m on the floor below the camera."""
    if camera.homography is None:
        raise BadInput(
            f"camera {camera.camera_id} is not calibrated: run encounter camera calibrate"
        )
    below = Projection(camera).camera_xy_m
    if below is None:
        raise BadInput(
            f"camera {camera.camera_id}: its homography alone does not tell heights, as that of a "
            "plain camera does:"
            " calibrate it again, or give position_local_m"
        )
    return below


def check_heights(seen: Walkers, camera: Camera, stated_m: float | None = None) -> HeightCheck:
    """Compare heights with what adults are, or with `stated_m` where only people of that height
    walk.

    Raises BadInput where too few people are seen whole.
    """
    n = len(seen.height_m)
    if n < _LEAST_PIECES:
        raise BadInput(
            f"camera {camera.camera_id}: expected at least {_LEAST_PIECES * _PIECE_S:g} s of "
            "people seen from head to feet,"
            f" got {n * _PIECE_S:g} s; take footage in which someone walks near and far, left and "
            "right"
        )
    middle = BODY_HEIGHT_M if stated_m is None else stated_m
    between = BODY_HEIGHT_SD_M if stated_m is None else _STATED_SD_M
    spans = np.array([np.ptp(np.quantile(v, [0.1, 0.9])) for v in (seen.distance_m, seen.across)])
    told = np.flatnonzero(spans > [_LEAST_SPAN * np.median(seen.distance_m), _LEAST_SPAN])
    slopes = np.c_[seen.distance_m, seen.across][:, told]
    value, sd = _mixed_model(seen.height_m, slopes, seen.track, middle, between)
    change = np.full(2, np.nan)
    change_sd = np.full(2, np.nan)
    change[told], change_sd[told] = value[1:] * spans[told], sd[1:] * spans[told]
    found = HeightCheck(
        tracks=len(np.unique(seen.track)),
        height_m=float(value[0]),
        height_sd_m=float(np.hypot(sd[0], _SITE_SD_M if stated_m is None else _STATED_SD_M)),
        far_m=float(change[0]),
        far_sd_m=float(change_sd[0]),
        right_m=float(change[1]),
        right_sd_m=float(change_sd[1]),
    )
    return replace(
        found, warnings=tuple(_check_warnings(found, seen, camera, middle, float(spans[0])))
    )


def _mixed_model(
    height: Array, slopes: Array, group: NDArray[np.intp], middle: float, between: float
) -> tuple[Array, Array]:
    """Mean and slopes with their deviations, each track with a height of its own around the mean (±
    `between`).

    Robust least squares of a mixed model: both a track's height and a piece's error may be outliers
    (Huber's weights).
    """
    tracks, index = np.unique(group, return_inverse=True)
    fixed = np.c_[np.ones(len(height)), slopes - np.median(slopes, axis=0)]
    own = np.eye(len(tracks))[index]
    prior = np.c_[np.zeros((len(tracks), fixed.shape[1])), np.eye(len(tracks)) / between]
    by_piece = np.ones(len(height))
    by_track = np.ones(len(tracks))
    for _ in range(10):
        weight = np.sqrt(by_piece)[:, None] / _HEIGHT_SD_M
        system = np.vstack([np.c_[fixed, own] * weight, prior * np.sqrt(by_track)[:, None]])
        target = np.r_[(height - middle) * weight[:, 0], np.zeros(len(tracks))]
        found = np.linalg.lstsq(system, target, rcond=None)[0]
        error = height - middle - np.c_[fixed, own] @ found
        by_piece = np.minimum(1, _HUBER_TUNING * _HEIGHT_SD_M / np.maximum(np.abs(error), 1e-9))
        by_track = np.minimum(
            1, _HUBER_TUNING * between / np.maximum(np.abs(found[fixed.shape[1] :]), 1e-9)
        )
    sd = np.sqrt(np.diag(np.linalg.pinv(system.T @ system)))
    value = found[: fixed.shape[1]].copy()
    value[0] += middle
    return value, sd[: fixed.shape[1]]


def _check_warnings(
    found: HeightCheck, seen: Walkers, camera: Camera, middle: float, span_m: float
) -> Iterator[str]:
    """What is wrong, and in which direction."""
    least = _LEAST_CHANGE * middle
    if abs(found.far_m) > max(_CHANGE_SD * found.far_sd_m, least):
        height = _camera_height(camera)
        tilt = np.degrees(abs(found.far_m) / span_m * height / middle)
        more = ("taller", "further down") if found.far_m > 0 else ("smaller", "less far down")
        yield (
            f"tilt: far from the camera people appear {abs(found.far_m):.2f} m {more[0]} than near "
            "it: the camera looks"
            f" {more[1]} than its file says, by about {tilt:.1f} degrees; was it moved?"
        )
    if abs(found.right_m) > max(_CHANGE_SD * found.right_sd_m, least):
        side = "right" if found.right_m > 0 else "left"
        yield (
            f"turn: people appear {abs(found.right_m):.2f} m taller on the {side} of the picture: "
            "the picture is turned about"
            " its middle, or the points on one side were wrong"
        )
    off = found.height_m / middle - 1
    if abs(found.height_m - middle) > HEIGHT_GATE_SD * found.height_sd_m:
        way = ("long", "further down") if off > 0 else ("short", "less far down")
        yield (
            f"scale: people appear {found.height_m:.2f} m tall, {middle:.2f} m is expected: the "
            "file's metres (or the stated"
            f" height of the camera) are too {way[0]} by about {abs(off):.0%}, or the camera looks "
            f"{way[1]} than its file says"
        )
    if seen.outside > _OUTSIDE_SHARE:
        yield (
            f"coverage: {seen.outside:.0%} of the places where people stand are outside the "
            "camera's coverage: the homography"
            " or the coverage is another camera's, or out of date"
        )


def _camera_height(camera: Camera) -> float:
    place = position_of(camera)
    return place[2] if place is not None and place[2] > 0 else 1.0
