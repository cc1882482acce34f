"""Segments with people of drawn clothes, walking nowhere: what looks are tested on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from data_contracts.camera import Camera
from data_contracts.tables.contracts import DETECTIONS
from tasks.footage.video import write_clip
from tasks.observe.looks import Footage

T0 = datetime(2026, 11, 16, 9, tzinfo=UTC)
SIZE = (480, 640)
# Upper body, lower body, shoes (B, G, R).
SUBJECT = ((40, 40, 190), (120, 60, 30), (30, 30, 30))
GREEN = ((60, 150, 60), (60, 110, 150), (200, 200, 200))
GREY = ((150, 150, 150), (60, 60, 60), (30, 30, 30))


def drawn(clothes, camera_id="a", light=(1.0, 1.0, 1.0), seconds=2.0, hidden=()):
    """A segment of one camera in which people in `clothes` stand side by side in a `light` (gains
    of B, G, R); the feet of those whose rows are in `hidden` cannot be seen.
    """
    rng = np.random.default_rng(5)
    picture = np.tile(rng.integers(95, 150, (*SIZE, 1)), 3).astype(float)
    boxes = []
    for i, parts in enumerate(clothes):
        x0, y0, x1, y1 = 60 + 120 * i, 100, 130 + 120 * i, 310
        boxes.append((x0, y0, x1, y1))
        for (top, bottom), colour in zip(((0.15, 0.5), (0.5, 0.9), (0.9, 1)), parts, strict=True):
            rows = slice(int(y0 + top * 210), int(y0 + bottom * 210))
            picture[rows, x0:x1] = colour + rng.normal(0, 4, picture[rows, x0:x1].shape)
    picture = np.clip(picture * light, 0, 255).astype(np.uint8)
    times = [T0 + timedelta(seconds=0.2 * k) for k in range(round(seconds * 5))]
    rows = [
        {
            "camera_id": camera_id,
            "t_utc": t,
            **dict(zip(("x0", "y0", "x1", "y1"), map(float, box), strict=True)),
            "score": 0.9,
            "foot_hidden": i in hidden,
        }
        for t in times
        for i, box in enumerate(boxes)
    ]
    camera = Camera(camera_id=camera_id, image_width=SIZE[1], image_height=SIZE[0])
    return Footage(camera, T0, write_clip([picture] * len(times), 5), DETECTIONS.shape(rows))


def only(footage, row):
    """The same segment, of which one person is to be looked at."""
    return footage._replace(chosen=footage.boxes["x0"].to_numpy() == 60 + 120 * row)
