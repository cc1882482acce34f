"""`python -m benchmarks.accuracy.masks SITE`: mask state of single looks against a site's truth, by
face width.

SITE is laid out like demo/. One frame a second; the truth's boxes stand for the person detector, so
that only the mask is judged. Prints how often the classifier alone, the skin's colour alone and
both together are right.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from data_contracts import object_key
from data_contracts.errors import VideoUnreadable
from models.registry import load
from tasks.footage.reading import frames
from tasks.observe.face import MASK_MAX_TURN, find_faces
from tasks.observe.mask_colour import SKIN_MIN_FACE_PX, mask_log_odds
from tasks.observe.match import _mask_probability

_BINS = [SKIN_MIN_FACE_PX, 14, 18, 22, 26, 32, 48, 1000]


def looks(site: Path) -> pd.DataFrame:
    """One row a face looked at: camera, person, width_px, turn, truth and the three answers."""
    models = load()
    rows = []
    truth = pd.read_csv(site / "truth" / "boxes.csv", parse_dates=["t_utc"])
    footage = site / "footage"
    for path in sorted(footage.glob("*/*/*/*.mp4")):
        name = object_key.read_segment(str(path.relative_to(footage)))
        assert name is not None
        try:
            for frame in frames(path.read_bytes(), name.start_utc, 0.9):
                near = (truth["camera"] == name.camera_id) & (
                    abs(truth["t_utc"] - frame.t_utc) < pd.Timedelta("50ms")
                )
                rows += _looks(frame.image, truth[near], models)
        except VideoUnreadable as fault:
            print(f"{path.name}: {fault}", file=sys.stderr)
    return pd.DataFrame(rows)


def _looks(image, people, models):
    faces = find_faces(
        image, people[["x0", "y0", "x1", "y1"]].to_numpy(float), models.face, SKIN_MIN_FACE_PX
    )
    faces = [f for f in faces if f.turn <= MASK_MAX_TURN]
    if not faces:
        return []
    marks = [np.asarray(f.landmarks, np.float32) for f in faces]
    _, shape = models.embed_and_mask([image] * len(faces), marks)
    skin = np.array([mask_log_odds(image, m) for m in marks])
    width = np.array([f.width_px for f in faces])
    turn = np.array([f.turn for f in faces])
    both = _mask_probability(np.asarray(shape, float), skin, width, turn)
    return [
        {
            "person": people.iloc[f.person]["person"],
            "masked": bool(people.iloc[f.person]["masked"]),
            "width_px": f.width_px,
            "classifier": bool(shape[i] > 0.5),
            "skin": bool(skin[i] > 0),
            "both": bool(both[i] > 0.5),
        }
        for i, f in enumerate(faces)
    ]


def main() -> None:
    """Print the tables."""
    table = looks(Path(sys.argv[1]))
    width = pd.cut(table["width_px"], _BINS)
    right = table[["classifier", "skin", "both"]].eq(table["masked"], axis=0)
    for key, by in (("face width, px", width), ("person", table["person"])):
        groups = right.groupby([table["masked"], by.rename(key)], observed=True)
        print(groups.mean().round(3).assign(looks=groups.size()).to_string(), "\n")


if __name__ == "__main__":
    main()
