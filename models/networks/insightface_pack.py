"""InsightFace packs (SCRFD detectors, ArcFace embedders) that a user brings, run by the insightface
library.

The library's code is MIT; the published weights are for non-commercial research only, so nothing
here is downloaded and nothing is ever a default. Its classes are given a session of ours, which
keeps them to our thread count. It takes other networks for its own by their shape, so shapes are
checked before. A pack's manifest.json says how its input is prepared; without one the library's own
defaults hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_contracts.errors import ModelUnavailable
from models.files.pack_files import PackFile
from models.geometry import ARCFACE_112, warp
from models.interface import Faces, Floats, Image
from models.networks.backend import Setup, backend
from models.networks.centerface import canvas_ratio
from models.networks.faceres import unit
from models.runtime import ort_session

# Canvas sides for crops and frames, px: multiples of SCRFD's largest stride, few so that sessions
# are reused.
_SIDES = (160, 320, 640, 1280)


@backend("face", "scrfd")
class Scrfd:
    """`FaceDetector` by an SCRFD file with landmarks (9 or 15 outputs)."""

    def __init__(
        self, file: PackFile, threads: int, cuda: bool, score: float, overlap: float
    ) -> None:
        from insightface.model_zoo.scrfd import SCRFD

        session = ort_session(file.path, threads, cuda)
        if len(session.get_outputs()) not in (9, 15):
            raise ModelUnavailable(
                f"{file.path.name}: {len(session.get_outputs())} outputs; SCRFD with landmarks has "
                "9 or 15"
            )
        model = SCRFD(model_file=str(file.path), session=session, static_shape_sessions=False)
        self._model = _prepared(model, file)
        self._model.nms_thresh = overlap
        self._score = score

    @classmethod
    def load(cls, setup: Setup) -> Scrfd:
        """By the manifest's numbers."""
        score = setup.threshold("score")
        return cls(setup.file, setup.threads, setup.cuda, score, setup.threshold("overlap"))

    def detect(self, images: Sequence[Image]) -> list[Faces]:
        """Faces of each image, best first; see `FaceDetector`."""
        return [self._faces_in(image) for image in images]

    def _faces_in(self, image: Image) -> Faces:
        longest = max(image.shape[:2])
        side = self._model.static_input_size or _canvas_side(
            longest * canvas_ratio(longest, float(_SIDES[-1]))
        )
        size = side if isinstance(side, tuple) else (side, side)
        found, marks = self._model.detect(image, input_size=size, det_thresh=self._score)
        order = np.argsort(-found[:, 4], kind="stable")
        return Faces(
            found[order, :4].astype(np.float32),
            found[order, 4].astype(np.float32),
            np.asarray(marks, np.float32).reshape(-1, 5, 2)[order],
        )


@backend("embedder", "arcface")
class ArcFace:
    """`FaceEmbedder` by an ArcFace file (one square input of 112 px or more, one output)."""

    def __init__(self, file: PackFile, threads: int, cuda: bool, min_face_px: float) -> None:
        from insightface.model_zoo.arcface_onnx import ArcFaceONNX

        session = ort_session(file.path, threads, cuda)
        self._min = min_face_px
        shape = session.get_inputs()[0].shape
        outputs = session.get_outputs()
        fixed = len(shape) == 4 and all(isinstance(v, int) for v in shape[2:])
        if not fixed or shape[2] != shape[3] or shape[2] < 112 or len(outputs) != 1:
            raise ModelUnavailable(
                f"{file.path.name}: input {shape}; ArcFace takes (n, 3, 112, 112) and has one "
                "output"
            )
        self._model = _prepared(ArcFaceONNX(model_file=str(file.path), session=session), file)
        self._size = int(shape[2])
        self._width = int(outputs[0].shape[-1])
        self._template = arcface_template(self._size)

    @classmethod
    def load(cls, setup: Setup) -> ArcFace:
        """By the manifest's numbers."""
        return cls(setup.file, setup.threads, setup.cuda, setup.threshold("min_face_px"))

    @property
    def min_face_px(self) -> float:
        """Narrowest face that can be recognised, px."""
        return self._min

    def embed(self, images: Sequence[Image], landmarks: Sequence[Floats]) -> Floats:
        """(n, d) of length 1; see `FaceEmbedder`."""
        if not images:
            return np.zeros((0, self._width), np.float32)
        faces = [
            warp(i, p, self._template, self._size) for i, p in zip(images, landmarks, strict=True)
        ]
        return unit(
            np.concatenate([np.asarray(self._model.get_feat(f), np.float32) for f in faces])
        )


def arcface_template(size: int) -> NDArray[np.float64]:
    """(5, 2) px: where the landmarks go on a face of `size` px, as in the library's
    utils/face_align.py.

    Multiples of 112 scale the template; multiples of 128 have 8 px of 128 more on either side.
    Raises ModelUnavailable for another size.
    """
    if size % 112 == 0:
        return ARCFACE_112 * (size / 112)
    if size % 128 == 0:
        return (ARCFACE_112 + np.array([8.0, 0.0])) * (size / 128)
    raise ModelUnavailable(
        f"a face input of {size} px: ArcFace's alignment is defined for multiples of 112 or 128"
    )


def _prepared(model: Any, file: PackFile) -> Any:
    """The library's model with the input rule that a manifest declares, as its own loader sets it
    (model_zoo.py).
    """
    if file.task is None:
        return model
    rule = file.task.metadata["preprocessing"]
    of_bytes = model.session.get_inputs()[0].type == "tensor(uint8)"
    if of_bytes and rule != "embedded":
        raise ModelUnavailable(
            f"{file.path.name}: takes bytes, but the manifest wants a mean taken off first"
        )
    model.input_mean, model.input_std = (
        (0.0, 1.0) if rule == "embedded" else (rule["mean"], rule["std"])
    )
    model.input_dtype = np.uint8 if of_bytes else np.float32
    return model


def _canvas_side(wanted: float) -> int:
    return next((s for s in _SIDES if s >= wanted), _SIDES[-1])
