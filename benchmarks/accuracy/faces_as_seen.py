"""Portraits made to look as a camera far away would see them; shared by the fitting of calibration
and mask classifier.

A picture is shrunk until its face has a given width, blurred, given noise and compressed; then the
face is looked for again, so that what follows sees the detector's real landmarks. Masks are painted
on for faces of which there are only bare pictures.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.geometry import ARCFACE_112, similarity_transform
from models.interface import FaceDetector, Floats, Image

PICTURES = {".jpg", ".jpeg", ".png", ".pgm"}
# Outline of a mask on the ArcFace template, px: over the nose's bridge, along the jaw.
_MASK = np.array(
    [
        [22, 62],
        [40, 65],
        [56, 60],
        [72, 65],
        [90, 62],
        [88, 86],
        [78, 102],
        [66, 112],
        [46, 112],
        [34, 102],
        [24, 86],
    ],
    float,
)
_COLOURS = [(235, 235, 235), (230, 200, 160), (40, 40, 40), (200, 190, 180), (220, 220, 190)]  # BGR


@dataclass(frozen=True)
class SeenFace:
    """A face as seen: the picture it is in, its landmarks there, its width px, and the file it came
    from.
    """

    image: Image
    landmarks: Floats
    width_px: float
    source: Path
    native: bool


def held_out(path: Path) -> bool:
    """Whether a picture belongs to the fifth that is only measured on; by its name, so that runs
    agree.
    """
    return int(hashlib.sha256(path.name.encode()).hexdigest(), 16) % 5 == 0


def pictures(folder: Path) -> list[Path]:
    """All pictures in a folder and below it, in order."""
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in PICTURES)


def seen(
    path: Path,
    detector: FaceDetector,
    widths: list[float],
    rng: np.random.Generator,
    paint: bool = False,
    strong: float = 1.0,
) -> Iterator[SeenFace]:
    """The picture's main face as it is and at the widths given (each varied a little); none where
    it has no face.

    `paint` covers nose and mouth first; `strong` scales blur, noise and compression.
    """
    image = cv2.imread(str(path))
    if image is None:
        return
    if max(image.shape[:2]) > 900:
        ratio = 900 / max(image.shape[:2])
        image = cv2.resize(image, None, fx=ratio, fy=ratio, interpolation=cv2.INTER_AREA)
    pad = int(0.3 * max(image.shape[:2]))
    image = cv2.copyMakeBorder(image, pad, pad, pad, pad, cv2.BORDER_REPLICATE)
    faces = detector.detect([np.asarray(image, np.uint8)])[0]
    if not len(faces):
        return
    best = int(np.argmax(faces.width_px * (faces.score > 0.5)))
    width = float(faces.width_px[best])
    marks = faces.landmarks[best]
    low = np.maximum(0, marks.mean(0) - 1.1 * width).astype(int)
    high = (marks.mean(0) + 1.1 * width).astype(int)
    crop = np.ascontiguousarray(image[low[1] : high[1], low[0] : high[0]])
    marks = marks - low
    if paint:
        crop = painted(crop, marks, rng)
    yield SeenFace(crop, marks.astype(np.float32), width, path, True)
    for wanted in widths:
        ratio = wanted * rng.uniform(0.85, 1.2) / width
        if ratio > 1.05:
            continue
        small = degraded(crop, ratio, rng, strong)
        found = detector.detect([small])[0]
        if not len(found):
            continue
        away = np.linalg.norm(found.landmarks.mean(1) - marks.mean(0) * ratio, axis=1)
        near = int(np.argmin(away))
        if away[near] < 0.4 * width * ratio:
            yield SeenFace(small, found.landmarks[near], float(found.width_px[near]), path, False)


def degraded(image: Image, ratio: float, rng: np.random.Generator, strong: float) -> Image:
    """Shrunk by `ratio`, blurred, with noise, JPEG-compressed."""
    small = cv2.resize(
        image,
        None,
        fx=ratio,
        fy=ratio,
        interpolation=cv2.INTER_AREA if ratio < 1 else cv2.INTER_LINEAR,
    )
    if rng.random() < 0.75:
        small = cv2.GaussianBlur(small, (0, 0), rng.uniform(0.3, 0.9 * strong))
    noisy = small + rng.normal(0, rng.uniform(0, 4 * strong), small.shape)
    small = np.clip(noisy, 0, 255).astype(np.uint8)
    quality = int(rng.uniform(35 / strong, 90))
    _, data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def painted(image: Image, marks: NDArray[np.floating], rng: np.random.Generator) -> Image:
    """The face with a plain mask over nose and mouth, shaded as the picture is."""
    to_template = np.vstack([similarity_transform(marks, ARCFACE_112), [0, 0, 1]])
    back = np.linalg.inv(to_template)
    shape = _MASK + rng.uniform(-3, 3, (1, 2)) * [0, 1]
    outline = shape @ back[:2, :2].T + back[:2, 2]
    cover = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(cover, [np.round(outline * 8).astype(np.int32)], 255, shift=3)
    share = cv2.GaussianBlur(cover, (0, 0), 0.8)[..., None] / 255.0
    light = cv2.GaussianBlur(
        cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.float32),
        (0, 0),
        max(2.0, float(np.linalg.norm(marks[0] - marks[1])) / 2),
    )
    cloth = np.array(_COLOURS[rng.integers(len(_COLOURS))]) * (light / light.mean())[..., None]
    return np.clip(image * (1 - share) + np.clip(cloth, 0, 255) * share, 0, 255).astype(np.uint8)
