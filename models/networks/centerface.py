"""CenterFace (arXiv:1911.03599): faces with five landmarks, in whole frames or in crops of heads.

The network gives, at a quarter of the input's resolution, a heat map of face centres, the box size
(log of its share of 4 px), the centre's offset and the landmarks relative to the box.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from models.files.manifest import ModelInput
from models.geometry import shrink_filter, suppress
from models.interface import Faces, Floats, Image
from models.networks.backend import Setup, backend
from models.runtime import DETECTOR_TOLERANCE, Session

_STRIDE = 4
# Canvas sides, px: few, because each shape is compiled once by OpenVINO; all multiples of the
# network's 32. A 16:9 frame of 1280 px is 736 high.
_BUCKETS = (96, 160, 224, 320, 448, 640, 736, 960, 1280)
# Crops are enlarged to at least this long side: a head in an upper-body crop is then 30 px or more,
# and recall on faces of 16 px and up is about 1 (docs/models/centerface.md).
_SMALL_CROP = 160.0
_MAX_ENLARGEMENT = 4.0
# Images whose canvases are in memory together.
_AT_ONCE = 16


@backend("face", "centerface")
class CenterFace:
    """`FaceDetector`. `max_side` px bounds the canvas: longer images are shrunk to it."""

    def __init__(self, session: Session, given: ModelInput, score: float, overlap: float) -> None:
        self._session = session
        self._score = score
        self._overlap = overlap
        self._max_side = float(max(given.width, given.height))
        self._swap = given.colour == "RGB"

    @classmethod
    def load(cls, setup: Setup) -> CenterFace:
        """By the manifest's numbers."""
        return cls(
            setup.session((1, 3, 160, 160), DETECTOR_TOLERANCE),
            setup.input,
            setup.threshold("score"),
            setup.threshold("overlap"),
        )

    def detect(self, images: Sequence[Image]) -> list[Faces]:
        """Faces of each image, best first; images that need one canvas size share a call."""
        if not images:
            return []
        if len(images) > _AT_ONCE:
            parts = [self.detect(images[i : i + _AT_ONCE]) for i in range(0, len(images), _AT_ONCE)]
            return [faces for part in parts for faces in part]
        ready = [self._canvas(image) for image in images]
        out: list[Faces | None] = [None] * len(images)
        for shape in sorted({canvas.shape for canvas, _ in ready}):
            members = [i for i, (canvas, _) in enumerate(ready) if canvas.shape == shape]
            outputs = self._session.run(np.stack([ready[i][0] for i in members]))
            for row, i in enumerate(members):
                out[i] = self._decode([o[row] for o in outputs], ready[i][1], images[i].shape[:2])
        return [faces for faces in out if faces is not None]

    def _canvas(self, image: Image) -> tuple[Floats, float]:
        height, width = image.shape[:2]
        longest = max(height, width, 1)
        ratio = canvas_ratio(longest, self._max_side)
        w = max(1, round(width * ratio))
        h = max(1, round(height * ratio))
        canvas = np.zeros((3, _bucket(h), _bucket(w)), np.float32)
        resized = (
            cv2.resize(image, (w, h), interpolation=shrink_filter(ratio)) if ratio != 1.0 else image
        )
        canvas[:, :h, :w] = (resized[:, :, ::-1] if self._swap else resized).transpose(2, 0, 1)
        return canvas, ratio

    def _decode(self, outputs: list[Floats], ratio: float, shape: tuple[int, int]) -> Faces:
        heat, size, offset, points = outputs
        row, column = np.nonzero(heat[0] > self._score)
        score = heat[0, row, column]
        h, w = (np.exp(np.minimum(size[k, row, column], 8.0)) * _STRIDE for k in (0, 1))
        top = np.maximum((row + offset[0, row, column] + 0.5) * _STRIDE - h / 2, 0)
        left = np.maximum((column + offset[1, row, column] + 0.5) * _STRIDE - w / 2, 0)
        boxes = np.stack([left, top, left + w, top + h], 1)
        at = points[:, row, column].reshape(5, 2, -1)
        marks = np.stack([at[:, 1] * w + left, at[:, 0] * h + top], -1).transpose(1, 0, 2)
        keep = suppress(boxes.astype(np.float32), score, self._overlap)
        limit = np.array([shape[1], shape[0]] * 2, np.float32)
        return Faces(
            np.clip(boxes[keep] / ratio, 0, limit).astype(np.float32),
            score[keep].astype(np.float32),
            (marks[keep] / ratio).astype(np.float32),
        )


def canvas_ratio(longest: float, max_side: float) -> float:
    """How much to enlarge (> 1) or shrink an image whose longer side is `longest` px before looking
    for faces.
    """
    return min(max(_SMALL_CROP / longest, 1.0), _MAX_ENLARGEMENT, max_side / longest)


def _bucket(side: int) -> int:
    return next((b for b in _BUCKETS if b >= side), -(-side // 32) * 32)
