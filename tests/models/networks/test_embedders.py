"""Embedders and the mask classifier: one contract for all, and the shared pass."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from data_contracts.errors import ModelUnavailable
from models.convert.dlib_resnet import read_layers
from models.files.pull import pull
from models.interface import FaceEmbedder, Floats, Image
from models.networks.faceres import FaceRes, FaceResMask
from models.registry import Models, load
from models.settings import ModelSettings


@pytest.fixture(scope="session")
def marks(models: Models, portraits: list[Image]) -> list[Floats]:
    """Landmarks of the portraits."""
    return [faces.landmarks[0] for faces in models.face.detect(portraits)]


class FaceEmbedderContract:
    """What every face embedder does."""

    def test_rows_have_length_one(
        self, embedder: FaceEmbedder, portraits: list[Image], marks: list[Floats]
    ) -> None:
        """So that a product of rows is their cosine."""
        vectors = embedder.embed(portraits, marks)
        assert vectors.dtype == np.float32
        assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(3), abs=1e-5)

    def test_one_person_is_more_like_itself_than_like_a_blank(
        self, embedder: FaceEmbedder, portraits: list[Image], marks: list[Floats]
    ) -> None:
        """Two views of the subject are closer to one another than to the same picture without its
        face.
        """
        bare = cv2.GaussianBlur(portraits[0], (0, 0), 25)
        vectors = embedder.embed(
            [*portraits[:2], np.asarray(bare, np.uint8)], [*marks[:2], marks[0]]
        )
        assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.05

    def test_turned_pictures_are_set_upright(
        self, embedder: FaceEmbedder, portraits: list[Image], marks: list[Floats]
    ) -> None:
        """A picture on its side, with its landmarks, gives nearly the same vector: alignment
        works.
        """
        size = portraits[0].shape[0]
        turned = np.ascontiguousarray(
            np.rot90(portraits[0], -1)
        )  # clockwise: (x, y) -> (size - 1 - y, x)
        turned_marks = np.stack([size - 1 - marks[0][:, 1], marks[0][:, 0]], 1)
        first, second = embedder.embed([portraits[0], turned], [marks[0], turned_marks])
        assert first @ second > 0.99

    def test_nothing_in_nothing_out(self, embedder: FaceEmbedder) -> None:
        """No faces give an array of no rows, not an error."""
        assert embedder.embed([], []).shape[0] == 0
        assert embedder.min_face_px > 0


class TestFaceRes(FaceEmbedderContract):
    """FaceRes."""

    @pytest.fixture
    def embedder(self) -> FaceEmbedder:
        """The embedder under test."""
        pull(["faceres"])
        return load(ModelSettings(runtime="onnxruntime", embedder="faceres")).embedder


class TestDlibResNet(FaceEmbedderContract):
    """dlib's network, converted."""

    @pytest.fixture
    def embedder(self) -> FaceEmbedder:
        """The embedder under test."""
        pull(["dlib-resnet"])
        return load(ModelSettings(runtime="onnxruntime", embedder="dlib-resnet")).embedder


def test_embedding_and_mask_from_one_pass(
    models: Models, portraits: list[Image], marks: list[Floats]
) -> None:
    """Together they give what each gives alone, and the network runs once where both use it."""
    vectors, mask_p = models.embed_and_mask(portraits, marks)
    assert vectors == pytest.approx(models.embedder.embed(portraits, marks), abs=1e-6)
    assert mask_p == pytest.approx(models.mask.probability(portraits, marks), abs=1e-6)


def test_mask_state_of_a_face_with_and_without(
    models: Models, portraits: list[Image], marks: list[Floats]
) -> None:
    """The subject's bare portraits are bare; with a pale patch over nose and mouth they are
    masked.
    """
    covered = []
    for picture, five in zip(portraits, marks, strict=True):
        left, right, nose, mouth_left, mouth_right = five
        down = (mouth_left + mouth_right) / 2 - (left + right) / 2
        shape = [left + 0.45 * down - [8, 0], nose - 0.15 * down, right + 0.45 * down + [8, 0]]
        shape += [
            mouth_right + 0.35 * down,
            (mouth_left + mouth_right) / 2 + 0.6 * down,
            mouth_left + 0.35 * down,
        ]
        image = picture.copy()
        cv2.fillPoly(image, [np.round(shape).astype(np.int32)], (225, 225, 220))
        covered.append(image)
    assert (models.mask.probability(portraits, marks) < 0.3).all()
    assert (models.mask.probability(covered, marks) > 0.7).all()


def test_backbone_is_shared_only_with_its_own_embedder() -> None:
    """With another embedder the mask classifier still gets the network that it was trained on."""
    pull(["dlib-resnet", "faceres"])
    mixed = load(ModelSettings(runtime="onnxruntime", embedder="dlib-resnet"))
    assert isinstance(mixed.mask, FaceResMask)
    assert isinstance(mixed.mask.backbone, FaceRes)
    assert mixed.mask.backbone is not mixed.embedder
    assert {"dlib-resnet", "faceres", "mask-faceres"} <= set(mixed.digests)


def test_dlib_file_of_another_network_is_refused(tmp_path: Path) -> None:
    """A file without the layers expected is a ModelUnavailable, not an index error."""
    from models.convert import convert

    (tmp_path / "other.dat").write_bytes(b"\x01\x05con_4" + bytes(64))
    with pytest.raises(ModelUnavailable):
        convert("dlib_resnet", {"other.dat": tmp_path / "other.dat"}, tmp_path / "out.onnx")
    assert read_layers(b"nothing here") == []
