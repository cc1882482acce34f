"""Models that a user brings: never by accident, and they work when they are there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_networks import arcface_network, scrfd_network, write

from data_contracts.errors import ModelUnavailable
from models.convert.graph import GraphWriter
from models.files.manifest import ModelInput
from models.files.pack_files import PackFile, find_in_pack
from models.networks.insightface_pack import ArcFace, Scrfd
from models.networks.osnet import OsNet
from models.registry import load
from models.runtime import session
from models.settings import ModelSettings


@pytest.fixture
def scrfd(tmp_path: Path) -> Path:
    """A pack without manifest.json: `packs/tiny/det_500m.onnx`."""
    return write(scrfd_network(), tmp_path / "packs" / "tiny" / "det_500m.onnx")


@pytest.fixture
def arcface(tmp_path: Path) -> Path:
    """The same pack's `w600k_mbf.onnx`."""
    return write(arcface_network(), tmp_path / "packs" / "tiny" / "w600k_mbf.onnx")


@pytest.mark.parametrize("role", ["face", "embedder"])
def test_needs_the_licence_accepted(role: str, scrfd: Path, arcface: Path) -> None:
    """With the files there but the setting not, the licence stops the load."""
    name = {"face": "insightface-scrfd", "embedder": "insightface-arcface"}[role]
    with pytest.raises(ModelUnavailable, match="non-commercial"):
        load(ModelSettings(dir=scrfd.parents[2], **{role: name}))


def test_missing_files_say_what_to_get(tmp_path: Path) -> None:
    """Nothing is downloaded: the message names files, folder, where to get them and the licence."""
    settings = ModelSettings(
        dir=tmp_path, embedder="insightface-arcface", accept_noncommercial=True
    )
    with pytest.raises(
        ModelUnavailable, match=r"w600k_r50\.onnx.*packs.*deepinsight.*non-commercial"
    ):
        load(settings)
    assert list(tmp_path.iterdir()) == []


def test_scrfd_answers_in_our_terms(scrfd: Path) -> None:
    """A red square at (64..72, 80..88) of a 160 px picture is one face with boxes and landmarks in
    its pixels.
    """
    image = np.zeros((160, 160, 3), np.uint8)
    image[80:88, 64:72, 2] = 255
    image[:, :, :2] = 128
    faces = Scrfd(
        find_in_pack(scrfd.parents[1], "detection", ["det_500m.onnx"], ""), 1, False, 0.5, 0.4
    ).detect([image])[0]
    assert len(faces) == 1
    assert faces.xyxy[0] == pytest.approx([64 - 16, 80 - 16, 64 + 16, 80 + 16])
    assert faces.landmarks[0, 0] == pytest.approx([64 - 8, 80 - 8])
    assert faces.landmarks[0, 4] == pytest.approx([64 + 8, 80 + 8])


def test_arcface_aligns_and_normalises(arcface: Path) -> None:
    """A face on the template's own points is passed on as it is, RGB, (x - 127.5) / 127.5, length
    1.
    """
    from models.geometry import ARCFACE_112

    image = np.random.default_rng(0).integers(0, 255, (112, 112, 3), np.uint8)
    vector = ArcFace(PackFile(arcface), 1, False, 32.0).embed([image], [ARCFACE_112])[0]
    grid = (image[:, :, ::-1].reshape(4, 28, 4, 28, 3).mean((1, 3)) - 127.5) / 127.5
    expected = grid.transpose(2, 0, 1).ravel()
    assert vector == pytest.approx(expected / np.linalg.norm(expected), abs=2e-2)


def test_a_network_of_another_kind_is_refused(scrfd: Path, arcface: Path) -> None:
    """Files under the right name with the wrong shape are named, not taken for what they are
    not.
    """
    with pytest.raises(ModelUnavailable, match="1 outputs"):
        Scrfd(PackFile(arcface), 1, False, 0.5, 0.4)
    with pytest.raises(ModelUnavailable, match="ArcFace takes"):
        ArcFace(PackFile(scrfd), 1, False, 32.0)


def test_osnet_takes_crops_of_any_size(tmp_path: Path) -> None:
    """Crops are brought to 256 x 128, RGB, normalised; rows have length 1."""
    out = GraphWriter()
    pooled = out.emit("AveragePool", ["x"], kernel_shape=[128, 64], strides=[128, 64])
    out.emit("Flatten", [pooled], out="y")
    path = tmp_path / "osnet.onnx"
    path.write_bytes(out.finish({"x": ["n", 3, 256, 128]}, ["y"], "osnet").SerializeToString())
    given = ModelInput(width=128, height=256, colour="RGB", mean=(0, 0, 0), std=(1, 1, 1))
    embedder = OsNet(session(path, "onnxruntime"), given)
    crop = np.zeros((100, 40, 3), np.uint8)
    crop[:, :, 2] = 200  # red
    vectors = embedder.embed([crop, np.full((300, 90, 3), 50, np.uint8)])
    assert vectors[0].reshape(3, 4)[0] == pytest.approx(np.full(4, 0.5), abs=1e-3)
    assert not vectors[0].reshape(3, 4)[1:].any()
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1], abs=1e-5)
    assert embedder.embed([]).shape[0] == 0
