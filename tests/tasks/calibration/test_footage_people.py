"""People of a recording as boxes, at the camera's size, with nothing else about them."""

from datetime import UTC, datetime

import numpy as np

from data_contracts.camera import Camera
from models.interface import Boxes
from tasks.calibration.footage_people import people_in
from tasks.footage.reading import Frame

NOW = datetime(2026, 11, 16, tzinfo=UTC)
CAMERA = Camera(camera_id="a", image_width=320, image_height=180)


class Everywhere:
    """One person of half the picture's height in each."""

    def detect(self, frames):
        """Their boxes."""
        sizes = [f.shape[:2] for f in frames]
        return [
            Boxes(np.array([[10, 0, 40, h / 2]], np.float32), np.array([0.9], np.float32))
            for h, _ in sizes
        ]


def test_boxes_are_at_the_cameras_size() -> None:
    """Of a recording twice as large the boxes are those of the picture that was calibrated; no face
    and no place is told.
    """
    frame = Frame(NOW, np.zeros((360, 640, 3), np.uint8))
    found = people_in([frame], CAMERA, Everywhere())
    assert found[["x0", "y0", "x1", "y1"]].to_numpy().tolist() == [[10, 0, 40, 90]]
    assert found["camera_id"].tolist() == ["a"]
    assert people_in([], CAMERA, Everywhere()).empty
