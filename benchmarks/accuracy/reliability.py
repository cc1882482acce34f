"""Do the probabilities hold? Predicted against observed, by face width, mask and turn, for an
embedder's calibration.

python -m benchmarks.accuracy.reliability faceres FOLDER [FOLDER ...]   folders as for
benchmarks/accuracy/calibrate.py python -m benchmarks.accuracy.reliability faceres --site demo
a synthetic site: its subject against everyone

Only faces that the search would compare count: wide, sharp and turned little enough. A calibration
assumes a share of same-person pairs, its prior; the pairs here are weighed so that they have that
share, else nothing could be compared. A mask is one that the truth knows of, or that was painted
on.

ECE is the expected calibration error: the mean distance between predicted and observed in ten bins
of the prediction, weighed by their pairs (Naeini et al., AAAI 2015). Brier is the mean squared
error of the probability; beside it that of always saying the prior.
"""

from __future__ import annotations

import argparse
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.accuracy.calibrate import compare
from benchmarks.accuracy.faces import collect, subject
from models.registry import Models, load
from models.settings import ModelSettings
from tasks.observe.face import MAX_TURN
from tasks.observe.sharpness import MIN_SHARPNESS

WIDTHS = [32, 40, 56, 80, 1000]
# Degrees of yaw by the landmarks: 0.35 of tasks/observe/face.py is about 30.
TURNS = {
    "under 10°": (0, 0.12),
    "10 to 20°": (0.12, 0.23),
    "20 to 30°": (0.23, MAX_TURN),
    "30 to 45°": (MAX_TURN, 0.6),
}
BINS = np.linspace(0, 1, 11)
FEWEST = 20  # same-person pairs: a share of fewer has an error of a tenth or more


def main() -> None:
    """Print the tables, and write them as JSON where asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("embedder")
    parser.add_argument("folders", type=Path, nargs="*")
    parser.add_argument("--site", type=Path)
    parser.add_argument("--every", type=int, default=2, help="every n-th frame of the site")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    models = load(ModelSettings(embedder=given.embedder, accept_noncommercial=True))
    pairs = (
        from_site(given.site, given.every, models)
        if given.site
        else from_folders(given.folders, models)
    )
    pairs["p"] = models.calibration.probability(
        pairs.score.to_numpy(), pairs.width.to_numpy(), pairs.masked.to_numpy()
    )
    seen = pairs[pairs.p.notna() & (pairs.sharpness >= MIN_SHARPNESS)]
    prior = models.calibration.prior
    out = {}
    straight = seen[seen.turn <= MAX_TURN]
    print(
        f"{given.embedder}: {int(straight.same.sum())} pairs of one person, "
        f"{int((~straight.same).sum())} of two"
    )
    out["width"] = [
        r
        for masked in (False, True)
        for r in by_width(straight[straight.masked == masked], masked, prior)
    ]
    out["turn"] = [
        r for masked in (False, True) for r in by_turn(seen[seen.masked == masked], masked, prior)
    ]
    out["bins"] = [
        r
        for masked in (False, True)
        for r in bins(straight[straight.masked == masked], masked, prior)
    ]
    for name, rows in out.items():
        print(f"--- by {name}")
        print(pd.DataFrame(rows).to_string(index=False, float_format="{:.3f}".format))
    if given.json:
        given.json.write_text(json.dumps(out, indent=1))


def from_folders(folders: list[Path], models: Models) -> pd.DataFrame:
    """Pairs of labelled pictures, bare and with masks painted on."""
    parts = [
        compare(folder, models, masked).assign(masked=masked)
        for folder in folders
        for masked in (False, True)
    ]
    return pd.concat(parts, ignore_index=True)


def from_site(site: Path, every: int, models: Models) -> pd.DataFrame:
    """Every face found on a site with truth, against the subject's reference pictures."""
    _, faces, vectors = collect(site, every, [models])
    return pd.DataFrame(
        {
            "score": vectors[0] @ subject(site, models),
            "width": faces.face_px,
            "turn": faces.turn,
            "sharpness": faces.sharpness,
            "same": faces.person == "S",
            "masked": faces.masked == 1,
        }
    )


def by_width(pairs: pd.DataFrame, masked: bool, prior: float) -> list[dict[str, object]]:
    """A row for each width band, and one for all of them."""
    bands = {f"{a} to {b} px" if b < 1000 else f"over {a} px": (a, b) for a, b in pairwise(WIDTHS)}
    groups = {
        name: pairs[(pairs.width >= a) & (pairs.width < b)] for name, (a, b) in bands.items()
    } | {"all": pairs}
    return [row for name, part in groups.items() for row in _row(name, part, masked, prior)]


def by_turn(pairs: pd.DataFrame, masked: bool, prior: float) -> list[dict[str, object]]:
    """A row for each band of yaw; the last is turned too far for the search."""
    groups = {name: pairs[(pairs.turn >= a) & (pairs.turn < b)] for name, (a, b) in TURNS.items()}
    return [row for name, part in groups.items() for row in _row(name, part, masked, prior)]


def bins(pairs: pd.DataFrame, masked: bool, prior: float) -> list[dict[str, object]]:
    """Predicted and observed in each bin of the prediction."""
    if not pairs.same.any() or pairs.same.all():
        return []
    weight = weights(pairs.same.to_numpy(bool), prior)
    at = np.clip(np.digitize(pairs.p, BINS) - 1, 0, 9)
    rows = []
    for i in range(len(BINS) - 1):
        part = pairs[at == i]
        w = weight[at == i]
        if len(part):
            known = {
                "predicted": float(np.average(part.p, weights=w)),
                "observed": float(np.average(part.same, weights=w)),
            }
            span = f"{BINS[i]:.1f} to {BINS[i + 1]:.1f}"
            n = {"n_same": int(part.same.sum()), "n_other": int((~part.same).sum())}
            rows.append({"state": _state(masked), "probability": span, **known, **n})
    return rows


def weights(same: np.ndarray, prior: float) -> np.ndarray:
    """(n,) weights that sum to 1 and give same-person pairs the share `prior`."""
    return np.where(same, prior / max(same.sum(), 1), (1 - prior) / max((~same).sum(), 1))


def calibration_error(p: np.ndarray, same: np.ndarray, weight: np.ndarray) -> float:
    """ECE of probabilities (n,) against outcomes (n,), pairs weighed by (n,)."""
    at = np.clip(np.digitize(p, BINS) - 1, 0, len(BINS) - 2)
    gaps = [abs(float((weight * (p - same))[at == i].sum())) for i in range(len(BINS) - 1)]
    return float(sum(gaps) / weight.sum())


def _row(name: str, part: pd.DataFrame, masked: bool, prior: float) -> list[dict[str, object]]:
    same = part.same.to_numpy(bool)
    p = part.p.to_numpy(float)
    if not same.any() or same.all():
        return []
    weight = weights(same, prior)
    few = "" if same.sum() >= FEWEST else "few"
    return [
        {
            "state": _state(masked),
            "faces": name,
            "n_same": int(same.sum()),
            "n_other": int((~same).sum()),
            "found": float((p[same] > 0.5).mean()),
            "false": float((p[~same] > 0.5).mean()),
            "predicted_same": float(p[same].mean()),
            "predicted_other": float(p[~same].mean()),
            "ece": calibration_error(p, same, weight),
            "brier": float(weight @ (p - same) ** 2),
            "brier_prior": float(weight @ (prior - same) ** 2),
            "note": few,
        }
    ]


def _state(masked: bool) -> str:
    return "masked" if masked else "bare"


if __name__ == "__main__":
    main()
