"""People by an InsightFace pack with a manifest.json (cheetah): its person detector and its body
description.

Run by the insightface library's own adapters, which check the networks' inputs and outputs; only
single frames are given to them and nothing is kept, so the library's own registering and matching
of people is never reached. As for the other packs: weights for non-commercial research only, never
downloaded, never a default.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from data_contracts.errors import ModelUnavailable
from models.files.pack_files import PackFile
from models.interface import Boxes, Floats, Image
from models.networks.backend import Setup, backend
from models.networks.faceres import unit
from models.runtime import ort_providers


@backend("person", "pack_person")
class PackPerson:
    """`PersonDetector` by the task `person_detection` (two inputs, boxes in the picture's own
    px).
    """

    def __init__(self, file: PackFile, threads: int, cuda: bool, score: float) -> None:
        from insightface.model_zoo.person_detection import PersonDetection

        self._model = _made_adapter(PersonDetection, file, threads, cuda)
        self._score = score

    @classmethod
    def load(cls, setup: Setup) -> PackPerson:
        """By the manifest's numbers."""
        return cls(setup.file, setup.threads, setup.cuda, setup.threshold("score"))

    def detect(self, frames: Sequence[Image]) -> list[Boxes]:
        """People in each frame, best first; see `PersonDetector`."""
        found = [self._model.detect_candidates(frame, self._score) for frame in frames]
        return [
            Boxes(np.asarray(f[:, :4], np.float32), np.asarray(f[:, 4], np.float32)) for f in found
        ]


@backend("appearance", "pack_reid")
class PackReid:
    """`AppearanceEmbedder` by the task `person_reid`, (n, 256)."""

    def __init__(self, file: PackFile, threads: int, cuda: bool) -> None:
        from insightface.model_zoo.person_reid import PersonReID

        self._model = _made_adapter(PersonReID, file, threads, cuda)
        self._width = int(self._model.descriptor["embedding_dimension"])

    @classmethod
    def load(cls, setup: Setup) -> PackReid:
        """As the pack's manifest.json says."""
        return cls(setup.file, setup.threads, setup.cuda)

    def embed(self, crops: Sequence[Image]) -> Floats:
        """(n, 256) of length 1; see `AppearanceEmbedder`."""
        if not crops:
            return np.zeros((0, self._width), np.float32)
        return unit(np.stack([np.asarray(self._model.embed(crop), np.float32) for crop in crops]))


def _made_adapter(adapter: Any, file: PackFile, threads: int, cuda: bool) -> Any:
    """The library's adapter. It opens the network, checks it and runs it once. Raises
    ModelUnavailable when it refuses.
    """
    try:
        return adapter(file.task, ort_providers(cuda), threads)
    except ModelUnavailable:
        raise
    except Exception as error:
        raise ModelUnavailable(f"{file.path.name}: {error}") from error
