"""The attack on clothes: who is who by the mean colours of a body, learnt from redacted pictures.

The attacker knows where every bystander is (from the truth) and who they are on all cameras but
one. Of each body nine numbers are kept: the mean colours (blue, green, red) of its upper part, its
lower part and its shoes, over the frames of a clip. Those of the other cameras are learnt (the mean
of each person, every number measured in its own deviation), and the nearest person is named on the
camera left out. The figure is the mean over people of the share named right, so that who is seen
often counts no more than anybody else: always naming one person gives 1 / n.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from benchmarks.redaction.heads import now

# Heights of the parts as shares of a body's box, from the top.
PARTS = ((0.2, 0.5), (0.55, 0.85), (0.92, 1.0))
# Bodies that are smaller, or hidden by more than this, tell little even in clean footage.
MIN_HEIGHT_PX = 60
MIN_VISIBLE = 0.6


class Named(NamedTuple):
    """How many people, on how many clips, and the mean share named right, beside chance."""

    people: int
    clips: int
    right: float
    chance: float


class ClothesAttack:
    """Collects nine numbers a person and clip by mode; holds no picture."""

    def __init__(self, boxes: pd.DataFrame, subject: str) -> None:
        high = boxes["y1"] - boxes["y0"] >= MIN_HEIGHT_PX
        self._boxes = boxes[(boxes["person"] != subject) & high & (boxes["visible"] >= MIN_VISIBLE)]
        self._seen: dict[str, list[tuple[str, str, np.ndarray]]] = defaultdict(list)

    def on(
        self, mode: str, camera: str, times: Sequence[Any], images: Sequence[np.ndarray]
    ) -> None:
        """Remember what one clip's bodies look like."""
        rows = self._boxes[self._boxes["camera"] == camera]
        parts = defaultdict(list)
        for t, image in zip(times, images, strict=True):
            for row in now(rows, t).itertuples():
                parts[row.person].append(colours(image, row))
        self._seen[mode] += [(p, camera, np.mean(found, axis=0)) for p, found in parts.items()]

    def report(self) -> dict[str, Any]:
        """Print and return the figures by mode."""
        print(f"\n{'clothes':20} people  clips named right  by chance")
        out = {}
        for mode, seen in self._seen.items():
            found = named(seen)
            numbers = f"{found.people:6} {found.clips:6} {found.right:11.2f} {found.chance:10.2f}"
            print(f"{mode:20} {numbers}")
            out[mode] = found._asdict()
        return out


def colours(image: np.ndarray, row: Any) -> np.ndarray:
    """(9,) mean blue, green and red of the upper part, the lower part and the shoes in a body's
    box, of its middle half.
    """
    height, width = image.shape[:2]
    x0 = row.x0 + 0.25 * (row.x1 - row.x0)
    x1 = row.x1 - 0.25 * (row.x1 - row.x0)
    columns = slice(int(np.clip(x0, 0, width - 1)), int(np.clip(x1, x0 + 1, width)) + 1)
    out = []
    for top, bottom in PARTS:
        y0, y1 = (row.y0 + share * (row.y1 - row.y0) for share in (top, bottom))
        start = int(np.clip(y0, 0, height - 1))
        rows = slice(start, max(start + 1, int(min(y1, height))))
        out.append(image[rows, columns].reshape(-1, 3).mean(axis=0))
    return np.concatenate(out)


def named(seen: Sequence[tuple[str, str, np.ndarray]]) -> Named:
    """Name everybody on each camera from what the others taught. `seen`: person, camera, numbers
    (9,).
    """
    who = np.array([s[0] for s in seen], object)
    where = np.array([s[1] for s in seen], object)
    vectors = np.array([s[2] for s in seen], float).reshape(-1, 9)
    right: dict[str, list[bool]] = defaultdict(list)
    chances = []
    for camera in sorted(set(where)):
        taught = where != camera
        names = sorted(set(who[taught]))
        asked = ~taught & np.isin(who, names)
        if len(names) < 2 or not asked.any():
            continue
        # Half a level: below it a deviation is the coding's rounding.
        spread = np.maximum(vectors[taught].std(axis=0), 0.5)
        means = np.array([vectors[taught & (who == n)].mean(axis=0) for n in names])
        gaps = np.linalg.norm((vectors[asked][:, None] - means[None]) / spread, axis=2)
        for person, guess in zip(who[asked], gaps.argmin(axis=1), strict=True):
            right[person].append(names[guess] == person)
            chances.append(1 / len(names))
    if not right:
        return Named(0, 0, 0.0, 0.0)
    share = float(np.mean([np.mean(hits) for hits in right.values()]))
    return Named(len(right), len(chances), share, float(np.mean(chances)))
