"""Cutting faces out upright, and other geometry that the models share."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from models.interface import Boxes, Floats, Image

# The 112 x 112 template of the ArcFace code (deepinsight/insightface, `face_align.py`), px.
ARCFACE_112 = np.array(
    [
        [38.2946, 51.6963],
        [73.5318, 51.5014],
        [56.0252, 71.7366],
        [41.5493, 92.3655],
        [70.7299, 92.2041],
    ],
    np.float64,
)

# Boxes that overlap more may be one person twice. Trackers want one box a person: with the doubles
# up to 0.6, which a detector may keep, tracks break on real footage (docs/accuracy.md).
ONE_PERSON_OVERLAP = 0.5


def similarity_transform(
    source: NDArray[np.floating], target: NDArray[np.floating]
) -> NDArray[np.float64]:
    """The (2, 3) rotation, scale and shift that takes `source` (n, 2) to `target` (n, 2) with least
    squared error.

    Umeyama, "Least-squares estimation of transformation parameters between two point patterns",
    PAMI 1991, eq. 40-42. Points that all coincide give the shift alone.
    """
    source = np.asarray(source, np.float64)
    target = np.asarray(target, np.float64)
    mean_s = source.mean(0)
    mean_t = target.mean(0)
    s = source - mean_s
    t = target - mean_t
    spread = float((s**2).sum())
    if spread < 1e-9:
        return np.hstack([np.eye(2), (mean_t - mean_s)[:, None]])
    u, d, vt = np.linalg.svd(t.T @ s)
    sign = np.array([1.0, -1.0 if np.linalg.det(u) * np.linalg.det(vt) < 0 else 1.0])
    rotation = u @ np.diag(sign) @ vt
    scale = float((d * sign).sum()) / spread
    return np.hstack([scale * rotation, (mean_t - scale * rotation @ mean_s)[:, None]])


def warp(
    image: Image, landmarks: NDArray[np.floating], template: NDArray[np.float64], size: int
) -> Image:
    """The face of `landmarks` (5, 2) px moved onto `template` (5, 2) px, (size, size, 3); outside
    the image black.

    Faces more than twice as large as the template are first shrunk by averaging, so that a portrait
    taken with a phone does not alias.
    """
    matrix = similarity_transform(landmarks, template)
    ratio = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if 1e-3 < ratio < 0.5:
        small = (max(1, round(image.shape[1] * ratio)), max(1, round(image.shape[0] * ratio)))
        steps = np.array([small[0] / image.shape[1], small[1] / image.shape[0]])
        image = np.asarray(cv2.resize(image, small, interpolation=cv2.INTER_AREA), np.uint8)
        matrix = similarity_transform(np.asarray(landmarks) * steps, template)
    return np.asarray(cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR), np.uint8)


def suppress(
    boxes: Floats, scores: Floats, overlap: float, always: NDArray[np.bool_] | None = None
) -> NDArray[np.intp]:
    """Greedy non-maximum suppression: indices of the boxes kept, best first; a kept pair has IoU <=
    `overlap`.

    Boxes flagged in `always` (n,) are kept whatever they overlap. Boxes that are not finite overlap
    nothing: they are kept and suppress nobody (`Boxes` leaves them out).
    """
    with np.errstate(invalid="ignore"):
        return _suppressed(boxes, scores, overlap, always)


def _suppressed(
    boxes: Floats, scores: Floats, overlap: float, always: NDArray[np.bool_] | None
) -> NDArray[np.intp]:
    spared = np.zeros(len(scores), bool) if always is None else always
    order = np.argsort(-scores, kind="stable")
    area = np.maximum(boxes[:, 2] - boxes[:, 0], 0) * np.maximum(boxes[:, 3] - boxes[:, 1], 0)
    keep: list[int] = []
    while len(order):
        best = order[0]
        rest = order[1:]
        keep.append(int(best))
        size = np.minimum(boxes[best, 2:], boxes[rest, 2:]) - np.maximum(
            boxes[best, :2], boxes[rest, :2]
        )
        inter = np.maximum(size, 0).prod(1)
        same = inter > overlap * (area[best] + area[rest] - inter)
        order = rest[~same | spared[rest]]
    return np.array(keep, np.intp)


def best_of_each(people: Boxes) -> Boxes:
    """One box a person: without those that overlap a better one by more than ONE_PERSON_OVERLAP."""
    keep = suppress(people.xyxy, people.score, ONE_PERSON_OVERLAP)
    return Boxes(people.xyxy[keep], people.score[keep])


def shrink_filter(ratio: float) -> int:
    """OpenCV's interpolation for a resize by `ratio`: averaging below one half, else linear (avoids
    aliasing).
    """
    return int(cv2.INTER_AREA if ratio < 0.5 else cv2.INTER_LINEAR)
