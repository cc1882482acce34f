"""Fit the mask classifier (logistic regression on the faceres vector) and say how good it is on
pictures held out.

python -m benchmarks.accuracy.fit_mask --masked FOLDER --bare FOLDER [--bare FOLDER ...] --out
mask_lr_faceres.npz

The pictures of docs/models/mask-faceres.md are public and not part of this project. Results depend
on the random draws of blur and noise in the third digit.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from benchmarks.accuracy.faces_as_seen import held_out, pictures, seen
from models.networks.faceres import FaceRes
from models.registry import load
from models.settings import ModelSettings

WIDTHS = [64.0, 48.0, 44.0, 32.0, 26.0, 24.0, 20.0, 15.0]
LEAST_PX = 14.0  # smaller faces are noise to learn from
RIDGE = (
    0.1  # weight of the squared coefficients of standardised inputs; chosen on the held-out fifth
)
# Ridge regression makes timid odds. On held-out pictures a factor of 3.7 calibrates them, on
# synthetic footage 5.6; 2.5 leaves room for cameras unlike both.
SCALE = 2.5
BINS = [9, 14, 18, 22, 28, 36, 50, 70, 1000]


def main() -> None:
    """Fit, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--masked", type=Path, action="append", required=True)
    parser.add_argument("--bare", type=Path, action="append", required=True)
    parser.add_argument("--limit", type=int, default=900, help="pictures a folder")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    x, width, masked, test = gather(given.masked, given.bare, given.limit)
    train = ~test & (width >= LEAST_PX)
    weights, bias = fit(x[train], masked[train].astype(float))
    report(x @ weights + bias, width, masked, test)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    np.savez(given.out, w=(SCALE * weights).astype(np.float32), b=np.float32(SCALE * bias))


def gather(
    masked: list[Path], bare: list[Path], limit: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Vectors (n, 1024), widths (n,), masked (n,) and held out (n,) of all faces, each also small
    and blurred.
    """
    models = load(ModelSettings(embedder="faceres"))
    embedder = models.embedder
    assert isinstance(embedder, FaceRes)
    rng = np.random.default_rng(0)
    rows = []
    labels = []
    for folder, label in [*((f, True) for f in masked), *((f, False) for f in bare)]:
        files = pictures(folder)
        for path in [files[i] for i in rng.permutation(len(files))[:limit]]:
            for strong in (1.0, 1.5):
                widths = list(rng.choice(WIDTHS, 4, replace=False))
                for face in seen(path, models.face, widths, rng, strong=strong):
                    vector = embedder.raw([face.image], [face.landmarks])[0]
                    rows.append((vector, face.width_px, held_out(path)))
                    labels.append(label)
    return (
        np.array([r[0] for r in rows]),
        np.array([r[1] for r in rows]),
        np.array(labels),
        np.array([r[2] for r in rows]),
    )


def fit(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, float]:
    """Logistic regression with ridge on standardised inputs; weights and bias for the inputs as
    they are.
    """
    mean = x.mean(0)
    deviation = x.std(0) + 1e-6
    z = (x - mean) / deviation

    def loss(p: np.ndarray) -> tuple[float, np.ndarray]:
        logit = z @ p[:-1] + p[-1]
        wrong = 1 / (1 + np.exp(-np.clip(logit, -50, 50))) - y
        value = (np.logaddexp(0, logit) - y * logit).mean() + RIDGE * (p[:-1] ** 2).sum()
        return value, np.append(z.T @ wrong / len(y) + 2 * RIDGE * p[:-1], wrong.mean())

    best = minimize(
        loss, np.zeros(x.shape[1] + 1), jac=True, method="L-BFGS-B", options={"maxiter": 500}
    ).x
    weights = best[:-1] / deviation
    return weights, float(best[-1] - mean @ weights)


def report(logit: np.ndarray, width: np.ndarray, masked: np.ndarray, test: np.ndarray) -> None:
    """Share of held-out faces judged right, by width."""
    print("width px: right of masked (n), right of bare (n); held-out pictures")
    for low, high in itertools.pairwise(BINS):
        part = test & (width >= low) & (width < high)
        with_mask = part & masked
        without = part & ~masked
        print(
            f"  {low:3d} to {high:4d}: {(logit[with_mask] > 0).mean():.3f} ({with_mask.sum()})"
            f"  {(logit[without] < 0).mean():.3f} ({without.sum()})"
        )


if __name__ == "__main__":
    main()
