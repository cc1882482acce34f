"""From a person's box to a position on the ground, with its covariance.

Frames: `px` are image pixels of the camera (x right, y down), `m` the site's ground plane. The foot
point goes through the camera's homography; where the feet are hidden, the head point goes through
the homography of the horizontal plane at the person's height. Pixel error becomes ground covariance
through the Jacobian (first-order error propagation, Hartley & Zisserman, Multiple View Geometry,
2nd ed., section 5.2).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from shapely.geometry import Point

from data_contracts.camera import Camera
from tasks.ground.projection import Projection

Array = NDArray[np.float64]

# Standing height of adults, both sexes pooled: a round figure for a mixed population, wide enough
# for 1.5 to 1.86 m.
BODY_HEIGHT_M = 1.68
BODY_HEIGHT_SD_M = 0.09
# Implied heights beyond this many deviations of the population are not a standing adult's: the feet
# are hidden, or it is not a person.
HEIGHT_GATE_SD = 2.5
# Box jitter: a floor in px and a share of the box's height. On the demo's footage (NanoDet 640 x
# 384 against exact boxes, four cameras, 7,968 boxes) edges of people in full view scatter by 2 to 3
# px at 130 to 170 px height and by 3 to 5 px at 450 px; this is a little more.
EDGE_SD_PX = 1.5
EDGE_SD_SHARE = 0.015
# The detector's boxes reach past the body at top and bottom: -0.6 to 1.1 % of the height there, by
# camera; about half a percent on the whole.
EDGE_MARGIN_SHARE = 0.005
# A box may be cut off by the picture's lower edge where it ends within so many deviations of it:
# feet taken for seen put people metres off, feet taken for hidden cost a head's deviation. Detected
# boxes of cut bodies end 4 to 12 px above the edge (family-001, somebody who walks out below the
# face camera; it was not joined with their way beyond).
CUT_SDS = 2.0
# Edges of someone who stands partly behind another person scatter more, towards that person. A
# guess, on the safe side.
CROWDED_FACTOR = 2.0
# The lowest visible point of standing feet is the near toe or heel, nearer to the camera than the
# body's axis. Chosen on the demo's footage: 0.06 to 0.11 m from exact boxes, 0.17 m in the median
# of detected ones, of which EDGE_MARGIN_SHARE explains a part. Toes towards the camera give more
# (about 0.2 m) than heels (about 0.06 m): AXIS_SD_M.
TOE_OFFSET_M = 0.12
AXIS_SD_M = 0.06
# Error of the homography on the floor, m: what a careful calibration leaves. An assumption.
CALIBRATION_SD_M = 0.03
# Positions this far outside the stated coverage are kept: feet at the edge of the picture. An
# assumption.
COVERAGE_MARGIN_M = 1.0


@dataclass(frozen=True)
class Ground:
    """Positions of n boxes: `xy_m` (n, 2) and `cov_m2` (n, 2, 2), NaN where unknown; `foot_hidden`
    (n,).

    `height_m` (n,) is the body height that foot and head imply together, NaN where it cannot be
    told. `at_odds` (n,): the feet count as hidden only because foot and head imply no body of this
    height; the head may as well be wrong, and `foot_m`, `foot_cov_m2` are what the foot alone says
    (of every box).
    """

    xy_m: Array
    cov_m2: Array
    foot_hidden: NDArray[np.bool_]
    height_m: Array
    at_odds: NDArray[np.bool_]
    foot_m: Array
    foot_cov_m2: Array


@dataclass(frozen=True)
class HeadLine:
    """Lines of sight of n heads: somebody of height h stands at `base_m` + h `per_m` (n, 2), with
    the covariance `cov_m2` (n, 2, 2) of a known height. `implied_m` (n,): the height that foot and
    head together imply. NaN where the head is cut off by the picture's edge.
    """

    base_m: Array
    per_m: Array
    cov_m2: Array
    implied_m: Array


class Locator:
    """Locates boxes of one camera. Raises ValueError where the camera has no homography."""

    def __init__(self, camera: Camera) -> None:
        self.camera = camera
        self.projection = Projection(camera)

    def locate(
        self,
        boxes_px: Array,
        height_m: Array | float = BODY_HEIGHT_M,
        height_sd_m: Array | float = BODY_HEIGHT_SD_M,
        hidden_share: Array | None = None,
    ) -> Ground:
        """Positions of (n, 4) boxes for people of `height_m` ± `height_sd_m`.

        `hidden_share` (n,) says how much of the lower part another person hides (see
        `hidden_by_others`). Foot and head are both used where both are trusted; the head alone
        where the feet are hidden.
        """
        boxes = np.asarray(boxes_px, float).reshape(-1, 4)
        n = len(boxes)
        height = np.broadcast_to(np.asarray(height_m, float), (n,))
        height_sd = np.broadcast_to(np.asarray(height_sd_m, float), (n,))
        share = np.zeros(n) if hidden_share is None else hidden_share
        margin = EDGE_MARGIN_SHARE * (boxes[:, 3] - boxes[:, 1])
        foot_px, head_px = self.projection.axis_ends(boxes, margin)
        sd_px = EDGE_SD_PX + EDGE_SD_SHARE * (boxes[:, 3] - boxes[:, 1])
        crowded = 1 + CROWDED_FACTOR * np.minimum(share / COVERED_SHARE, 1.0)
        foot, foot_cov = self._measure(
            foot_px, np.zeros(n), np.zeros(n), sd_px * crowded, TOE_OFFSET_M
        )
        implied = self.projection.height_of(foot, head_px)
        explained = self.cut_at_bottom(boxes) | (share > COVERED_SHARE) | np.isnan(foot[:, 0])
        hidden = explained | self._too_short(implied, height, height_sd, foot, head_px, sd_px)
        head_cut = boxes[:, 1] <= _border_px(boxes)
        head, head_cov = self._measure(head_px, height, height_sd, sd_px, 0.0)
        head = np.where(head_cut[:, None], np.nan, head)
        xy, cov = _foot_or_head(foot, foot_cov, head, head_cov, hidden)
        implied = np.where(hidden | head_cut | (share > 0), np.nan, implied)
        return self._within_coverage(
            Ground(xy, cov, hidden, implied, hidden & ~explained, foot, foot_cov)
        )

    def head_line(self, boxes_px: Array) -> HeadLine:
        """Where people of each height stand whose heads are the tops of (n, 4) boxes."""
        margin = EDGE_MARGIN_SHARE * (boxes_px[:, 3] - boxes_px[:, 1])
        foot_px, head_px = self.projection.axis_ends(boxes_px, margin)
        sd_px = EDGE_SD_PX + EDGE_SD_SHARE * (boxes_px[:, 3] - boxes_px[:, 1])
        usual = np.full(len(boxes_px), BODY_HEIGHT_M)
        at, cov = self._measure(head_px, usual, np.zeros(len(boxes_px)), sd_px, 0.0)
        above = self.projection.at_height(head_px, usual + 0.1)
        per_m = (above - at) / 0.1
        cut = boxes_px[:, 1] <= _border_px(boxes_px)
        base = np.where(cut[:, None], np.nan, at - BODY_HEIGHT_M * per_m)
        foot, _ = self._measure(foot_px, 0 * usual, 0 * usual, sd_px, TOE_OFFSET_M)
        return HeadLine(base, per_m, cov, self.projection.height_of(foot, head_px))

    def cut_at_bottom(self, boxes_px: Array) -> NDArray[np.bool_]:
        """(n,) whether a box may reach the image's lower edge: within `CUT_SDS` of it."""
        return boxes_px[:, 3] >= self.camera.image_height - CUT_SDS * _border_px(boxes_px)

    def _measure(
        self, px: Array, height: Array, height_sd: Array, sd_px: Array, offset_m: float
    ) -> tuple[Array, Array]:
        """Positions and covariances of points at `height`; `offset_m` moves them away from the
        camera.
        """
        at = self.projection.at_height(px, height)
        columns = []
        for step in (np.array([1.0, 0.0]), np.array([0.0, 1.0])):
            ahead, behind = (self.projection.at_height(px + s * step, height) for s in (0.5, -0.5))
            columns.append((ahead - behind) * sd_px[:, None])
        if self.projection.vertical is not None and height_sd.any():
            columns.append(
                (
                    self.projection.at_height(px, height + 0.01)
                    - self.projection.at_height(px, height - 0.01)
                )
                / 0.02
                * height_sd[:, None]
            )
        jacobian = np.stack(columns, -1)
        cov = jacobian @ jacobian.transpose(0, 2, 1)
        cov = cov + np.eye(2) * (AXIS_SD_M**2 + CALIBRATION_SD_M**2)
        origin = self.projection.camera_xy_m
        if offset_m and origin is not None:
            away = at - origin
            at = at + offset_m * away / np.maximum(
                np.linalg.norm(away, axis=1, keepdims=True), 1e-6
            )
        return at, cov

    def _too_short(
        self,
        implied: Array,
        height: Array,
        height_sd: Array,
        foot: Array,
        head_px: Array,
        sd_px: Array,
    ) -> NDArray[np.bool_]:
        """(n,) whether foot and head imply a body too short (feet hidden) or too tall for the
        person.
        """
        moved = self.projection.height_of(foot, head_px + np.c_[np.zeros(len(head_px)), sd_px])
        sd = np.sqrt(height_sd**2 + 2 * np.nan_to_num(implied - moved) ** 2)
        odd = np.abs(np.nan_to_num(implied, nan=0.0) - height) > HEIGHT_GATE_SD * sd
        return odd & (self.projection.vertical is not None)

    def _within_coverage(self, ground: Ground) -> Ground:
        """Forget positions beyond the coverage: they are extrapolations of the homography."""
        xy = ground.xy_m
        cov = ground.cov_m2
        bad = np.asarray(~(np.isfinite(xy).all(1) & np.isfinite(cov).all((1, 2))), bool)
        if self.camera.polygon is not None:
            safe = np.where(bad[:, None], 0.0, xy)
            spread = np.sqrt(np.where(bad, 0.0, np.trace(cov, axis1=1, axis2=2)))
            away = np.array([self.camera.polygon.distance(Point(x, y)) for x, y in safe])
            bad = bad | (
                away.reshape(-1) > np.clip(spread, COVERAGE_MARGIN_M, 3 * COVERAGE_MARGIN_M)
            )
        return replace(
            ground,
            xy_m=np.where(bad[:, None], np.nan, xy),
            cov_m2=np.where(bad[:, None, None], np.nan, cov),
            height_m=np.where(bad, np.nan, ground.height_m),
        )


def _border_px(boxes_px: Array) -> Array:
    """How near to the image's edge counts as cut: box jitter (see EDGE_SD)."""
    return EDGE_SD_PX + EDGE_SD_SHARE * (boxes_px[:, 3] - boxes_px[:, 1])


def _foot_or_head(
    foot: Array, foot_cov: Array, head: Array, head_cov: Array, hidden: NDArray[np.bool_]
) -> tuple[Array, Array]:
    """Inverse-covariance mean of foot and head; one of them where the other is missing or
    hidden.
    """
    use_foot: NDArray[np.bool_] = ~hidden & np.isfinite(foot).all(1)
    use_head: NDArray[np.bool_] = np.asarray(np.isfinite(head).all(1), bool)
    none = ~use_foot & ~use_head
    w_foot = _inverse_covariance(foot_cov, use_foot)
    w_head = _inverse_covariance(head_cov, use_head)
    total = w_foot + w_head + np.eye(2) * none[:, None, None]
    cov = np.linalg.inv(total)
    mix = w_foot @ np.nan_to_num(foot)[..., None] + w_head @ np.nan_to_num(head)[..., None]
    xy = (cov @ mix)[..., 0]
    return np.where(none[:, None], np.nan, xy), np.where(none[:, None, None], np.nan, cov)


def _inverse_covariance(cov: Array, use: NDArray[np.bool_]) -> Array:
    safe = np.where((use & np.isfinite(cov).all((1, 2)))[:, None, None], cov, np.eye(2))
    return np.linalg.inv(safe) * use[:, None, None]


# A box is covered where another one, whose own foot is lower in the picture (nearer), hides this
# much of its lower third; less than that still pulls its edges.
COVERED_SHARE = 0.35
_COVER_SCORE = 0.3


def hidden_by_others(boxes_px: Array, score: Array) -> Array:
    """(n,) share of the lower third of each box (n, 4) that one nearer person's box hides; low
    `score` hides no one.
    """
    n = len(boxes_px)
    out = np.zeros(n)
    for i in range(n):
        x0, y0, x1, y1 = boxes_px[i]
        lower = y1 - (y1 - y0) / 3
        # The feet must end inside the nearer box, and it must be clearly nearer: equal feet stand
        # beside each other.
        nearer = (
            (boxes_px[:, 3] > y1 + 0.03 * (y1 - y0))
            & (boxes_px[:, 1] < y1)
            & (score >= _COVER_SCORE)
        )
        wide = np.minimum(boxes_px[:, 2], x1) - np.maximum(boxes_px[:, 0], x0)
        high = y1 - np.maximum(boxes_px[:, 1], lower)
        share = np.maximum(wide, 0) * np.maximum(high, 0) / max((x1 - x0) * (y1 - lower), 1e-6)
        out[i] = share[nearer].max(initial=0.0)
    return out
