"""What blur costs in recognition, and how well tasks/observe/sharpness.py tells it: the source of
MIN_SHARPNESS.

python -m benchmarks.accuracy.blur faceres FOLDER [FOLDER ...]     folders as for
benchmarks/accuracy/calibrate.py python -m benchmarks.accuracy.blur faceres --site demo
sharpness of the faces of a synthetic site, as filmed

Faces are shrunk to a width, blurred, given a little noise, compressed and found again. Blur is
stated as the deviation of a Gaussian in px on a face 32 px wide, so that rows of different widths
compare; `sideways` and `aslant` smear over a length in such px instead, as walking does. "Found" is
the share of a person's faces more like the person's template than 99 % of other people's faces that
are not blurred and of the same width: the calibration's thresholds are set on those.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from benchmarks.accuracy.calibrate import embed
from benchmarks.accuracy.faces import collect
from benchmarks.accuracy.faces_as_seen import SeenFace, pictures, seen
from models.interface import Image
from models.networks.faceres import unit
from models.registry import Models, load
from models.settings import ModelSettings
from tasks.observe.sharpness import MIN_SHARPNESS, sharpness

WIDTHS = (24, 32, 48, 80)
LEVELS = [("blur", s) for s in (0.0, 0.5, 0.8, 1.0, 1.2, 1.6, 2.2)]
LEVELS += [(kind, s) for kind in ("sideways", "aslant") for s in (3.0, 5.0, 7.0)]
BANDS = [0, 24, 32, 48, 80, 1000]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("embedder")
    parser.add_argument("folders", type=Path, nargs="*")
    parser.add_argument("--people", type=int, default=40, help="of each folder at most")
    parser.add_argument("--site", type=Path)
    given = parser.parse_args()
    models = load(ModelSettings(embedder=given.embedder, accept_noncommercial=True))
    if given.site:
        _, faces, _ = collect(given.site, 2, [models])
        for band, part in faces[faces.turn < 0.35].groupby(
            pd.cut(faces.face_px, BANDS), observed=True
        ):
            low, mid = part.sharpness.quantile([0.05, 0.5])
            below = (part.sharpness < MIN_SHARPNESS).mean()
            print(
                f"{band!s:12} n={len(part):4d} sharpness p5 {low:.2f} median {mid:.2f}; below the "
                f"limit {below:.3f}"
            )
        return
    pairs = pd.concat(
        [compare(folder, given.people, models) for folder in given.folders], ignore_index=True
    )
    for width, rows in pairs.groupby("width"):
        limits = rows[(rows.amount == 0) & ~rows.same].groupby("set").score.quantile(0.99)
        for (kind, amount), part in rows.groupby(["kind", "amount"]):
            show(width, kind, amount, part, limits)


def compare(folder: Path, people: int, models: Models) -> pd.DataFrame:
    """One row a comparison of a degraded face with a template: width, blur, sharpness, similarity,
    same person or not.
    """
    rng = np.random.default_rng(0)
    templates = {}
    probes = []
    for person in [p for p in sorted(folder.iterdir()) if p.is_dir()][:people]:
        faces = [f for path in pictures(person) for f in seen(path, models.face, [], rng)]
        if len(faces) < 4:
            continue
        order = [faces[i] for i in rng.permutation(len(faces))]
        templates[person.name] = unit(embed(models.embedder, order[:3]).mean(0, keepdims=True))[0]
        for face in order[3:7]:
            probes += [
                (person.name, w, *level, face)
                for w in WIDTHS
                for level in LEVELS
                if w < 1.05 * face.width_px
            ]
    rows = []
    for owner, width, kind, amount, face in probes:
        found = degraded(face, width, kind, amount, models, rng)
        if found is None:
            continue
        vector = embed(models.embedder, [found])[0]
        sharp = sharpness(found.image, found.landmarks)
        for name, template in templates.items():
            rows.append(
                (folder.name, width, kind, amount, sharp, float(vector @ template), owner == name)
            )
    return pd.DataFrame(
        rows, columns=["set", "width", "kind", "amount", "sharpness", "score", "same"]
    )


def degraded(
    face: SeenFace, width: int, kind: str, amount: float, models: Models, rng: np.random.Generator
):
    """The face `width` px wide and blurred, with what the detector finds there; None where it finds
    none.
    """
    ratio = width / face.width_px
    small = cv2.resize(face.image, None, fx=ratio, fy=ratio, interpolation=cv2.INTER_AREA)
    small = _blurred(small, kind, amount * width / 32)
    noisy = np.clip(small + rng.normal(0, 1.5, small.shape), 0, 255).astype(np.uint8)
    image = np.asarray(
        cv2.imdecode(cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, 80])[1], 1), np.uint8
    )
    found = models.face.detect([image])[0]
    away = np.linalg.norm(found.landmarks.mean(1) - face.landmarks.mean(0) * ratio, axis=1)
    if not len(found) or away.min() > 0.4 * width:
        return None
    best = int(away.argmin())
    return SeenFace(image, found.landmarks[best], float(found.width_px[best]), face.source, False)


def _blurred(image: Image, kind: str, px: float) -> Image:
    if px == 0:
        return image
    if kind == "blur":
        return np.asarray(cv2.GaussianBlur(image, (0, 0), px), np.uint8)
    half = int(np.ceil(px / 2)) + 1
    y, x = np.mgrid[-half : half + 1, -half : half + 1] * 1.0
    along, across = (x, y) if kind == "sideways" else ((x + y) / 2**0.5, (x - y) / 2**0.5)
    kernel = np.clip(px / 2 + 0.5 - np.abs(along), 0, 1) * np.clip(1 - np.abs(across), 0, 1)
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()), np.uint8)


def show(width: Any, kind: Any, amount: Any, part: pd.DataFrame, limits: pd.Series) -> None:
    """Print one row."""
    same = part[part.same]
    low, mid, high = same.sharpness.quantile([0.1, 0.5, 0.9])
    found = (same.score > same.set.map(limits)).mean()
    wrong = (part[~part.same].score > part[~part.same].set.map(limits)).mean()
    print(
        f"{width:3d} px {kind} {amount:.1f}  sharpness {mid:.2f} ({low:.2f} to {high:.2f})  below "
        "the limit"
        f" {(same.sharpness < MIN_SHARPNESS).mean():.2f}  similarity {same.score.mean():.3f}"
        f"  found {found:.3f}, false {wrong:.4f}  (n={len(same)})"
    )


if __name__ == "__main__":
    main()
