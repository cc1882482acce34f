"""What the tasks may ask of neural models: small protocols on batches.

Images are BGR uint8 arrays of shape (height, width, 3). Boxes and points are pixels of the image
they were found in, x right and y down. Implementations hold no pictures and keep no features after
a call returns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from data_contracts.record import Record

Image = NDArray[np.uint8]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Boxes:
    """People in one image: `xyxy` (n, 4) float32 px, `score` (n,) float32 in 0..1, best first.

    A network may answer with what is not a number: such a detection has no place and is left out
    here, counted in `unplaced`.
    """

    xyxy: Floats
    score: Floats
    unplaced: int = 0

    def __post_init__(self) -> None:
        _keep_placed(self, ("xyxy", "score"))

    def __len__(self) -> int:
        return len(self.score)


@dataclass(frozen=True)
class Faces:
    """Faces in one image: `xyxy` (n, 4) px, `score` (n,), `landmarks` (n, 5, 2) px, best first.

    Landmarks in the order of the ArcFace template: the eye on the image's left, the eye on its
    right, the nose tip, the mouth corner on the left, the mouth corner on the right (left and right
    as seen in the image). Faces without a place are left out as those of `Boxes` are.
    """

    xyxy: Floats
    score: Floats
    landmarks: Floats
    unplaced: int = 0

    def __post_init__(self) -> None:
        _keep_placed(self, ("xyxy", "score", "landmarks"))

    def __len__(self) -> int:
        return len(self.score)

    @property
    def width_px(self) -> Floats:
        """(n,) width of each face in px: the `face_px` that calibrations and limits are stated
        for.
        """
        return self.xyxy[:, 2] - self.xyxy[:, 0]


def _keep_placed(found: Boxes | Faces, columns: tuple[str, ...]) -> None:
    """Leave out, while the record is being made, the rows in which a number is not finite."""
    numbers = [np.asarray(getattr(found, name)) for name in columns]
    placed = np.all([np.isfinite(n).all(axis=tuple(range(1, n.ndim))) for n in numbers], axis=0)
    if placed.all():
        return
    for name, column in zip(columns, numbers, strict=True):
        object.__setattr__(found, name, column[placed])
    object.__setattr__(found, "unplaced", found.unplaced + int((~placed).sum()))


class PersonScores(Record):
    """From which score on a person detector's box is used, and for what.

    A score is on its detector's own scale, so these numbers stand in the manifest beside it.
    `continues`: it may go on as a track that is there. `hidden`: in pictures it is somebody to
    hide. `typical`: the median that a track's boxes must reach. `looked_at`: its head is looked at
    for a face. `beside`: it is another person, although it lies on the subject's box. `sure`: it
    starts a track, and a track needs one.
    """

    continues: float = Field(gt=0, lt=1)
    hidden: float = Field(gt=0, lt=1)
    typical: float = Field(gt=0, lt=1)
    looked_at: float = Field(gt=0, lt=1)
    beside: float = Field(gt=0, lt=1)
    sure: float = Field(gt=0, lt=1)


class FaceScores(Record):
    """From which score on a face detector's find is used, like `PersonScores`. `hidden`: in
    pictures it is somebody's face to hide.
    """

    hidden: float = Field(gt=0, lt=1)


@runtime_checkable
class PersonDetector(Protocol):
    """Finds people."""

    def detect(self, frames: Sequence[Image]) -> list[Boxes]:
        """One `Boxes` a frame; frames of any size. Boxes may reach past the image border by a few
        px.

        Two people close together may be told apart at the price of a person who has two boxes
        (`models.geometry.best_of_each`).
        """
        ...


@runtime_checkable
class FaceDetector(Protocol):
    """Finds faces with five landmarks."""

    def detect(self, images: Sequence[Image]) -> list[Faces]:
        """One `Faces` an image; whole frames or crops of heads of any size."""
        ...


@runtime_checkable
class FaceEmbedder(Protocol):
    """Turns faces into vectors whose cosine similarity tells people apart."""

    @property
    def min_face_px(self) -> float:
        """Faces narrower than this (width of the detected box, px) say nothing about who it is."""
        ...

    def embed(self, images: Sequence[Image], landmarks: Sequence[Floats]) -> Floats:
        """(n, d) float32, each row of length 1; `landmarks[i]` (5, 2) px in `images[i]`."""
        ...


@runtime_checkable
class AppearanceEmbedder(Protocol):
    """Turns whole-body crops into vectors. Biometric too: needs the consent's appearance scope."""

    def embed(self, crops: Sequence[Image]) -> Floats:
        """(n, d) float32, each row of length 1."""
        ...


@runtime_checkable
class MaskClassifier(Protocol):
    """Tells whether a face wears a mask over mouth and nose."""

    @property
    def min_face_px(self) -> float:
        """Faces narrower than this (px) cannot be judged."""
        ...

    def probability(self, images: Sequence[Image], landmarks: Sequence[Floats]) -> Floats:
        """(n,) probability of a mask; `landmarks[i]` (5, 2) px in `images[i]`."""
        ...


@runtime_checkable
class SharedPass(Protocol):
    """A `MaskClassifier` that works on an embedder's vectors, so that both cost one pass."""

    @property
    def backbone(self) -> FaceEmbedder:
        """The embedder whose vectors it works on."""
        ...

    def embed_and_mask(
        self, images: Sequence[Image], landmarks: Sequence[Floats]
    ) -> tuple[Floats, Floats]:
        """Embeddings (n, d) of length 1 and mask probabilities (n,)."""
        ...
