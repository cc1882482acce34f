"""How far off the ground is after a calibration from few clicks, on the cameras of a site.

    python -m benchmarks.accuracy.calibration demo/cameras.geojson --trials 50

Each trial draws floor points that the camera sees, at random or spread over the picture, clicks
them with 2 px and measures them with 5 cm of normal error, and calibrates from that alone or with
the camera's height (± 5 cm) as well. Ground error: the distance between where floor points that
were not clicked are and where the new calibration puts them, over the coverage, 200 points a trial.
Refused calibrations are counted, not scored.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from shapely import contains_xy

from data_contracts.camera import Camera, read_site_file
from data_contracts.errors import BadInput
from tasks.calibration.calibrate import calibrate
from tasks.calibration.clicks import Clicks
from tasks.ground.projection import Projection

CLICK_PX = 2.0
MEASURED_M = 0.05
HEIGHT_M = 0.05
COUNTS = (4, 6, 10)


def main() -> None:
    """Print a table and, where asked, write it as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cameras", type=Path)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    rows = measure(read_site_file(given.cameras).cameras, given.trials, given.seed)
    table = Table(
        "camera",
        "points",
        "placed",
        "height",
        "median, m",
        "p90, m",
        "camera height off, median",
        "refused",
    )
    for r in rows:
        table.add_row(
            r["camera"], str(r["points"]), r["placed"], "given" if r["height_given"] else "",
            f"{r['median_m']:.3f}", f"{r['p90_m']:.3f}", (
                f"{r['height_off_m']:.3f} "
                "m"
            ), f"{r['refused']} of {r['trials']}",
        )  # fmt: skip
    Console(width=110).print(table)
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1))


def measure(cameras: tuple[Camera, ...], trials: int, seed: int) -> list[dict[str, Any]]:
    """One row a camera, number of points, way of placing them, and with or without the height; then
    all cameras together.
    """
    rows = []
    for placed in ("random", "spread"):
        for n in COUNTS:
            for given in (False, True):
                parts = [_trials(c, n, placed == "spread", given, trials, seed) for c in cameras]
                rows += [
                    _row(c.camera_id, n, placed, given, [p])
                    for c, p in zip(cameras, parts, strict=True)
                ]
                rows.append(_row("all", n, placed, given, parts))
    return sorted(
        rows,
        key=lambda r: (
            r["camera"] != "all",
            r["camera"],
            r["placed"],
            r["height_given"],
            r["points"],
        ),
    )


def _trials(
    camera: Camera, n: int, spread: bool, given: bool, trials: int, seed: int
) -> dict[str, Any]:
    rng = np.random.default_rng([seed, n, int(spread)])
    view = Projection(camera)
    blank = _blank(camera)
    floor = seen_floor(camera, 4000, rng)
    errors = []
    heights = []
    refused = 0
    for _ in range(trials):
        m = (
            spread_out(floor, view, n, rng)
            if spread
            else floor[rng.choice(len(floor), n, replace=False)]
        )
        clicks = Clicks(
            view.pixels(m) + rng.normal(0, CLICK_PX, m.shape),
            m + rng.normal(0, MEASURED_M, m.shape),
            CLICK_PX,
            MEASURED_M,
        )
        true_z = _height(camera)
        known = (None, None, true_z + rng.normal(0, HEIGHT_M)) if given else (None, None, None)
        try:
            found = calibrate(clicks, blank, known)
        except BadInput:
            refused += 1
            continue
        test = floor[rng.choice(len(floor), 200)]
        errors.append(
            np.nan_to_num(
                np.linalg.norm(found.fit.ground(view.pixels(test)) - test, axis=1), nan=np.inf
            )
        )
        place = found.fit.position()
        heights.append(abs(place[0][2] - true_z) if place else np.inf)
    return {"errors": errors, "heights": heights, "refused": refused, "trials": trials}


def _row(
    name: str, n: int, placed: str, given: bool, parts: list[dict[str, Any]]
) -> dict[str, Any]:
    error = np.concatenate([e for p in parts for e in p["errors"]] or [np.array([np.nan])])
    return {
        "camera": name,
        "points": n,
        "placed": placed,
        "height_given": given,
        "median_m": float(np.median(error)),
        "p90_m": float(np.quantile(error, 0.9)),
        "height_off_m": float(np.median([h for p in parts for h in p["heights"]] or [np.nan])),
        "refused": sum(p["refused"] for p in parts),
        "trials": sum(p["trials"] for p in parts),
    }


def _blank(camera: Camera) -> Camera:
    """The camera as someone finds it who calibrates it for the first time."""
    return Camera(
        camera_id=camera.camera_id, image_width=camera.image_width, image_height=camera.image_height
    )


def _height(camera: Camera) -> float:
    if camera.position_local_m is None:
        raise BadInput(f"{camera.camera_id}: the benchmark needs position_local_m")
    return camera.position_local_m[2]


def seen_floor(camera: Camera, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """(n, 2) random floor points inside the coverage whose feet are in the picture."""
    if camera.polygon is None:
        raise BadInput(f"{camera.camera_id}: the benchmark needs a coverage")
    low_x, low_y, high_x, high_y = camera.polygon.bounds
    found: list[NDArray[np.float64]] = []
    while sum(map(len, found)) < n:
        m = rng.uniform([low_x, low_y], [high_x, high_y], (n, 2))
        px = Projection(camera).pixels(m)
        inside = ((px >= 0) & (px < [camera.image_width, camera.image_height])).all(1)
        found.append(m[inside & contains_xy(camera.polygon, m[:, 0], m[:, 1])])
    return np.concatenate(found)[:n]


def spread_out(
    floor: NDArray[np.float64], view: Projection, n: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """(n, 2) points as someone chooses them who was told to spread them: each next one the farthest
    in the picture from those before, of twenty at random, seen from near enough (the lower three
    quarters of the floor's rows).
    """
    px = view.pixels(floor)
    floor = floor[px[:, 1] > np.quantile(px[:, 1], 0.25)]
    px = px[px[:, 1] > np.quantile(px[:, 1], 0.25)]
    chosen = [int(rng.integers(len(floor)))]
    while len(chosen) < n:
        offer = rng.choice(len(floor), 20, replace=False)
        apart = np.linalg.norm(px[offer][:, None] - px[chosen][None], axis=2).min(1)
        chosen.append(int(offer[apart.argmax()]))
    return floor[chosen]


if __name__ == "__main__":
    main()
