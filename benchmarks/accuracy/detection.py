"""How well people are found: average precision, precision and recall of boxes against truth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from supervision import box_iou_batch

from models.geometry import ONE_PERSON_OVERLAP, suppress

BOX = ["x0", "y0", "x1", "y1"]
# A box is the person's from this overlap on (PASCAL VOC, Everingham et al. 2010, section 4.2).
OVERLAP = 0.5


def detection_figures(found: pd.DataFrame, truth: pd.DataFrame, sure: float) -> dict[str, Any]:
    """Average precision (area under the precision-recall curve), and precision and recall at score
    `sure`.

    `found`: camera_id, t_utc, x0..y1, score. `truth`: camera_id, t_utc, x0..y1, ignore; boxes on an
    ignored person count neither way.
    """
    scores = []
    hits = []
    for boxes, rows in frames_of(found, truth):
        hit = _hits(boxes, rows)
        scores += list(boxes["score"].to_numpy(float)[hit >= 0])
        hits += list(hit[hit >= 0])
    score = np.asarray(scores, float)
    right = np.asarray(hits, bool)
    wanted = int((~truth["ignore"]).sum())
    taken = right[score >= sure]
    return {
        "boxes": wanted,
        "ap": average_precision(score, right, wanted),
        "score": sure,
        "precision": float(taken.mean()) if len(taken) else float("nan"),
        "recall": float(taken.sum() / max(wanted, 1)),
    }


def second_boxes(found: pd.DataFrame, truth: pd.DataFrame, sure: float) -> dict[str, int]:
    """How many boxes of at least `sure` lie on a better one (`models.geometry.best_of_each`), and
    how many of them are somebody.
    """
    n = people = 0
    for boxes, rows in frames_of(found, truth):
        best = suppress(
            boxes[BOX].to_numpy(np.float32), boxes["score"].to_numpy(np.float32), ONE_PERSON_OVERLAP
        )
        second = (boxes["score"].to_numpy(float) >= sure) & ~np.isin(np.arange(len(boxes)), best)
        n = n + int(second.sum())
        people = people + int((_hits(boxes, rows)[second] > 0).sum())
    return {"second_boxes": n, "second_people": people}


def average_precision(score: NDArray[np.floating], hit: NDArray[np.bool_], wanted: int) -> float:
    """Area under the precision-recall curve, precision made falling (PASCAL VOC 2010 and later)."""
    right = np.cumsum(hit[np.argsort(-score, kind="stable")])
    precision = right / np.arange(1, len(right) + 1)
    recall = right / max(wanted, 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.diff(np.r_[0.0, recall]) @ best)


def frames_of(
    found: pd.DataFrame, truth: pd.DataFrame
) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """The rows of `found` and of `truth` of each frame of each camera, in order of time."""
    one, two = (dict(list(table.groupby(["camera_id", "t_utc"]))) for table in (found, truth))
    for key in sorted(one.keys() | two.keys()):
        yield one.get(key, found.iloc[:0]), two.get(key, truth.iloc[:0])


def _hits(boxes: pd.DataFrame, rows: pd.DataFrame) -> NDArray[np.intp]:
    """(n,) 1 where a box takes a free true one, best score first; 0 where none, -1 where it is an
    ignored person's.
    """
    overlap = box_iou_batch(boxes[BOX].to_numpy(float), rows[BOX].to_numpy(float))
    ignore = rows["ignore"].to_numpy(bool)
    out = np.zeros(len(boxes), np.intp)
    free = np.ones(len(rows), bool)
    for i in np.argsort(-boxes["score"].to_numpy(float), kind="stable"):
        own = np.where(free & ~ignore, overlap[i], 0.0)
        if own.max(initial=0.0) >= OVERLAP:
            free[int(own.argmax())] = False
            out[i] = 1
        elif np.where(ignore, overlap[i], 0.0).max(initial=0.0) >= OVERLAP:
            out[i] = -1
    return out
