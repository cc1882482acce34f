"""InsightFace packs with a manifest.json (raccoon, cheetah): checked before they run, and run as
the manifest says.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from small_networks import (
    arcface_network,
    person_network,
    reid_network,
    scrfd_network,
    write,
)

from data_contracts.errors import ModelUnavailable
from models.files.checksum import sha256
from models.files.pack_files import find_in_pack
from models.files.pull import pull
from models.geometry import ARCFACE_112
from models.networks.insightface_pack import ArcFace, Scrfd, arcface_template
from models.networks.insightface_person import PackPerson, PackReid
from models.registry import load
from models.score_calibration import BodyCalibration
from models.settings import ModelSettings

NETWORKS = {
    "detection": scrfd_network,
    "recognition": arcface_network,
    "person_detection": person_network,
    "person_reid": reid_network,
}
BODIES = BodyCalibration(slope=3.0, offset=-6.0, bound=3.0, data="drawn")
Pack = Callable[..., Path]


@pytest.fixture
def pack(tmp_path: Path) -> Pack:
    """Makes `packs/<name>` with a manifest.json of version 2; `more` changes a task's record."""

    def make(
        name: str = "cheetah_s", tasks: tuple[str, ...] = tuple(NETWORKS), **more: dict[str, object]
    ) -> Path:
        folder = tmp_path / "packs" / name
        records = {}
        for task in tasks:
            path = write(NETWORKS[task](), folder / f"{task}.onnx")
            records[task] = {"file": path.name, "sha256": sha256(path)}
            if task == "person_reid":
                path.with_suffix(".calibration.json").write_text(BODIES.model_dump_json())
        # Means and deviations on 0..255, so that the small networks see 0..1.
        unit_range = {"mean": 0.0, "std": 255.0}
        for task in ("person_detection", "person_reid"):
            if task in records:
                records[task]["preprocessing"] = unit_range
        if "person_detection" in records:
            records["person_detection"]["input_size"] = [64, 64]
        for task, change in more.items():
            records[task] |= change
        text = {
            "manifest_version": 2,
            "model_id": name,
            "license": "MODEL.LICENSE",
            "tasks": records,
        }
        (folder / "manifest.json").write_text(json.dumps(text), encoding="utf-8")
        return folder

    return make


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any attempt to connect fails the test."""

    def refuse(*_args: object, **_more: object) -> None:
        raise AssertionError("the network was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache with the defaults and, from `pack`, packs."""
    for row in pull():
        if row.path.suffix == ".onnx":
            (tmp_path / row.path.name).symlink_to(row.path)
    return tmp_path


ROLES = [
    ("face", "insightface-scrfd"),
    ("embedder", "insightface-arcface"),
    ("person", "insightface-person"),
    ("appearance", "insightface-reid"),
]


@pytest.mark.parametrize(("role", "name"), ROLES)
def test_refused_without_the_licence_and_never_fetched(
    role: str, name: str, cache: Path, no_network: None
) -> None:
    """A setting has to accept the licence; without files the message says what to get, and nothing
    is fetched.
    """
    with pytest.raises(ModelUnavailable, match="non-commercial"):
        load(ModelSettings(dir=cache, runtime="onnxruntime", **{role: name}))
    given = ModelSettings(
        dir=cache, runtime="onnxruntime", accept_noncommercial=True, **{role: name}
    )
    with pytest.raises(
        ModelUnavailable, match=r"packs.*unpack an InsightFace pack.*model_zoo.*non-commercial"
    ):
        load(given)
    assert not (cache / "packs").exists()


def test_a_whole_pack_in_every_role(cache: Path, pack: Pack, no_network: None) -> None:
    """cheetah serves people, faces, face and body descriptions; the artefacts get the digests of
    files and manifest.
    """
    folder = pack()
    given = {role: name for role, name in ROLES}
    models = load(
        ModelSettings(dir=cache, runtime="onnxruntime", accept_noncommercial=True, **given)
    )
    assert isinstance(models.person, PackPerson)
    assert isinstance(models.face, Scrfd)
    assert isinstance(models.embedder, ArcFace)
    assert isinstance(models.appearance, PackReid)
    assert models.body_calibration == BODIES
    assert models.digests["insightface-person"] == sha256(folder / "person_detection.onnx")
    assert models.digests["insightface-reid manifest.json"] == sha256(folder / "manifest.json")


def test_two_packs_are_told_apart_by_the_setting(cache: Path, pack: Pack) -> None:
    """With two packs that have the task the choice is the operator's: by a name below `packs`, or
    by a path.
    """
    pack("cheetah_s")
    raccoon = pack("raccoon_s", ("detection", "recognition"))
    given = {
        "dir": cache,
        "runtime": "onnxruntime",
        "accept_noncommercial": True,
        "embedder": "insightface-arcface",
    }
    with pytest.raises(ModelUnavailable, match=r"cheetah_s, raccoon_s; name one in models\.pack"):
        load(ModelSettings(**given))
    by_name = load(ModelSettings(**given, pack=Path("raccoon_s")))
    by_path = load(ModelSettings(**given, pack=raccoon))
    assert by_name.digests == by_path.digests
    assert by_name.digests["insightface-arcface manifest.json"] == sha256(raccoon / "manifest.json")


@pytest.mark.parametrize("task", sorted(NETWORKS))
def test_a_file_with_another_digest_is_refused(task: str, pack: Pack) -> None:
    """A byte appended to any of a pack's files is found before the file is opened."""
    path = pack() / f"{task}.onnx"
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(ModelUnavailable, match=r"SHA-256.*unpack the pack again"):
        find_in_pack(path.parent, task, (), "")


@pytest.mark.parametrize("task", sorted(NETWORKS))
@pytest.mark.parametrize("file", ["../outside.onnx", "/etc/outside.onnx"])
def test_a_manifest_cannot_reach_out_of_its_pack(task: str, file: str, pack: Pack) -> None:
    """A pack is somebody else's text: paths out of its folder are refused."""
    folder = pack(**{task: {"file": file}})
    write(NETWORKS[task](), folder.parent / "outside.onnx")
    with pytest.raises(ModelUnavailable, match=r"manifest\.json"):
        find_in_pack(folder, task, (), "")


@pytest.mark.parametrize(
    "text", ["", "[]", '{"manifest_version": 1}', '{"manifest_version": 2, "tasks": {}}']
)
def test_a_broken_manifest_is_named(text: str, pack: Pack) -> None:
    """Nothing is guessed from the files beside a manifest that cannot be read."""
    folder = pack()
    (folder / "manifest.json").write_text(text, encoding="utf-8")
    with pytest.raises(ModelUnavailable, match=r"cheetah_s/manifest\.json"):
        find_in_pack(folder, "detection", ("detection.onnx",), "")


def test_people_in_the_pictures_own_pixels(pack: Pack) -> None:
    """A picture of 200 x 100 px, red on its left half: one person there; the right half scores
    under the threshold.
    """
    picture = np.zeros((100, 200, 3), np.uint8)
    picture[:, :100, 2] = 204
    detector = PackPerson(find_in_pack(pack(), "person_detection", (), ""), 1, False, 0.5)
    people = detector.detect([picture, np.zeros((100, 200, 3), np.uint8)])
    assert people[0].xyxy == pytest.approx(np.array([[0, 0, 100, 100]]), abs=1e-3)
    assert people[0].score == pytest.approx([0.8], abs=0.02)
    assert len(people[1]) == 0


def test_bodies_become_rows_of_length_one(pack: Pack) -> None:
    """A crop with a red upper half gives a vector whose first half is even and whose second is
    nothing.
    """
    crop = np.zeros((256, 128, 3), np.uint8)
    crop[:128, :, 2] = 255
    vectors = PackReid(find_in_pack(pack(), "person_reid", (), ""), 1, False).embed([crop])
    expected = np.r_[np.full(128, 128**-0.5), np.zeros(128)]
    assert vectors == pytest.approx(expected[None], abs=1e-4)
    assert PackReid(find_in_pack(pack(), "person_reid", (), ""), 1, False).embed([]).shape == (
        0,
        256,
    )


def test_faces_are_prepared_as_the_manifest_says(pack: Pack) -> None:
    """Mean and deviation of the manifest replace the library's own: here the network sees 0..1, not
    -1..1.
    """
    image = np.random.default_rng(0).integers(0, 255, (112, 112, 3), np.uint8)
    folder = pack(recognition={"preprocessing": {"mean": 0.0, "std": 255.0}})
    vector = ArcFace(find_in_pack(folder, "recognition", (), ""), 1, False, 32.0).embed(
        [image], [ARCFACE_112]
    )[0]
    grid = image[:, :, ::-1].reshape(4, 28, 4, 28, 3).mean((1, 3)) / 255
    expected = grid.transpose(2, 0, 1).ravel()
    assert vector == pytest.approx(expected / np.linalg.norm(expected), abs=2e-3)


def test_a_network_of_another_kind_is_refused_in_one_line(pack: Pack) -> None:
    """A face network declared as the person detector is refused by its inputs, not by a
    traceback.
    """
    folder = pack()
    record = {"file": "recognition.onnx", "sha256": sha256(folder / "recognition.onnx")}
    file = find_in_pack(pack(person_detection=record), "person_detection", (), "")
    with pytest.raises(ModelUnavailable, match=r"recognition\.onnx"):
        PackPerson(file, 1, False, 0.5)


def test_any_file_names_in_a_plain_pack(tmp_path: Path) -> None:
    """Without a manifest.json the shapes say what a file is; landmark networks and others are
    passed over.
    """
    folder = tmp_path / "antelope"
    detector = write(scrfd_network(), folder / "a.onnx")
    embedder = write(arcface_network(), folder / "b.onnx")
    write(arcface_network(192), folder / "landmarks.onnx")
    write(arcface_network(96), folder / "attributes.onnx")
    assert find_in_pack(folder, "detection", ("det_10g.onnx",), "").path == detector
    assert find_in_pack(folder, "recognition", ("w600k_r50.onnx",), "").path == embedder
    with pytest.raises(ModelUnavailable, match="expected in"):
        find_in_pack(folder, "person_detection", (), "")
    write(arcface_network(), folder / "c.onnx")
    with pytest.raises(ModelUnavailable, match=r"b\.onnx, c\.onnx"):
        find_in_pack(folder, "recognition", ("w600k_r50.onnx",), "")


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("size", [112, 128, 224, 256])
def test_alignment_is_the_librarys(size: int) -> None:
    """The same place for the landmarks as the library's face_align gives, for every size it
    knows.
    """
    from insightface.utils.face_align import estimate_norm

    marks = ARCFACE_112 * 1.7 + [30, 11]
    matrix = estimate_norm(marks, size)
    assert marks @ matrix[:, :2].T + matrix[:, 2] == pytest.approx(arcface_template(size), abs=1e-4)


def test_alignment_of_another_size_is_refused() -> None:
    """150 px is dlib's chip, not ArcFace's."""
    with pytest.raises(ModelUnavailable, match="112 or 128"):
        arcface_template(150)
