"""FaceRes: one pass gives a face's description and, through a small classifier on it, its mask
state.

The classifier is a logistic regression on the description before it is brought to length 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from data_contracts.errors import ModelUnavailable
from models.files.manifest import ModelInput
from models.geometry import ARCFACE_112, warp
from models.interface import Floats, Image
from models.networks.backend import Setup, backend
from models.runtime import EMBEDDER_TOLERANCE, Session

# The mask classifier was trained on faces aligned at this size and enlarged; so is everything here.
_ALIGNED = 112


@backend("embedder", "faceres")
class FaceRes:
    """`FaceEmbedder`, (n, 1024)."""

    def __init__(self, session: Session, given: ModelInput, min_face_px: float) -> None:
        self._session = session
        self._size = (given.width, given.height)
        self._min = min_face_px
        self._mean = np.asarray(given.mean, np.float32)

    @classmethod
    def load(cls, setup: Setup) -> FaceRes:
        """By the manifest's numbers."""
        given = setup.input
        at = setup.session((1, given.height, given.width, 3), EMBEDDER_TOLERANCE)
        return cls(at, given, setup.threshold("min_face_px"))

    @property
    def min_face_px(self) -> float:
        """Narrowest face that can be recognised, px."""
        return self._min

    def raw(self, images: Sequence[Image], landmarks: Sequence[Floats]) -> Floats:
        """(n, 1024) descriptions as the network gives them, not of length 1."""
        if not images:
            return np.zeros((0, 1024), np.float32)
        return self._session.run_all(list(zip(images, landmarks, strict=True)), self._prepare)

    def _prepare(self, face: tuple[Image, Floats]) -> Floats:
        aligned = warp(face[0], face[1], ARCFACE_112, _ALIGNED)
        return (
            cv2.resize(aligned, self._size, interpolation=cv2.INTER_LINEAR).astype(np.float32)
            - self._mean
        )

    def embed(self, images: Sequence[Image], landmarks: Sequence[Floats]) -> Floats:
        """(n, 1024) of length 1; see `FaceEmbedder`."""
        return unit(self.raw(images, landmarks))


@backend("mask", "mask_lr")
class FaceResMask:
    """`MaskClassifier` on top of a `FaceRes`; with `embed_and_mask` both cost one pass."""

    def __init__(self, backbone: FaceRes, weights: Path, min_face_px: float) -> None:
        self.backbone = backbone
        self._min = min_face_px
        with np.load(weights) as stored:
            self._w = stored["w"].astype(np.float64)
            self._b = float(stored["b"])
        if self._w.shape != (1024,):
            raise ModelUnavailable(f"{weights.name}: 1024 weights expected, {self._w.shape} found")

    @classmethod
    def load(cls, setup: Setup) -> FaceResMask:
        """On the vectors of the model that it needs. Raises ModelUnavailable where those are not
        faceres's.
        """
        if not isinstance(setup.needed, FaceRes):
            raise ModelUnavailable(
                f"{setup.name} works on faceres vectors, not on those of {setup.entry.needs}"
            )
        return cls(setup.needed, setup.file.path, setup.threshold("min_face_px"))

    @property
    def min_face_px(self) -> float:
        """Narrowest face whose mask state can be judged, px."""
        return self._min

    def probability(self, images: Sequence[Image], landmarks: Sequence[Floats]) -> Floats:
        """(n,) probability of a mask; see `MaskClassifier`."""
        return self._judge(self.backbone.raw(images, landmarks))

    def embed_and_mask(
        self, images: Sequence[Image], landmarks: Sequence[Floats]
    ) -> tuple[Floats, Floats]:
        """Embeddings (n, 1024) of length 1 and mask probabilities (n,) from one pass."""
        raw = self.backbone.raw(images, landmarks)
        return unit(raw), self._judge(raw)

    def _judge(self, raw: Floats) -> Floats:
        logit = np.clip(raw.astype(np.float64) @ self._w + self._b, -60, 60)
        return (1 / (1 + np.exp(-logit))).astype(np.float32)


def unit(vectors: Floats) -> Floats:
    """Rows brought to length 1; rows of zeros stay zero."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.maximum(length, 1e-12)).astype(np.float32)
