"""What the faces of somebody masked say together, of the subject and of others.

python -m benchmarks.accuracy.masked_faces FOLDER [--shoot SIMULATOR PACK PYTHON]

FOLDER has one folder a person with `reference-*.png` (bare) and `masked-*.png`; `--shoot` makes it
of the renderer's characters, who wear its masks. Each masked face is seen as from further away
(benchmarks/accuracy/faces_as_seen.py) and compared with everybody's template, as
`tasks.observe.match` does.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.accuracy.calibrate import embed
from benchmarks.accuracy.faces_as_seen import SeenFace, seen
from data_contracts.policy import SearchSettings
from models.networks.faceres import unit
from models.registry import Models, load
from tasks.observe.face import MAX_TURN, turn_of
from tasks.observe.sharpness import MIN_SHARPNESS, sharpness
from tasks.people.face_evidence import SightSettings, face_evidence

_WIDTHS = [64.0, 48.0, 38.0]
_RANGES_PX = ((32, 42), (42, 56), (56, 90))
_SECONDS = (1, 3, 8)
# So many draws of faces of each pair of people.
_DRAWS = 2
_EDGES = (-2.01, -1.0, 0.0, 1.0, 2.0, 3.0, 4.01)
_T0 = pd.Timestamp("2026-11-16T00:00:00Z")
_SHOOT = """
import json, sys
sys.path.insert(0, sys.argv[1])
import os, cv2, cast, portraits
keys = [row["key"] for row in json.load(open(sys.argv[2] + "/cast.json"))["cast"]]
people = cast.load(sys.argv[2], set(keys))
studio = portraits.Studio(320)
views = [(yaw, pitch, True) for yaw in (-26, -13, 0, 13, 26) for pitch in (4, 14)]
for key in keys:
    folder = os.path.join(sys.argv[3], key)
    os.makedirs(folder, exist_ok=True)
    for yaw, pitch, masked in views + [(yaw, 2, False) for yaw in (0, -20, 20)]:
        image = studio.shoot(people[key], float(yaw), float(pitch), masked)
        kind = "masked" if masked else "reference"
        cv2.imwrite(f"{folder}/{kind}_{yaw}_{pitch}.png", image[:, :, ::-1])
"""


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--shoot", nargs=3, metavar=("SIMULATOR", "PACK", "PYTHON"))
    parser.add_argument("--save", type=Path, help="keep what was measured of each pair as CSV")
    given = parser.parse_args()
    if given.shoot:
        simulator, pack, python = given.shoot
        command = [python, "-c", _SHOOT, simulator, pack, str(given.folder)]
        environment = {**os.environ, "LIBGL_ALWAYS_SOFTWARE": "1"}
        subprocess.run(command, env=environment, check=True, stdout=sys.stderr)
    pairs = compare(given.folder, load())
    if given.save:
        pairs.to_csv(given.save, index=False)
    report(pairs)


def compare(folder: Path, models: Models) -> pd.DataFrame:
    """A row a masked face and template: whose each is (`person`, `subject`), the face's width and
    what it says (`llr`).
    """
    rng = np.random.default_rng(0)
    people = sorted(p for p in folder.iterdir() if p.is_dir())
    templates = []
    for person in people:
        bare = [next(seen(p, models.face, [], rng)) for p in sorted(person.glob("reference*"))]
        templates.append(unit(embed(models.embedder, bare).mean(0, keepdims=True))[0])
    rows = []
    for person in people:
        found = [
            face
            for path in sorted(person.glob("masked*"))
            for face in seen(path, models.face, _WIDTHS, rng)
        ]
        faces = [f for f in found if not f.native and _compared(f, models)]
        if not faces:
            continue
        width = np.array([face.width_px for face in faces])[:, None]
        similarity = embed(models.embedder, faces) @ np.array(templates).T
        p = models.calibration.probability(similarity, width, True)
        for face, said in zip(faces, models.calibration.log_ratio(p), strict=True):
            rows += [
                (person.name, other.name, face.width_px, float(llr))
                for other, llr in zip(people, said, strict=True)
            ]
    return pd.DataFrame(rows, columns=["person", "subject", "face_px", "llr"])


def _compared(face: SeenFace, models: Models) -> bool:
    return (
        turn_of(face.landmarks.astype(float)) <= MAX_TURN
        and face.width_px >= models.calibration.min_face_px
        and sharpness(face.image, face.landmarks) >= MIN_SHARPNESS
    )


def report(pairs: pd.DataFrame) -> None:
    """How often somebody would be proposed and asked about by faces of so many seconds, and the log
    likelihood ratio that was found in each range of the stated one.
    """
    drawn = pd.DataFrame(_draws(pairs))
    print("seconds  face px      proposed: same, others   asked: same, others")
    for (seconds, width), part in drawn.groupby(["seconds", "width"], sort=False):
        same = part[part["same"]]
        others = part[~part["same"]]
        shares = [p[c].mean() for c in ("proposed", "asked") for p in (same, others)]
        print(f"{seconds:<8} {width:<12}", "  ".join(f"{s:.4f}" for s in shares))
    print("stated  found  same  others")
    for low, high in pairwise(_EDGES):
        within = drawn["stated"].between(low, high, inclusive="left")
        own = within[drawn["same"]].to_numpy()
        alien = within[~drawn["same"]].to_numpy()
        ratio = np.log((own.sum() + 0.5) / len(own)) - np.log((alien.sum() + 0.5) / len(alien))
        stated = drawn.loc[within, "stated"].mean()
        print(f"{stated:5.2f}  {ratio:5.2f}  {own.mean():.3f}  {alien.mean():.3f}")


def _draws(pairs: pd.DataFrame) -> list[dict[str, object]]:
    rng = np.random.default_rng(0)
    settings = SightSettings()
    least = SearchSettings().masked_llr
    # As `by_ties` and `asked_of` say it of somebody who has no rival.
    rare = float(np.log(settings.masked.prior / (1 - settings.masked.prior)))
    rows: list[dict[str, object]] = []
    for low, high in _RANGES_PX:
        near = pairs[pairs["face_px"].between(low, high, inclusive="left")]
        for (person, subject), part in near.groupby(["person", "subject"]):
            for seconds in [s for s in _SECONDS if s <= len(part)]:
                for _ in range(_DRAWS):
                    some = part.iloc[rng.choice(len(part), seconds, replace=False)]
                    stated = face_evidence(_as_seen(some, least), settings)["P"]
                    rows.append(
                        {
                            "seconds": seconds,
                            "width": f"{low} to {high}",
                            "same": person == subject,
                            "stated": stated,
                            "proposed": stated >= -rare,
                            "asked": stated > 0,
                        }
                    )
    return rows


def _as_seen(some: pd.DataFrame, least: float) -> pd.DataFrame:
    """One person's rows (TRACKS with `person`), a second apart, at one place."""
    llr = some["llr"].to_numpy(float)
    return pd.DataFrame(
        {
            "person": "P",
            "t_utc": [_T0 + pd.Timedelta(seconds=s) for s in range(len(some))],
            "x_m": 0.0,
            "y_m": 0.0,
            "face_px": some["face_px"].to_numpy(float),
            "mask_p": 0.99,
            "subject_p": np.nan,
            "masked_llr": np.where(llr >= least, llr, np.nan),
        }
    )


if __name__ == "__main__":
    main()
