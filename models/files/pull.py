"""Filling the model cache: find the published files, check them, convert them, and put the result
in place at once.

The cache holds one file a model, `<name>.onnx`, written to a temporary name and renamed, under a
lock that other processes wait for. What is there and has the right digest is left alone, so pulling
twice costs a digest.
"""

from __future__ import annotations

import fcntl
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from data_contracts.errors import ModelUnavailable
from models import convert
from models.files.checksum import sha256
from models.files.fetch import fetch
from models.files.manifest import Manifest, ModelEntry, Role, packaged_file, read_manifest
from models.settings import DEFAULT_CACHE

Progress = Callable[[str], None]
Attempt = tuple[str, Callable[[], dict[str, Path]]]
State = Literal["ok", "missing", "damaged"]


@dataclass(frozen=True)
class ModelFile:
    """A model in the cache. `state` ok: there with the right digest; `sha256` is of the file found
    ("" if missing).
    """

    name: str
    role: Role
    path: Path
    state: State
    sha256: str
    licence: str
    default: bool


def list_models(manifest: Manifest | None = None) -> dict[str, ModelEntry]:
    """All models of the manifest by name."""
    return dict((manifest or read_manifest()).models)


def default_names(manifest: Manifest | None = None) -> list[str]:
    """Names of the defaults of all roles, each after what it needs."""
    known = manifest or read_manifest()
    return known.with_needs([n for n, e in known.models.items() if e.default])


def model_path(name: str, cache: Path, manifest: Manifest | None = None) -> Path:
    """Where the converted file of a model is, or would be. Packaged models are used where they
    ship.
    """
    entry = (manifest or read_manifest()).entry(name)
    return (
        packaged_file(entry)
        if entry.packaged
        else cache.expanduser() / f"{name}{entry.file_suffix}"
    )


def check(cache: Path = DEFAULT_CACHE, manifest: Manifest | None = None) -> list[ModelFile]:
    """One row for every model that can be pulled or ships: is it there, and is it what the manifest
    names?
    """
    known = manifest or read_manifest()
    return [_row(n, cache, known) for n, e in known.models.items() if not e.brought]


def pull(
    names: Sequence[str] | None = None,
    cache: Path = DEFAULT_CACHE,
    local: Path | None = None,
    offline: bool = False,
    on_progress: Progress | None = None,
    manifest: Manifest | None = None,
) -> list[ModelFile]:
    """Make sure that the named models (None: the defaults) are in `cache`; returns their rows, all
    with state ok.

    `local` is a folder with files as published (or already converted), looked at first and the only
    source when `offline`. Raises ModelUnavailable with one message that names every source tried.
    """
    known = manifest or read_manifest()
    say = on_progress or (lambda _line: None)
    wanted = known.with_needs(list(names)) if names is not None else default_names(known)
    rows = [_row(n, cache, known) for n in wanted]
    if all(r.state == "ok" for r in rows):
        return rows
    with (
        _locked(cache.expanduser()),
        tempfile.TemporaryDirectory(prefix="encounter-models-") as scratch,
    ):
        for name in wanted:
            if _row(name, cache, known).state != "ok":
                entry = known.entry(name)
                _pull_one(
                    name,
                    entry,
                    cache.expanduser(),
                    _sources(entry, local, offline, Path(scratch)),
                    say,
                )
    return [_row(n, cache, known) for n in wanted]


def _row(name: str, cache: Path, manifest: Manifest) -> ModelFile:
    entry = manifest.entry(name)
    path = model_path(name, cache, manifest)
    digest = sha256(path) if path.is_file() else ""
    state: State = (
        "missing" if not digest else "ok" if entry.sha256 in (None, digest) else "damaged"
    )
    return ModelFile(name, entry.role, path, state, digest, entry.licence, entry.default)


def _pull_one(
    name: str, entry: ModelEntry, cache: Path, sources: Iterable[Attempt], say: Progress
) -> None:
    if entry.brought:
        raise ModelUnavailable(f"{name} is never downloaded ({entry.licence}): {entry.pack_advice}")
    if entry.packaged:
        raise ModelUnavailable(
            f"{name}: {entry.packaged} ships with the project and is missing or changed: reinstall "
            "it"
        )
    tried: list[str] = []
    for label, get in sources:
        try:
            say(f"{name}: from {label}")
            files = get()
            _verify(entry, files)
            _place(name, entry, files, cache)
        except ModelUnavailable as error:
            tried.append(f"{label}: {error}")
        else:
            say(f"{name}: ready")
            return
    needed = ", ".join(entry.files)
    raise ModelUnavailable(
        f"{name} could not be had "
        f"({'; '.join(tried) or 'offline, and no local folder was named'}). "
        f"Put {needed} (from {entry.origin}) into a folder and pull again from it with --local "
        "FOLDER"
    )


def _sources(entry: ModelEntry, local: Path | None, offline: bool, scratch: Path) -> list[Attempt]:
    """What to try, in order; a package's archive stays in `scratch`, where the next model of that
    package finds it.
    """
    attempts: list[Attempt] = []
    if local is not None:
        attempts.append((f"folder {local}", partial(_from_folder, entry, local.expanduser())))
    if not offline:
        attempts += [
            (str(s), partial(fetch, s, tuple(entry.files), scratch)) for s in entry.sources
        ]
    return attempts


def _from_folder(entry: ModelEntry, folder: Path) -> dict[str, Path]:
    missing = [n for n in entry.files if not (folder / n).is_file()]
    if missing:
        raise ModelUnavailable(f"{', '.join(missing)} not there")
    return {n: folder / n for n in entry.files}


def _verify(entry: ModelEntry, files: dict[str, Path]) -> None:
    for name, expected in entry.files.items():
        found = sha256(files[name])
        if found != expected:
            raise ModelUnavailable(f"{name}: digest {expected[:12]}… expected, {found[:12]}… found")


def _place(name: str, entry: ModelEntry, files: dict[str, Path], cache: Path) -> None:
    target = cache / f"{name}{entry.file_suffix}"
    with tempfile.NamedTemporaryFile(dir=cache, prefix=f".{name}-", delete=False) as out:
        made = Path(out.name)
    try:
        convert.convert(entry.convert, files, made)
        found = sha256(made)
        if entry.sha256 is not None and found != entry.sha256:
            raise ModelUnavailable(
                f"conversion gave {found[:12]}…, not {entry.sha256[:12]}…: onnx or numpy differ "
                "from requirements.lock"
            )
        made.chmod(0o644)
        made.replace(target)
    finally:
        made.unlink(missing_ok=True)


@contextmanager
def _locked(cache: Path) -> Iterator[None]:
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with (cache / ".lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
    except PermissionError as error:
        raise ModelUnavailable(
            f"the model cache {cache} cannot be written: {error}; choose another folder"
        ) from error
