"""Calibrate a camera from clicked points: which model, which point is off, how far off the ground
is.

Every point counts by its own doubt: that of the click and that of the measured place, carried into
the picture (Hartley & Zisserman, Multiple View Geometry, 2nd ed., section 4.2.4 treats errors in
both). A model passes when the sum of squares is no larger than that doubt makes it in 999 of 1,000
calibrations (chi-square test); a richer model is taken only where it explains more than chance
would.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from data_contracts.camera import Camera
from data_contracts.errors import BadInput
from tasks.calibration.clicks import LEAST_POINTS, Clicks, check
from tasks.calibration.fit import GAIN, Fit, fit_model
from tasks.calibration.pinhole import FreePlane, Lens, Pinhole
from tasks.calibration.record_check import POSITION_SD_M
from tasks.ground.position import BODY_HEIGHT_M, BODY_HEIGHT_SD_M
from tasks.ground.projection import focal_of

Array = NDArray[np.float64]

# Lens distortion needs points all over the picture; with fewer than eight it takes up the noise. An
# assumption.
_LEAST_FOR_LENS = 8
_UNCLEAR_POINT = -1

# A body height follows from the camera's height in proportion: beyond this share it is worse than
# not knowing the person (tasks.ground.position: BODY_HEIGHT_SD_M is 5 % of BODY_HEIGHT_M).
_HEIGHT_DOUBT = BODY_HEIGHT_SD_M / BODY_HEIGHT_M


@dataclass(frozen=True)
class CameraCalibration:
    """The fit that was taken, the point left out as off (index) and the errors of each of n points.

    `residual_px`, `residual_m` (n, 2): clicked minus fitted in the picture, mapped minus measured
    on the ground. `known` (3,): what was stated of the position, NaN where nothing.
    """

    fit: Fit
    clicks: Clicks
    off: int | None
    residual_px: Array
    residual_m: Array
    known: Array
    notes: tuple[str, ...]

    @cached_property
    def left_out_m(self) -> Array:
        """(n,) the error in m at each point when it is not used; NaN where too few remain. A point
        that is off never is.
        """
        out = np.full(len(self.clicks), np.nan)
        for i in range(len(self.clicks)):
            keep = np.arange(len(self.clicks)) != i
            if self.off is not None:
                keep[self.off] = False
            fit = _fitted_again(self.fit, self.clicks.only(keep), self.known)
            if fit is not None:
                at = fit.ground(self.clicks.px[i : i + 1]) - self.clicks.m[i : i + 1]
                out[i] = np.linalg.norm(at)
        return out

    @property
    def homography(self) -> tuple[tuple[float, float, float], ...]:
        """Pixels to local metres as the camera file has it, largest number 1."""
        h = np.linalg.inv(self.fit.to_image)
        h = h / h.flat[int(np.abs(h).argmax())]
        return tuple((float(a), float(b), float(c)) for a, b, c in h)


def calibrate(
    clicks: Clicks, camera: Camera, position_m: tuple[float | None, ...] = (None, None, None)
) -> CameraCalibration:
    """Fit a camera to clicks. `position_m` is what is measured of its position (x, y, z), None
    where it is not.

    Known intrinsics and distortion of `camera` are kept. Raises BadInput where the points fix no
    plane, lie above the horizon, mirror the ground, or disagree and none of them alone explains it.
    """
    check(clicks)
    known = np.array([np.nan if v is None else v for v in position_m], float)
    lens = Lens.of(camera)
    best = _best_fit(clicks, lens, known)
    off = None
    if best is None or not best.passes or not best.plain:
        off, without = _find_off(
            clicks, lens, known, best if best is not None and best.passes else None
        )
        best = without or best
        if off == _UNCLEAR_POINT and best is not None:
            raise BadInput(_disagreement_text(best))
    if best is None:
        raise BadInput(_why_not(clicks, lens))
    if np.linalg.det(best.to_image) > 0:
        raise BadInput(_MIRRORED_TEXT)
    if best.dof > 0 and not best.passes:
        raise BadInput(_disagreement_text(best))
    px = best.pixels(clicks.m)
    m = best.ground(clicks.px)
    notes = tuple(_user_notes(best, known, clicks, off))
    return CameraCalibration(best, clicks, off, clicks.px - px, m - clicks.m, known, notes)


def _best_fit(clicks: Clicks, lens: Lens, known: Array) -> Fit | None:
    """The simplest model that passes; else the plain one, else the free homography, else None."""
    free = fit_model(FreePlane(clicks, lens), clicks, np.full(3, np.nan))
    if free is None:
        return None
    plain = _plain_fit(free, clicks, lens, known)
    if np.isfinite(known).any() and (plain is None or not plain.passes):
        # The stated position may be the wrong one: the notes tell.
        unheld = _plain_fit(free, clicks, lens, np.full(3, np.nan))
        if unheld is not None and unheld.passes:
            plain = unheld
            known = np.full(3, np.nan)
    if plain is not None and lens.focal is None and len(clicks) >= _LEAST_FOR_LENS:
        start = plain.model
        assert isinstance(start, Pinhole)
        bent = fit_model(
            Pinhole(lens, float(np.exp(plain.theta[0])), plain.to_image, True), clicks, known
        )
        if bent is not None and bent.passes and plain.square - bent.square > GAIN:
            return bent
    if plain is not None and plain.passes:
        return plain
    return free if free.passes or free.dof == 0 or plain is None else plain


def _plain_fit(free: Fit, clicks: Clicks, lens: Lens, known: Array) -> Fit | None:
    """The plain camera, from the homography's focal length where it tells one, else from two usual
    ones.
    """
    width = 2 * lens.cx
    own = lens.focal or focal_of(free.to_image, lens.cx, lens.cy, lens.aspect)
    starts = [own] if own and 0.2 < own / width < 20 else [0.7 * width, 1.5 * width]
    fits = [fit_model(Pinhole(lens, f, free.to_image), clicks, known) for f in starts]
    good = [f for f in fits if f is not None and f.theta[6] > 0]
    return min(good, key=lambda f: f.square, default=None)


def _find_off(
    clicks: Clicks, lens: Lens, known: Array, free: Fit | None
) -> tuple[int | None, Fit | None]:
    """The one point without which all others agree, and their fit; _UNCLEAR_POINT where it may be
    one of several; else None.

    A `free` homography that fits all points may hide a bad click: then the others must agree with a
    plain camera, and better than it does. Of five points none can be told: any four agree with
    something.
    """
    if len(clicks) <= LEAST_POINTS + 1:
        return (None if len(clicks) == LEAST_POINTS else _UNCLEAR_POINT), None
    found = []
    for i in range(len(clicks)):
        fit = _fit_or_none(clicks.without(i), lens, known)
        if (
            fit is not None
            and fit.passes
            and (free is None or (fit.plain and fit.square < free.square))
        ):
            found.append((fit.square, i, fit))
    found.sort(key=lambda item: item[:2])
    if not found:
        return None, None
    if len(found) > 1 and found[1][0] - found[0][0] < GAIN:
        return _UNCLEAR_POINT, None
    return found[0][1], found[0][2]


def _fit_or_none(clicks: Clicks, lens: Lens, known: Array) -> Fit | None:
    """A fit of fewer points; None where they fix no plane."""
    try:
        check(clicks)
    except BadInput:
        return None
    return _best_fit(clicks, lens, known)


def _fitted_again(best: Fit, clicks: Clicks, known: Array) -> Fit | None:
    """The same model fitted to fewer points; None where they fix no plane."""
    try:
        check(clicks)
    except BadInput:
        return None
    model = best.model
    if isinstance(model, Pinhole):
        return fit_model(
            Pinhole(model.lens, float(np.exp(best.theta[0])), best.to_image, model.with_k1),
            clicks,
            known,
        )
    return fit_model(FreePlane(clicks, model.lens), clicks, np.full(3, np.nan))


_MIRRORED_TEXT = (
    "the points show the floor from below (mirrored): x_m grows to the east and y_m to the north, "
    "seen from above;"
    " exchange x_m and y_m, or turn the sign of one of them"
)


def _why_not(clicks: Clicks, lens: Lens) -> str:
    """Why no homography maps all points: some of them end above its horizon."""
    start = FreePlane(clicks, lens)
    depth = (np.c_[clicks.m, np.ones(len(clicks))] @ start.to_image(start.start).T)[:, 2]
    beyond = [str(i + 1) for i in np.flatnonzero(depth <= 1e-9)]
    return (
        "no camera sees these points in these places: point "
        f"{', '.join(beyond) or 'by point they'} would lie behind the"
        " horizon; check that clicks and metres are in the same order and that the places are right"
    )


def _disagreement_text(fit: Fit) -> str:
    clicks = fit.clicks
    error = np.linalg.norm(fit.pixels(clicks.m) - clicks.px, axis=1)
    ranked = ", ".join(f"{i + 1} ({error[i]:.0f} px)" for i in np.argsort(-error)[:3])
    return (
        f"the points disagree by more than {clicks.click_sd_px:g} px and {clicks.measured_sd_m:g} "
        "m explain, and"
        f" no single point explains it; largest errors: {ranked}. Check these, measure more points,"
        " or state a lower accuracy (--click-px, --measured-m)"
    )


def _user_notes(fit: Fit, known: Array, clicks: Clicks, off: int | None) -> Iterator[str]:
    """What the user must know beside the numbers."""
    if off is not None:
        yield (
            f"point {off + 1} does not agree with the others and was left out:"
            " check its click and its metres"
        )
    if len(clicks) == LEAST_POINTS:
        yield "four points cannot check each other: a wrong one may go unseen; measure two more"
    if not fit.plain:
        yield (
            "the points do not agree with a plain camera (square pixels, optical axis in the "
            "middle): only the floor is"
            " calibrated; give --position so that heads and hidden feet can be placed"
        )
    if fit.lens is not fit.model.lens:
        yield (
            f"the lens bends lines: k1 = {fit.lens.distortion[0]:.3f}"
            f" and a focal length of {fit.lens.focal:.0f} px are written"
        )
    place = fit.position()
    if place is None:
        return
    at, sd = place
    apart = np.abs(at - known)
    if (np.nan_to_num(apart) > 3 * POSITION_SD_M).any():
        said = ", ".join("?" if np.isnan(v) else f"{v:.2f}" for v in known)
        seen = ", ".join(f"{v:.2f}" for v in at)
        yield f"the stated position ({said}) m is not where the points see the camera ({seen})"
    if sd[2] > _HEIGHT_DOUBT * at[2]:
        yield (
            f"the camera's height follows from these points only to {sd[2]:.2f} m ({at[2]:.2f} m): "
            "people's heights and"
            " hidden feet will be as unsure; measure it and give --height, or spread the points "
            "more"
        )
