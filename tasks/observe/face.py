"""Where the heads of detected people are, and the one face that belongs to each of them.

Faces live only in memory, between the detector and the function that compares or judges them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from models.interface import FaceDetector, Image

Array = NDArray[np.float64]

# Proportions of a standing adult as shares of the stature (Drillis & Contini 1966): head with neck
# 0.182, face breadth about 0.085 (ANSUR: bizygomatic 0.14 m of 1.70 m), shoulders 0.259. A box's
# width is at least the shoulders' half.
FACE_SHARE_OF_HEIGHT = 0.085
FACE_SHARE_OF_WIDTH = 0.25
# A head's crop is this many face widths wide and high: the head itself with room for a box that is
# off by a face.
CROP_FACES = 3.2
# Yaw as the nose's shift from the eyes' middle over the eyes' distance; 0.35 is about 30 degrees on
# an average face (nose tip 2.2 cm before the eyes' plane at 6.3 cm between the pupils). Beyond,
# half of mouth and cheek is unseen.
MAX_TURN = 0.35
# A mask shows on a face that is turned further, up to about 45 degrees.
MASK_MAX_TURN = 0.6


@dataclass(frozen=True)
class Face:
    """A face in one image: which person (row of the boxes), box (4,) and landmarks (5, 2) in image
    px, score, `turn`.

    `turn` is 0 for a full face and grows with yaw (see MAX_TURN).
    """

    person: int
    xyxy: Array
    landmarks: Array
    score: float
    turn: float

    @property
    def width_px(self) -> float:
        """Width of the face box."""
        return float(self.xyxy[2] - self.xyxy[0])


def expected_face_px(boxes_px: Array) -> Array:
    """(n,) face width that people of these boxes (n, 4) would show; the larger guess where the feet
    are cut off.
    """
    width = boxes_px[:, 2] - boxes_px[:, 0]
    height = boxes_px[:, 3] - boxes_px[:, 1]
    return np.maximum(FACE_SHARE_OF_HEIGHT * height, FACE_SHARE_OF_WIDTH * width)


def head_boxes(boxes_px: Array, width: int, height: int) -> NDArray[np.intp]:
    """(n, 4) whole-pixel crops around the heads of people in an image of `width` x `height`."""
    face = expected_face_px(boxes_px)
    centre_x = (boxes_px[:, 0] + boxes_px[:, 2]) / 2
    top = boxes_px[:, 1]
    half = np.maximum(CROP_FACES / 2 * face, (boxes_px[:, 2] - boxes_px[:, 0]) / 2)
    crop = np.c_[
        centre_x - half, top - 0.6 * face, centre_x + half, top + (CROP_FACES - 0.6) * face
    ]
    return np.round(np.clip(crop, 0, [width, height, width, height])).astype(np.intp)


def find_faces(
    image: Image, boxes_px: Array, detector: FaceDetector, min_face_px: float
) -> list[Face]:
    """One face at most for each person whose head can be large enough; best match of place and
    score wins.

    `boxes_px` (n, 4). A quarter of doubt is allowed on the size before looking; found faces below
    `min_face_px` are dropped.
    """
    boxes = np.asarray(boxes_px, float).reshape(-1, 4)
    rows = np.flatnonzero(expected_face_px(boxes) >= 0.75 * min_face_px)
    crops = head_boxes(boxes, image.shape[1], image.shape[0])
    rows = np.array(
        [i for i in rows if np.all(crops[i, 2:] - crops[i, :2] >= min_face_px)], dtype=int
    )
    images = [
        np.ascontiguousarray(image[crops[i, 1] : crops[i, 3], crops[i, 0] : crops[i, 2]])
        for i in rows
    ]
    found: list[tuple[float, Face]] = []
    for i, faces in zip(rows, detector.detect(images) if images else [], strict=True):
        shift = crops[i, :2].astype(float)
        for box, score, marks in zip(faces.xyxy, faces.score, faces.landmarks, strict=True):
            at = np.asarray(box, float) + np.r_[shift, shift]
            fit = _fits_person(at, boxes[i])
            if fit is not None and at[2] - at[0] >= min_face_px:
                points = np.asarray(marks, float) + shift
                found.append(
                    (fit * float(score), Face(int(i), at, points, float(score), turn_of(points)))
                )
    return _one_each(found)


def turn_of(landmarks: Array) -> float:
    """How far a face is turned aside, from its five points (5, 2) px: 0 full face; see MAX_TURN."""
    left = landmarks[0]
    right = landmarks[1]
    nose = landmarks[2]
    across = right - left
    length = float(np.hypot(*across))
    if length < 1e-6:
        return np.inf
    mouth = (landmarks[3] + landmarks[4]) / 2
    middle = 0.5 * ((left + right) / 2 + mouth)
    return abs(float((nose - middle) @ across)) / length**2


def _fits_person(face: Array, person: Array) -> float | None:
    """How well a face sits where the person's should: 1 at the top's middle, None where it cannot
    be this person's.
    """
    expected = expected_face_px(person[None])[0]
    x = (face[0] + face[2]) / 2
    y = (face[1] + face[3]) / 2
    aside = abs(x - (person[0] + person[2]) / 2) / max(person[2] - person[0], 1.0)
    down = abs(y - person[1] - 0.8 * expected) / expected
    ratio = (face[2] - face[0]) / expected
    if aside > 0.5 or down > 1.6 or not 0.4 < ratio < 2.5:
        return None
    return float(np.exp(-(aside**2) - 0.5 * down**2))


def _one_each(found: list[tuple[float, Face]]) -> list[Face]:
    """Greedy one to one: a person has one face, and a face that two heads' crops show belongs to
    one person.
    """
    chosen: list[Face] = []
    for _, face in sorted(found, key=lambda item: -item[0]):
        if all(
            face.person != other.person and not _same_face(face.xyxy, other.xyxy)
            for other in chosen
        ):
            chosen.append(face)
    return sorted(chosen, key=lambda face: face.person)


def _same_face(a: Array, b: Array) -> bool:
    size = np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0)
    smaller = min(np.prod(a[2:] - a[:2]), np.prod(b[2:] - b[:2]))
    return bool(size[0] * size[1] > 0.5 * smaller)
