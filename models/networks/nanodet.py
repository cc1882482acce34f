"""NanoDet: people in frames.

Three feature maps (strides 8, 16, 32 px) give a score for each of COCO's 80 classes and, for each
box side, a distribution over 0..7 (here 0..10) strides whose expectation is the distance to that
side (generalised focal loss, arXiv:2006.04388, section 3). Only class 0, person, is read.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from data_contracts.errors import ModelUnavailable
from models.files.manifest import ModelInput
from models.geometry import ONE_PERSON_OVERLAP, shrink_filter, suppress
from models.interface import Boxes, Floats, Image
from models.networks.backend import Setup, backend
from models.runtime import DETECTOR_TOLERANCE, Session

_STRIDES = (8, 16, 32)
_PERSON = 0


@backend("person", "nanodet")
class NanoDet:
    """`PersonDetector` on a letterboxed canvas of `size` (width, height) px, both multiples of
    32.
    """

    def __init__(
        self,
        session: Session,
        given: ModelInput,
        size: tuple[int, int],
        score: float,
        overlap: float,
    ) -> None:
        self._session = session
        self._size = size
        self._score = score
        self._overlap = overlap
        self._mean = np.asarray(given.mean, np.float32)
        self._scale = np.float32(1) / np.asarray(given.std, np.float32)
        self._grids = [_centres(size, stride) for stride in _STRIDES]

    @classmethod
    def load(cls, setup: Setup) -> NanoDet:
        """By the manifest's numbers. Raises ModelUnavailable for a canvas that the strides do not
        divide.
        """
        given = setup.input
        width, height = setup.canvas_px or (given.width, given.height)
        if width % 32 or height % 32 or min(width, height) < 32:
            raise ModelUnavailable(
                f"person_size {width}x{height}: multiples of 32 expected, such as 640x384"
            )
        return cls(
            setup.session((1, 3, height, width), DETECTOR_TOLERANCE),
            given,
            (width, height),
            setup.threshold("score"),
            setup.threshold("overlap"),
        )

    def detect(self, frames: Sequence[Image]) -> list[Boxes]:
        """People in each frame, best first; see `PersonDetector`."""
        return [self._people_in(frame) for frame in frames]

    def _people_in(self, frame: Image) -> Boxes:
        canvas, ratio = letterbox(frame, self._size)
        batch = ((canvas - self._mean) * self._scale).transpose(2, 0, 1)[None]
        outputs = self._session.run(np.ascontiguousarray(batch, np.float32))
        found = [self._decode(outputs[i], outputs[i + 3], i) for i in range(len(_STRIDES))]
        boxes = np.concatenate([b for b, _ in found]).astype(np.float32) / np.float32(ratio)
        scores = np.concatenate([s for _, s in found]).astype(np.float32)
        # What `best_of_each` picks is there whatever it overlaps: a double must not suppress
        # somebody's only box.
        each = np.zeros(len(scores), bool)
        each[suppress(boxes, scores, ONE_PERSON_OVERLAP)] = True
        keep = suppress(boxes, scores, self._overlap, each)
        return Boxes(boxes[keep], scores[keep].astype(np.float32))

    def _decode(
        self, classes: NDArray[np.float32], sides: NDArray[np.float32], level: int
    ) -> tuple[Floats, Floats]:
        scores = classes[0, :, _PERSON]
        hit = np.flatnonzero(scores > self._score)
        logits = sides[0, hit].reshape(len(hit), 4, sides.shape[-1] // 4)
        weight = np.exp(logits - logits.max(-1, keepdims=True))
        weight /= weight.sum(-1, keepdims=True)
        reach = (weight * np.arange(weight.shape[-1], dtype=np.float32)).sum(-1) * _STRIDES[level]
        centre = self._grids[level][hit]
        return np.concatenate([centre - reach[:, :2], centre + reach[:, 2:]], 1), scores[hit]


def letterbox(image: Image, size: tuple[int, int]) -> tuple[Image, float]:
    """The image shrunk or enlarged to fit (width, height), top left, rest 0; and the ratio new px /
    old px.
    """
    width, height = size
    ratio = min(width / image.shape[1], height / image.shape[0])
    w = min(width, round(image.shape[1] * ratio))
    h = min(height, round(image.shape[0] * ratio))
    canvas = np.zeros((height, width, 3), np.uint8)
    canvas[:h, :w] = cv2.resize(image, (w, h), interpolation=shrink_filter(ratio))
    return canvas, ratio


def _centres(size: tuple[int, int], stride: int) -> Floats:
    x, y = np.meshgrid(np.arange(size[0] // stride), np.arange(size[1] // stride))
    return (np.stack([x, y], -1).reshape(-1, 2).astype(np.float32) + np.float32(0.5)) * np.float32(
        stride
    )
