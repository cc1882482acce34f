"""InsightFace packs (SCRFD detectors, ArcFace embedders) that a user brings, run by the insightface library.

The library's code is MIT; the published weights are for non-commercial research only, so nothing here is downloaded and
nothing is ever a default. The library would fetch a missing pack by itself: files are looked for first, and its classes
are given a session of ours, which also keeps them to our thread count. It takes other networks for its own by their
shape, so shapes are checked before.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_contracts.errors import ModelUnavailable
from models.centerface import canvas_ratio
from models.faceres import unit
from models.interface import Faces, Floats, Image
from models.runtime import ort_session

# Canvas sides for crops and frames, px: multiples of SCRFD's largest stride, few so that sessions are reused.
_SIDES = (160, 320, 640, 1280)


def find_pack_file(folder: Path, names: Sequence[str], advice: str) -> Path:
    """The first of `names` in `folder` or a folder below it. Raises ModelUnavailable with `advice` when none is there."""
    for name in names:
        for path in [folder / name, *sorted(folder.glob(f"*/{name}"))]:
            if path.is_file():
                return path
    raise ModelUnavailable(f"{' or '.join(names)} expected in {folder}: {advice}")


class Scrfd:
    """`FaceDetector` by an SCRFD file with landmarks (9 or 15 outputs)."""

    def __init__(self, path: Path, threads: int, cuda: bool, score: float, overlap: float) -> None:
        from insightface.model_zoo.scrfd import SCRFD

        session = ort_session(path, threads, cuda)
        if len(session.get_outputs()) not in (9, 15):
            raise ModelUnavailable(
                f"{path.name}: {len(session.get_outputs())} outputs; SCRFD with landmarks has 9 or 15"
            )
        self._model = SCRFD(model_file=str(path), session=session, static_shape_sessions=False)
        self._model.nms_thresh, self._score = overlap, score

    def detect(self, images: Sequence[Image]) -> list[Faces]:
        """Faces of each image, best first; see `FaceDetector`."""
        return [self._one(image) for image in images]

    def _one(self, image: Image) -> Faces:
        longest = max(image.shape[:2])
        side = self._model.static_input_size or _side(longest * canvas_ratio(longest, float(_SIDES[-1])))
        size = side if isinstance(side, tuple) else (side, side)
        found, marks = self._model.detect(image, input_size=size, det_thresh=self._score)
        order = np.argsort(-found[:, 4], kind="stable")
        return Faces(
            found[order, :4].astype(np.float32),
            found[order, 4].astype(np.float32),
            np.asarray(marks, np.float32).reshape(-1, 5, 2)[order],
        )


class ArcFace:
    """`FaceEmbedder` by an ArcFace file (one square input of 112 px or more, one output)."""

    def __init__(self, path: Path, threads: int, cuda: bool, min_face_px: float) -> None:
        from insightface.model_zoo.arcface_onnx import ArcFaceONNX

        session, self._min = ort_session(path, threads, cuda), min_face_px
        shape, outputs = session.get_inputs()[0].shape, session.get_outputs()
        fixed = len(shape) == 4 and all(isinstance(v, int) for v in shape[2:])
        if not fixed or shape[2] != shape[3] or shape[2] < 112 or len(outputs) != 1:
            raise ModelUnavailable(f"{path.name}: input {shape}; ArcFace takes (n, 3, 112, 112) and has one output")
        self._model: Any = ArcFaceONNX(model_file=str(path), session=session)
        self._width = int(outputs[0].shape[-1])

    @property
    def min_face_px(self) -> float:
        """Narrowest face that can be recognised, px."""
        return self._min

    def embed(self, images: Sequence[Image], landmarks: Sequence[Floats]) -> Floats:
        """(n, d) of length 1; see `FaceEmbedder`."""
        if not images:
            return np.zeros((0, self._width), np.float32)
        from models.align import ARCFACE_112, warp

        size = self._model.input_size[0]
        faces = [warp(i, p, ARCFACE_112 * size / 112, size) for i, p in zip(images, landmarks, strict=True)]
        return unit(np.concatenate([np.asarray(self._model.get_feat(f), np.float32) for f in faces]))


def _side(wanted: float) -> int:
    return next((s for s in _SIDES if s >= wanted), _SIDES[-1])
