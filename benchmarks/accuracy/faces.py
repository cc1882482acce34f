"""Faces of a synthetic site with their owners: how often they are found, told apart, and their mask
state read.

python -m benchmarks.accuracy.faces demo            prints detection by head size, similarities,
mask state python -m benchmarks.accuracy.faces demo --save F   also keeps the measured numbers (no
pictures, no vectors) as CSV

Heads are taken from the truth, so that this measures faces and not people: a crop from the head's
box with half its size around it, as an upper-body crop has.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.accuracy.footage import frames
from models.registry import Models, load
from models.settings import ModelSettings
from tasks.footage.picture import decode_picture
from tasks.observe.face import turn_of
from tasks.observe.sharpness import sharpness

HEADS = [0, 14, 18, 24, 32, 48, 64, 96, 400]
FACES = [0, 12, 16, 20, 24, 32, 48, 64, 300]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("site", type=Path)
    parser.add_argument("--every", type=int, default=5)
    parser.add_argument("--embedder", action="append", default=None)
    parser.add_argument("--save", type=Path)
    given = parser.parse_args()
    everyone = [load(ModelSettings(embedder=e)) for e in given.embedder or [None]]
    heads, faces, vectors = collect(given.site, given.every, everyone)
    detection(heads)
    masks(faces)
    for name, models, features in zip(
        given.embedder or ["default"], everyone, vectors, strict=True
    ):
        print(f"--- embedder {name}")
        similarities(given.site, models, faces, features)
    if given.save:
        faces.to_csv(given.save, index=False)


def collect(
    site: Path, every: int, everyone: list[Models]
) -> tuple[pd.DataFrame, pd.DataFrame, list[np.ndarray]]:
    """Heads looked at; faces found in them with what was measured; and for each embedder the faces'
    vectors.
    """
    heads = []
    faces = []
    vectors: list[list[np.ndarray]] = [[] for _ in everyone]
    row: Any
    for frame in frames(site, every):
        for row in frame.truth[frame.truth.head_visible > 0.7].itertuples():
            pad = 0.5 * row.head_px
            x0, y0 = (max(0, round(v - pad)) for v in (row.head_x0, row.head_y0))
            crop = frame.image[y0 : round(row.head_y1 + pad), x0 : round(row.head_x1 + pad)]
            if min(crop.shape[:2]) < 8:
                continue
            crop = np.ascontiguousarray(crop)
            found = everyone[0].face.detect([crop])[0]
            middle = np.array([row.head_x0 + row.head_x1, row.head_y0 + row.head_y1]) / 2 - [x0, y0]
            centres = (found.xyxy[:, :2] + found.xyxy[:, 2:]) / 2
            near = np.flatnonzero(np.linalg.norm(centres - middle, axis=1) < 0.45 * row.head_px)
            heads.append((row.head_px, row.face_angle_deg, row.masked, len(near) > 0))
            if not len(near):
                continue
            best = int(near[0])
            marks = found.landmarks[best]
            mask = float(everyone[0].mask.probability([crop], [marks])[0])
            width = float(found.width_px[best])
            looks = (turn_of(marks.astype(float)), sharpness(crop, marks))
            faces.append(
                (
                    frame.camera,
                    frame.t_utc,
                    row.person,
                    row.masked,
                    row.head_px,
                    width,
                    row.face_angle_deg,
                    mask,
                    *looks,
                )
            )
            for store, models in zip(vectors, everyone, strict=True):
                store.append(models.embedder.embed([crop], [marks])[0])
    names = [
        "camera",
        "t_utc",
        "person",
        "masked",
        "head_px",
        "face_px",
        "angle",
        "mask_p",
        "turn",
        "sharpness",
    ]
    return (
        pd.DataFrame(heads, columns=["head_px", "angle", "masked", "hit"]),
        pd.DataFrame(faces, columns=names),
        [np.array(v) for v in vectors],
    )


def detection(heads: pd.DataFrame) -> None:
    """Share of heads with a face found, by head height and angle."""
    print("faces found (share, n) by head height px and angle to the camera")
    for size, part in heads.groupby(pd.cut(heads.head_px, HEADS), observed=True):
        cells = [
            part[(part.angle >= a) & (part.angle < b)].hit
            for a, b in ((0, 40), (40, 70), (70, 100), (100, 181))
        ]
        print(f"  {size!s:12}", "  ".join(f"{c.mean():.2f} ({len(c):4d})" for c in cells))


def masks(faces: pd.DataFrame) -> None:
    """Mask state by face width: share judged right at 1/2, and share of clear and right answers."""
    print(
        "mask state by face width px: right at 1/2 masked, bare; sure (outside 0.2..0.8); sure and "
        "right"
    )
    front = faces[faces.angle < 60]
    for size, part in front.groupby(pd.cut(front.face_px, FACES), observed=True):
        said = part.mask_p > 0.5
        true = part.masked == 1
        sure = (part.mask_p - 0.5).abs() > 0.3
        right = (said == true)[sure].mean()
        print(
            f"  {size!s:10} {said[true].mean():.3f} ({true.sum():4d})  {(~said[~true]).mean():.3f} "
            f"({(~true).sum():4d})"
            f"  sure {sure.mean():.2f} right {right:.3f}"
        )


def similarities(site: Path, models: Models, faces: pd.DataFrame, vectors: np.ndarray) -> None:
    """Similarity of every face to the subject's reference pictures, same and different people, and
    P from it.
    """
    score = vectors @ subject(site, models)
    front = faces.assign(score=score)[faces.angle < 50]
    print(
        "similarity to the subject by face width px and mask: same, different (median, p90, max), "
        "separation"
    )
    for (size, masked), part in front.groupby(
        [pd.cut(front.face_px, FACES), "masked"], observed=True
    ):
        same = part[part.person == "S"].score
        other = part[part.person != "S"].score
        sure = models.calibration.probability(
            part.score.to_numpy(), part.face_px.to_numpy(), masked == 1
        )
        wrong = (
            float(np.nanmean((sure > 0.5)[(part.person != "S").to_numpy()]))
            if len(other)
            else np.nan
        )
        right = (
            float(np.nanmean((sure > 0.5)[(part.person == "S").to_numpy()]))
            if len(same)
            else np.nan
        )
        print(
            f"  {size!s:10} masked={masked} same {same.median():.3f} p10 {same.quantile(0.1):.3f} "
            f"(n={len(same)});"
            f" other {other.median():.3f} p90 {other.quantile(0.9):.3f} max {other.max():.3f} "
            f"(n={len(other)});"
            f" P>1/2: same {right:.2f} other {wrong:.2f}"
        )


def subject(site: Path, models: Models) -> np.ndarray:
    """(d,) of length 1: the mean of the subject's reference pictures."""
    pictures = [
        decode_picture(p.name, p.read_bytes()) for p in sorted((site / "reference").glob("*.jpg"))
    ]
    marks = [models.face.detect([p])[0].landmarks[0] for p in pictures]
    mean = models.embedder.embed(pictures, marks).mean(0)
    return mean / np.linalg.norm(mean)


if __name__ == "__main__":
    main()
