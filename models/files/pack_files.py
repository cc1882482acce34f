"""Finding the files that a user brings: InsightFace packs, and single files in the cache's folder
for them.

An InsightFace pack is a folder: either plain ONNX files (buffalo, antelope), or files with a
`manifest.json` that says which serves which task, how to prepare its input and, mostly, its SHA-256
(raccoon, cheetah). Everything is looked for on this machine, here, before the library is asked for
anything: it would download a pack that it misses.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from data_contracts.errors import ModelUnavailable
from models.files.checksum import sha256

# The tasks of a manifest.json that this project has a use for, by the library's names.
PackTask = Literal["detection", "recognition", "person_detection", "person_reid"]
_MANIFEST = "manifest.json"
# A square input of 192 px is a landmark network's in the library's own routing (model_zoo.py),
# which is not a face embedder.
_LANDMARKS_PX = 192


@dataclass(frozen=True)
class PackFile:
    """A file that a user brought. `manifest` and `task` where it belongs to a pack with a
    `manifest.json`.

    `task` is the library's record of it: a `ModelTaskDescriptor` for faces, a dict for people. A
    file with a declared SHA-256 has it.
    """

    path: Path
    manifest: Path | None = None
    task: Any = None


def find_single(folder: Path, names: Sequence[str], advice: str) -> PackFile:
    """The first of `names` in `folder` or a folder below it. Raises ModelUnavailable with `advice`
    when none is there.
    """
    for name in names:
        for path in [folder / name, *sorted(folder.glob(f"*/{name}"))]:
            if path.is_file():
                return PackFile(path)
    raise ModelUnavailable(f"{' or '.join(names)} expected in {folder}: {advice}")


def find_in_pack(folder: Path, task: PackTask, names: Sequence[str], advice: str) -> PackFile:
    """The file for `task` of the one pack in `folder`, which is that folder or one below it.

    In a pack without manifest.json it is the first of `names`, else the only ONNX file of the
    task's shape. Raises ModelUnavailable with `advice` when no pack has one, with the packs' names
    when several have, and when a manifest or a digest is wrong.
    """
    found = {}
    for pack in [folder, *sorted(p for p in folder.glob("*") if p.is_dir())]:
        file = (
            _from_manifest(pack, task)
            if (pack / _MANIFEST).is_file()
            else _plain(pack, task, names)
        )
        if file is not None:
            found[pack.name] = file
    if len(found) > 1:
        raise ModelUnavailable(
            f"several packs for {task} in {folder}: {', '.join(found)}; name one in models.pack"
        )
    if not found:
        wanted = f"{' or '.join(names)}, or a pack" if names else "a pack"
        raise ModelUnavailable(
            f"{wanted} whose {_MANIFEST} names {task}, expected in {folder}: {advice}"
        )
    return next(iter(found.values()))


def _from_manifest(pack: Path, task: PackTask) -> PackFile | None:
    """The task of a manifest pack, its digest checked; None for a pack that does not have it."""
    from insightface.model_zoo.package_manifest import load_model_package

    try:
        package = load_model_package(pack)
        tasks = json.loads(package.manifest_path.read_text(encoding="utf-8"))["tasks"]
        if task not in tasks:
            return None
        if task in ("detection", "recognition"):
            descriptor = package.verify_task(task)
            return PackFile(descriptor.path, package.manifest_path, descriptor)
        return _person_task(package.path, package.manifest_path, task, tasks[task])
    except (OSError, ValueError, TypeError, RuntimeError, AttributeError) as error:
        raise ModelUnavailable(f"{pack / _MANIFEST}: {error}; unpack the pack again") from error


def _person_task(pack: Path, manifest: Path, task: PackTask, given: Any) -> PackFile:
    """A task about people. The library reads these only from packs that have faces too, in a folder
    of its own choice.
    """
    from insightface.model_zoo.person_package import resolve_person_descriptor

    if not isinstance(given, dict) or not isinstance(given.get("file"), str):
        raise TypeError(f"tasks.{task}.file is required")
    path = (pack / given["file"]).resolve()
    if not path.is_relative_to(pack) or path.suffix != ".onnx":
        raise ValueError(
            f"tasks.{task}.file {given['file']!r}: a path to an .onnx file inside the pack expected"
        )
    if not path.is_file():
        raise FileNotFoundError(f"model file does not exist: {path}")
    found = sha256(path)
    if given.get("sha256", found) != found:
        raise ValueError(
            f"tasks.{task}: SHA-256 {given['sha256']} expected, {found} found in {path.name}"
        )
    known = {key: given[key] for key in ("input_size", "preprocessing") if key in given}
    descriptor = resolve_person_descriptor(
        task, {"file": given["file"], "path": str(path), "sha256": found, **known}
    )
    return PackFile(path, manifest, descriptor)


def _plain(pack: Path, task: PackTask, names: Sequence[str]) -> PackFile | None:
    for name in names:
        if (pack / name).is_file():
            return PackFile(pack / name)
    if task not in ("detection", "recognition"):
        return None  # without a manifest.json nothing says how their input is prepared
    right = [path for path in sorted(pack.glob("*.onnx")) if _kind(path) == task]
    if len(right) > 1:
        raise ModelUnavailable(
            f"{pack}: several files look like {task}: {', '.join(p.name for p in right)}; leave "
            "only the one to use"
        )
    return PackFile(right[0]) if right else None


def _kind(path: Path) -> PackTask | None:
    """What a file is by its shape, as the library routes it, but only where nothing else of a pack
    has that shape.
    """
    import onnx

    try:
        graph = onnx.load(str(path), load_external_data=False).graph
    except Exception as error:
        raise ModelUnavailable(f"{path} is not an ONNX file: {error}") from error
    fixed = {i.name for i in graph.initializer}
    inputs = [i for i in graph.input if i.name not in fixed]
    shape = [d.dim_value for d in inputs[0].type.tensor_type.shape.dim] if len(inputs) == 1 else []
    if len(shape) != 4 or shape[1] != 3:
        return None
    if len(graph.output) in (9, 15):
        return "detection"
    square = shape[2] == shape[3] and shape[2] >= 112 and shape[2] != _LANDMARKS_PX
    return "recognition" if square and len(graph.output) == 1 else None
