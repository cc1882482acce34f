"""A drawn scene with people whose places are known: what redaction is tested on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import cv2
import numpy as np
import pandas as pd

from data_contracts.camera import Camera
from data_contracts.tables.contracts import TRACKS
from tasks.redaction.redact import Detectors

T0 = datetime(2026, 1, 5, 9, tzinfo=UTC)
HEIGHT = 360
WIDTH = 640
CAMERA = Camera(camera_id="a", image_width=WIDTH, image_height=HEIGHT)
SUBJECT = np.array([280.0, 100.0, 360.0, 320.0])
STRANGER = np.array([480.0, 90.0, 560.0, 330.0])


def empty_room(seed: int = 0) -> np.ndarray:
    """A textured room with sensor noise, (360, 640, 3)."""
    rng = np.random.default_rng(7)
    wall = cv2.resize(rng.integers(90, 170, (9, 16, 3), dtype=np.uint8), (WIDTH, HEIGHT))
    noise = np.random.default_rng(seed).normal(0, 2, wall.shape)
    return np.clip(wall + noise, 0, 255).astype(np.uint8)


def with_person(frame: np.ndarray, box: np.ndarray, seed: int = 1) -> np.ndarray:
    """The frame with a person of noisy clothes and a finely patterned face filling a box (4,)."""
    out = frame.copy()
    x0, y0, x1, y1 = box.astype(int)
    body = np.random.default_rng(seed).integers(0, 80, (y1 - y0, x1 - x0, 3), dtype=np.uint8)
    mask = np.zeros(body.shape[:2], np.uint8)
    head = round(0.15 * (y1 - y0))
    cv2.ellipse(mask, ((x1 - x0) // 2, head), (round(0.3 * (x1 - x0)), head), 0, 0, 360, 1, -1)
    face = np.random.default_rng(seed + 99).integers(120, 255, (10, 10, 3), dtype=np.uint8)
    body[: 2 * head] = cv2.resize(face, (x1 - x0, 2 * head), interpolation=cv2.INTER_NEAREST)
    mask[2 * head :, round(0.15 * (x1 - x0)) : round(0.85 * (x1 - x0))] = 1
    out[y0:y1, x0:x1][mask > 0] = body[mask > 0]
    return out


def head_of(box: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns of the middle of a drawn person's head."""
    x0, y0, x1, y1 = box
    head = 0.15 * (y1 - y0)
    middle = (x0 + x1) / 2
    half = 0.15 * (x1 - x0)
    return slice(int(y0 + 0.4 * head), int(y0 + 1.6 * head)), slice(
        int(middle - half), int(middle + half)
    )


def shown(original: np.ndarray, redacted: np.ndarray, where: tuple[slice, slice]) -> float:
    """Share of pixels that are unchanged."""
    return float((original[where] == redacted[where]).all(axis=2).mean())


def at(seconds: float) -> datetime:
    """Seconds after the start."""
    return T0 + timedelta(seconds=seconds)


def track(track_id: int, box: np.ndarray, times: list[float], score: float = 0.9) -> pd.DataFrame:
    """TRACKS rows of somebody standing still."""
    x0, y0, x1, y1 = box
    fixed = {
        "camera_id": "a",
        "track_id": track_id,
        "x0": x0,
        "y0": y0,
        "x1": x1,
        "y1": y1,
        "score": score,
    }
    return TRACKS.shape([fixed | {"t_utc": at(t), "foot_hidden": False} for t in times])


def seeing(
    *boxes: np.ndarray, score: float = 0.9, faces: list[np.ndarray] | None = None
) -> Detectors:
    """Detectors that find the same people in every frame, and the same faces in every crop."""

    def found(places: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        return np.array(places, float).reshape(-1, 4), np.full(len(places), score)

    return Detectors(
        people=lambda images: [found(list(boxes)) for _ in images],
        faces=(lambda images: [found(faces) for _ in images]) if faces is not None else None,
    )
