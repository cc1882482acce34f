"""The error that a user is told after a calibration from clicks: the median at the points, each
when it is not used, on the cameras of a site.

    python -m benchmarks.accuracy.left_out demo/cameras.geojson --trials 3

Points are spread over the picture, clicked with 2 px and measured with 5 cm of normal error, as in
`benchmarks.accuracy.calibration`; the error at a point has its own click and measurement in it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks.accuracy.calibration import CLICK_PX, MEASURED_M, seen_floor, spread_out
from data_contracts.camera import Camera, read_site_file
from data_contracts.errors import BadInput
from tasks.calibration.calibrate import calibrate
from tasks.calibration.clicks import Clicks
from tasks.calibration.result import left_out_median_m
from tasks.ground.projection import Projection

COUNTS = (6, 10)


def main() -> None:
    """Print the median of each number of points."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cameras", type=Path)
    parser.add_argument("--trials", type=int, default=3)
    given = parser.parse_args()
    cameras = read_site_file(given.cameras).cameras
    for n in COUNTS:
        found = [m for c in cameras for m in left_out(c, n, given.trials)]
        print(f"{n} points: {np.median(found):.2f} m in the median of {len(found)} calibrations")


def left_out(camera: Camera, n: int, trials: int) -> list[float]:
    """Median left-out error in m of each trial that was not refused."""
    rng = np.random.default_rng([0, n])
    view = Projection(camera)
    blank = Camera(
        camera_id=camera.camera_id,
        image_width=camera.image_width,
        image_height=camera.image_height,
    )
    floor = seen_floor(camera, 2000, rng)
    told = []
    for _ in range(trials):
        m = spread_out(floor, view, n, rng)
        px = view.pixels(m) + rng.normal(0, CLICK_PX, m.shape)
        measured = m + rng.normal(0, MEASURED_M, m.shape)
        try:
            found = calibrate(Clicks(px, measured, CLICK_PX, MEASURED_M), blank)
        except BadInput:
            continue
        told.append(left_out_median_m(found))
    return [m for m in told if m is not None]


if __name__ == "__main__":
    main()
