"""What a calibration is told as: the camera with it, its record in the camera file, and a row for
each point.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np

from data_contracts.camera import Camera
from tasks.calibration.calibrate import CameraCalibration
from tasks.calibration.picture import coverage


def calibrated_camera(
    camera: Camera, found: CameraCalibration, stated: tuple[float | None, ...]
) -> Camera:
    """The camera with the homography that was found, the position where all of it was `stated`
    (x, y, z), the lens where it was fitted, and a coverage where it has none.
    """
    lens = found.fit.lens
    changes: dict[str, Any] = {"homography_px_to_local": found.homography}
    if all(v is not None for v in stated):
        changes["position_local_m"] = stated
    if lens is not found.fit.model.lens:
        changes["intrinsics"] = {"fx": lens.focal, "fy": lens.focal, "cx": lens.cx, "cy": lens.cy}
        changes["distortion"] = lens.distortion
    new = Camera(**{**camera.model_dump(), **changes})
    if not new.coverage_local_m:
        new = Camera(**{**new.model_dump(), "coverage_local_m": coverage(found.fit, new)})
    return new


def calibration_record(found: CameraCalibration, at_utc: datetime) -> dict[str, Any]:
    """What the camera file says of its calibration. `left_out_m`: the median error at a point that
    was not used; left away where too few points tell it.
    """
    bent = found.fit.lens is not found.fit.model.lens
    used = np.arange(len(found.clicks)) != (-1 if found.off is None else found.off)
    record: dict[str, Any] = {
        "at_utc": at_utc.isoformat(timespec="seconds"),
        "points": int(used.sum()),
        "rms_px": round(float(np.sqrt((found.residual_px[used] ** 2).sum(1).mean())), 2),
        "rms_m": round(float(np.sqrt((found.residual_m[used] ** 2).sum(1).mean())), 3),
        "fitted": ["intrinsics", "distortion"] if bent else [],
    }
    median = left_out_median_m(found)
    return record if median is None else {**record, "left_out_m": round(median, 3)}


def left_out_median_m(found: CameraCalibration) -> float | None:
    """Median error in m at the points when each is not used; None where too few remain. The point
    that is off does not count.
    """
    told = np.isfinite(found.left_out_m)
    if found.off is not None:
        told[found.off] = False
    return float(np.median(found.left_out_m[told])) if told.any() else None


def point_rows(found: CameraCalibration) -> list[dict[str, Any]]:
    """A row for each point, from number 1: where it was clicked (px) and measured (m), how far the
    fit misses it in both, the error when it is not used (NaN where that cannot be told), and what
    the points leave open there (1 sd, m).
    """
    doubt = found.fit.ground_sd(found.clicks.px)
    return [
        {
            "point": i + 1,
            "px": found.clicks.px[i].tolist(),
            "m": found.clicks.m[i].tolist(),
            "off": i == found.off,
            "off_px": float(np.linalg.norm(found.residual_px[i])),
            "off_m": float(np.linalg.norm(found.residual_m[i])),
            "left_out_m": float(found.left_out_m[i]),
            "doubt_m": float(doubt[i]),
        }
        for i in range(len(found.clicks))
    ]
