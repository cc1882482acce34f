"""OSNet (arXiv:1905.00953) as torchreid exports it to ONNX: whole-body crops to vectors.

Input (n, 3, 256, 128) RGB, ImageNet mean and deviation (torchreid's data/transforms.py); output (n,
512). Searching by appearance is biometric and needs that scope in the consent; no weights are
shipped or pulled.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from models.files.manifest import ModelInput
from models.interface import Floats, Image
from models.networks.backend import Setup, backend
from models.networks.faceres import unit
from models.runtime import EMBEDDER_TOLERANCE, Session


@backend("appearance", "osnet")
class OsNet:
    """`AppearanceEmbedder`, (n, 512)."""

    def __init__(self, session: Session, given: ModelInput) -> None:
        self._session = session
        self._size = (given.width, given.height)
        self._mean = np.asarray(given.mean, np.float32)
        self._std = np.asarray(given.std, np.float32)

    @classmethod
    def load(cls, setup: Setup) -> OsNet:
        """By the manifest's numbers."""
        given = setup.input
        return cls(setup.session((1, 3, given.height, given.width), EMBEDDER_TOLERANCE), given)

    def embed(self, crops: Sequence[Image]) -> Floats:
        """(n, 512) of length 1; see `AppearanceEmbedder`."""
        if not crops:
            return np.zeros((0, 512), np.float32)
        return unit(self._session.run_all(crops, self._prepare))

    def _prepare(self, crop: Image) -> Floats:
        rgb = cv2.resize(crop, self._size, interpolation=cv2.INTER_LINEAR)[:, :, ::-1].astype(
            np.float32
        )
        return np.ascontiguousarray(((rgb - self._mean) / self._std).transpose(2, 0, 1))
