"""`python -m benchmarks.accuracy.looks SITE [SITE ...]`: what the clothes say of a body, template
and body from different cameras.

SITE is laid out like demo/. The truth's boxes in key frames stand for the person detector. Prints
how alike the same person and two people are, the log likelihood ratio that was found in each range
beside the one that `tasks.observe.looks` gives, and the line that would fit best; then the same of
all bodies of a person together, as `tasks.people.all_evidence` takes them.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize

from benchmarks.accuracy.footage import Frame, frames
from tasks.observe.looks import _cut, _describe, _light, log_ratio
from tasks.people.all_evidence import _TOGETHER

Array = NDArray[np.float64]
_VISIBLE = 0.7
_LEAST_PX = 40
_MOST = 25
_EDGES = np.array([-3.01, -2, -1, 0, 1, 2, 2.99, 3.01])


class Pairs(NamedTuple):
    """Cosines (n,), whether one person (n,), weights (n,) by which each pair of person and camera
    counts alike, as do one person and two; and the pair's number (n,).
    """

    cosine: Array
    same: NDArray[np.bool_]
    weight: Array
    pair: NDArray[np.int64]


def described(site: Path) -> dict[tuple[str, str], Array]:
    """Descriptors (n, d) by camera and person, at most _MOST, a second or more apart."""
    bodies: dict[tuple[str, str], list] = {}
    views: dict[str, list] = {}
    for frame in frames(site, every=10):
        views.setdefault(frame.camera, []).append(frame.image[::8, ::8])
        for person, body in _bodies(frame):
            bodies.setdefault((frame.camera, person), []).append(body)
    light = {camera: _light(pictures[:60]) for camera, pictures in views.items()}
    return {
        key: np.stack([_describe(body, light[key[0]]) for body in found[:_MOST]])
        for key, found in bodies.items()
        if len(found) > 2
    }


def _bodies(frame: Frame) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    rows = frame.truth
    whole = (rows["visible"] > _VISIBLE) & (rows["y1"] < frame.image.shape[0] - 1)
    for row in rows[whole & (rows["y1"] - rows["y0"] >= _LEAST_PX)].itertuples():
        yield str(row.person), _cut(frame.image, np.array([row.x0, row.y0, row.x1, row.y1], float))


def pairs(sites: list[Path]) -> Pairs:
    """All pairs of a template from one camera and bodies from another of the same site."""
    cosine: list[Array] = []
    same = []
    weight = []
    pair = []
    for site in sites:
        known = described(site)
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


def together(found: Pairs) -> tuple[Array, Pairs]:
    """The ratio stated by all bodies of each pair, and the pairs, once each."""
    _, first = np.unique(found.pair, return_index=True)
    weight = np.bincount(found.pair, found.weight).astype(np.float64)
    stated = _TOGETHER * np.bincount(found.pair, log_ratio(found.cosine)) / np.bincount(found.pair)
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
    found = pairs(parser.parse_args().sites)
    print(f"{int(found.same.sum())} looks of the same person, {int((~found.same).sum())} of others")
    for name, chosen in (("same", found.same), ("others", ~found.same)):
        print(
            f"{name}: cosine at 5, 50, 95 %:", np.quantile(found.cosine[chosen], [0.05, 0.5, 0.95])
        )
    print(reliability(log_ratio(found.cosine), found).round(2).to_string(index=False))
    print("all bodies of a person together")
    print(reliability(*together(found)).round(2).to_string(index=False))
    slope, offset = best_line(found)
    print(f"best line: {slope:.2f} * -log(1 - cosine) {offset:+.2f}")


if __name__ == "__main__":
    main()
