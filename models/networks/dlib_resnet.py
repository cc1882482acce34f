"""dlib's face recognition network: a 128-d description of a 150 x 150 px chip.

dlib aligns with its own five points (eye corners and the base of the nose); CenterFace gives eye
centres, nose tip and mouth corners. The template below puts those onto dlib's chip: they are the
means of dlib's own mean face (`get_face_chip_details`, 68 points, in dlib's
image_transforms/interpolation.h) over each eye, its nose tip and its mouth corners, moved by dlib's
padding of a quarter of the face on every side. docs/models/dlib-resnet.md has how far the two
alignments differ.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.files.manifest import ModelInput
from models.geometry import warp
from models.interface import Floats, Image
from models.networks.backend import Setup, backend
from models.networks.faceres import unit
from models.runtime import EMBEDDER_TOLERANCE, Session

_PADDING = 0.25
_MEAN_FACE = np.array(
    [
        [0.225471, 0.215989],
        [0.754783, 0.215989],
        [0.490127, 0.515625],
        [0.254149, 0.780233],
        [0.726104, 0.780233],
    ]
)


def chip_template(size: int) -> np.ndarray:
    """(5, 2) px: where CenterFace's points go on a chip of `size` px."""
    return (_PADDING + _MEAN_FACE) / (2 * _PADDING + 1) * size


@backend("embedder", "dlib_resnet")
class DlibResNet:
    """`FaceEmbedder`, (n, 128)."""

    def __init__(self, session: Session, given: ModelInput, min_face_px: float) -> None:
        self._session = session
        self._size = given.width
        self._min = min_face_px
        self._template = chip_template(given.width)

    @classmethod
    def load(cls, setup: Setup) -> DlibResNet:
        """By the manifest's numbers."""
        given = setup.input
        at = setup.session((1, 3, given.height, given.width), EMBEDDER_TOLERANCE)
        return cls(at, given, setup.threshold("min_face_px"))

    @property
    def min_face_px(self) -> float:
        """Narrowest face that can be recognised, px."""
        return self._min

    def embed(self, images: Sequence[Image], landmarks: Sequence[Floats]) -> Floats:
        """(n, 128) of length 1; see `FaceEmbedder`."""
        if not images:
            return np.zeros((0, 128), np.float32)
        return unit(self._session.run_all(list(zip(images, landmarks, strict=True)), self._prepare))

    def _prepare(self, face: tuple[Image, Floats]) -> Floats:
        chip = warp(face[0], face[1], self._template, self._size)
        return chip[:, :, ::-1].transpose(2, 0, 1).astype(np.float32)
