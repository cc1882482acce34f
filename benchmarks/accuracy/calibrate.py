"""Similarities of the same and of different people by face width, bare and masked, and a
calibration for the manifest.

python -m benchmarks.accuracy.calibrate faceres FOLDER [FOLDER ...]

Each FOLDER has one folder a person with that person's pictures (three or more). Pictures of
different FOLDERs are not compared: they differ in more than the person. A template is the mean of
three of a person's pictures; all others are compared with it as they would be seen from further
away (benchmarks/accuracy/faces_as_seen.py).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import minimize

from benchmarks.accuracy.faces_as_seen import SeenFace, pictures, seen
from models.interface import FaceEmbedder
from models.networks.faceres import unit
from models.registry import Models, load
from models.settings import ModelSettings
from tasks.observe.face import turn_of
from tasks.observe.sharpness import sharpness

WIDTHS = [96.0, 64.0, 48.0, 32.0, 24.0]
KNOTS = (24, 32, 40, 56, 80, 112)
PRIOR = 0.01  # for the slope only: where the curve is read off, few faces are the subject's


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("embedder")
    parser.add_argument("folders", type=Path, nargs="+")
    given = parser.parse_args()
    models = load(ModelSettings(embedder=given.embedder, accept_noncommercial=True))
    for masked in (False, True):
        scores = pd.concat(
            [compare(folder, models, masked) for folder in given.folders], ignore_index=True
        )
        print(f"{given.embedder}, {'masks painted on' if masked else 'bare'}: {len(scores)} pairs")
        for knot in KNOTS:
            describe(
                knot,
                scores[
                    (scores.width >= knot / 1.2)
                    & (scores.width < (knot * 1.25 if knot < 112 else 1e9))
                ],
            )


def compare(folder: Path, models: Models, masked: bool) -> pd.DataFrame:
    """One row a comparison: similarity, width, turn and sharpness of the face, whether it is the
    same person, the set.
    """
    rng = np.random.default_rng(0)
    probes: list[tuple[str, SeenFace]] = []
    natives: dict[str, list[SeenFace]] = {}
    for person in sorted(p for p in folder.iterdir() if p.is_dir()):
        for path in pictures(person):
            natives.setdefault(person.name, []).extend(seen(path, models.face, [], rng))
            found = seen(path, models.face, WIDTHS, rng, paint=masked)
            probes += [(person.name, face) for face in found]
    vectors = embed(models.embedder, [face for _, face in probes])
    looks = {
        id(f): (turn_of(f.landmarks.astype(float)), sharpness(f.image, f.landmarks))
        for _, f in probes
    }
    rows = []
    for name, faces in natives.items():
        if len(faces) < 4:
            continue
        chosen = [faces[i] for i in rng.permutation(len(faces))[:3]]
        used = {face.source for face in chosen}
        template = unit(embed(models.embedder, chosen).mean(0, keepdims=True))[0]
        for (owner, face), score in zip(probes, vectors @ template, strict=True):
            if face.source not in used:
                rows.append(
                    (float(score), face.width_px, *looks[id(face)], owner == name, folder.name)
                )
    return pd.DataFrame(rows, columns=["score", "width", "turn", "sharpness", "same", "set"])


def embed(embedder: FaceEmbedder, faces: list[SeenFace]) -> np.ndarray:
    """(n, d) of length 1."""
    return embedder.embed([f.image for f in faces], [f.landmarks for f in faces])


def describe(knot: int, part: pd.DataFrame) -> None:
    """Print what a knot at this width should be."""
    same = part[part.same].score
    other = part[~part.same].score
    if len(same) < 15 or len(other) < 100:
        return
    p99, p999 = other.quantile([0.99, 0.999])
    print(
        f"  {knot:3d} px same {same.mean():.3f} ± {same.std():.3f} p10 {same.quantile(0.1):.3f} "
        f"(n={len(same)})"
        f"  other {other.mean():.3f} ± {other.std():.3f} p99 {p99:.3f} p99.9 {p999:.3f} max "
        f"{other.max():.3f}"
        f"  found at 1 % false {(same > p99).mean():.3f}, at 0.1 % {(same > p999).mean():.3f}"
        f"  slope {slope(part):.0f} (use half)"
    )


def slope(part: pd.DataFrame) -> float:
    """Slope of the logistic curve at a prior of PRIOR, each kind of pair weighing as the prior
    says.
    """
    same = part.same.to_numpy(float)
    score = part.score.to_numpy()
    weight = np.where(same > 0, PRIOR / same.sum(), (1 - PRIOR) / (1 - same).sum())
    spread = score.std()

    def loss(p: np.ndarray) -> float:
        logit = p[0] / spread * (score - p[1])
        return float((weight * (np.logaddexp(0, logit) - same * logit)).sum())

    start = [3.0, float(np.quantile(score[same == 0], 0.995))]
    return float(
        minimize(loss, start, method="Nelder-Mead", options={"maxiter": 2000}).x[0] / spread
    )


if __name__ == "__main__":
    main()
