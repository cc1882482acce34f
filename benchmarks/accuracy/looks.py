"""`python -m benchmarks.accuracy.looks SITE [SITE ...]`: what the clothes say of a body, template
and body from different cameras.

SITE is laid out like demo/. The truth's boxes in key frames stand for the person detector. Prints
how alike the same person and two people are, the log likelihood ratio that was found in each range
beside the one that the calibration gives, and the line that would fit best; then the same of all
bodies of a person together, as `tasks.people.all_evidence` takes them. By colours, or with
`--describe` by an appearance model of the manifest; `--write` writes the best line as the file
beside that model's network.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize

from benchmarks.accuracy.footage import Frame, frames
from models.registry import load_appearance
from models.score_calibration import BodyCalibration
from models.settings import ModelSettings
from tasks.observe.clothes import describe_clothes, light_of
from tasks.observe.looks import COLOURS, Describer, _cut
from tasks.people.all_evidence import TOGETHER

Array = NDArray[np.float64]
_VISIBLE = 0.7
_LEAST_PX = 40
_MOST = 25
# As of colours: others in like clothes are always possible.
_BOUND = 3.0
_EDGES = np.array([-3.01, -2, -1, 0, 1, 2, 2.99, 3.01])


class Pairs(NamedTuple):
    """Cosines (n,), whether one person (n,), weights (n,) by which each pair of person and camera
    counts alike, as do one person and two; and the pair's number (n,).
    """

    cosine: Array
    same: NDArray[np.bool_]
    weight: Array
    pair: NDArray[np.int64]


def described(site: Path, describer: Describer) -> dict[tuple[str, str], Array]:
    """Descriptors (n, d) by camera and person, at most _MOST, a second or more apart."""
    bodies: dict[tuple[str, str], list] = {}
    views: dict[str, list] = {}
    for frame in frames(site, every=10):
        views.setdefault(frame.camera, []).append(frame.image[::8, ::8])
        for person, body in _bodies(frame, describer.height_px):
            bodies.setdefault((frame.camera, person), []).append(body)
    often = {key: found[:_MOST] for key, found in bodies.items() if len(found) > 2}
    if describer.appearance is not None:
        network = describer.appearance
        return {key: network.embed(found).astype(float) for key, found in often.items()}
    light = {camera: light_of(pictures[:60]) for camera, pictures in views.items()}
    return {
        key: np.stack([describe_clothes(body, light[key[0]]) for body in found])
        for key, found in often.items()
    }


def _bodies(frame: Frame, height_px: int) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    rows = frame.truth
    whole = (rows["visible"] > _VISIBLE) & (rows["y1"] < frame.image.shape[0] - 1)
    for row in rows[whole & (rows["y1"] - rows["y0"] >= _LEAST_PX)].itertuples():
        box = np.array([row.x0, row.y0, row.x1, row.y1], float)
        yield str(row.person), _cut(frame.image, box, height_px)


def pairs(sites: list[Path], describer: Describer = COLOURS) -> Pairs:
    """All pairs of a template from one camera and bodies from another of the same site."""
    cosine: list[Array] = []
    same = []
    weight = []
    pair = []
    for site in sites:
        known = described(site, describer)
        for (camera, person), own in known.items():
            template = own.mean(0) / np.linalg.norm(own.mean(0))
            for (other_camera, other), bodies in known.items():
                if camera != other_camera:
                    pair.append(np.full(len(bodies), len(cosine)))
                    cosine.append(bodies @ template)
                    same.append(np.full(len(bodies), person == other))
                    weight.append(np.full(len(bodies), 1 / len(bodies)))
    one = np.concatenate(same)
    share = np.concatenate(weight)
    share = np.where(one, share / share[one].sum(), share / share[~one].sum())
    return Pairs(np.concatenate(cosine), one, share, np.concatenate(pair))


def best_line(found: Pairs) -> tuple[float, float]:
    """Slope and offset of the log likelihood ratio in -log(1 - cosine), by least log loss."""
    x = -np.log(np.clip(1 - found.cosine, 1e-4, 1))
    sign = np.where(found.same, -1.0, 1.0)

    def loss(line: Array) -> float:
        return float(found.weight @ np.logaddexp(0, sign * (line[0] * x + line[1])))

    slope, offset = minimize(loss, np.array([2.0, -5.0])).x
    return float(slope), float(offset)


def together(found: Pairs, calibration: BodyCalibration) -> tuple[Array, Pairs]:
    """The ratio stated by all bodies of each pair, and the pairs, once each."""
    _, first = np.unique(found.pair, return_index=True)
    weight = np.bincount(found.pair, found.weight).astype(np.float64)
    each = np.bincount(found.pair, calibration.log_ratio(found.cosine))
    stated = TOGETHER * each / np.bincount(found.pair)
    ends = np.clip(stated, _EDGES[0], _EDGES[-1])
    return ends, Pairs(found.cosine[first], found.same[first], weight, found.pair[first])


def reliability(stated: Array, found: Pairs) -> pd.DataFrame:
    """In each range of the stated ratio: shares of same and others, and the ratio found."""
    rows = []
    for low, high in pairwise(_EDGES):
        inside = (stated > low) & (stated <= high)
        same = found.weight[inside & found.same].sum()
        other = found.weight[inside & ~found.same].sum()
        ratio = float(np.log(same / other)) if same > 0 and other > 0 else float("nan")
        mean = float(stated[inside].mean()) if inside.any() else float("nan")
        rows.append({"stated": mean, "found": ratio, "same": same, "others": other})
    return pd.DataFrame(rows)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sites", type=Path, nargs="+")
    parser.add_argument("--describe", metavar="MODEL", help="an appearance model; else colours")
    parser.add_argument("--dir", type=Path, help="models' folder, whose packs has the network")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the best line here")
    given = parser.parse_args()
    describer = _describer(given.describe, given.dir) if given.describe else COLOURS
    found = pairs(given.sites, describer)
    print(f"{int(found.same.sum())} looks of the same person, {int((~found.same).sum())} of others")
    for name, chosen in (("same", found.same), ("others", ~found.same)):
        print(
            f"{name}: cosine at 5, 50, 95 %:", np.quantile(found.cosine[chosen], [0.05, 0.5, 0.95])
        )
    slope, offset = best_line(found)
    best = BodyCalibration(slope=slope, offset=offset, bound=_BOUND, data=" ".join(sys.argv[1:]))
    calibration = best if given.describe else COLOURS.calibration
    stated = calibration.log_ratio(found.cosine)
    print(reliability(stated, found).round(2).to_string(index=False))
    print("all bodies of a person together")
    print(reliability(*together(found, calibration)).round(2).to_string(index=False))
    print(f"best line: {slope:.2f} * -log(1 - cosine) {offset:+.2f}")
    if given.write:
        given.write.write_text(best.model_dump_json(indent=1) + "\n")


def _describer(name: str, folder: Path | None) -> Describer:
    """By a model's network, which needs no calibration yet."""
    settings = ModelSettings(appearance=name, accept_noncommercial=True)
    used = settings.model_copy(update={"dir": folder} if folder else {})
    return Describer(load_appearance(used), COLOURS.calibration)


if __name__ == "__main__":
    main()
