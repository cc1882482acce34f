"""Remembering which runtime `auto` chose for a model on this machine.

Two runtimes can be nearly as fast as each other, and their answers differ in the last digits: a
choice that each process makes for itself would let the workers of one run differ. So it is made
once, by whoever comes first, and kept beside the model until the file, the processor or a runtime's
version changes.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import tempfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

_FILE = ".runtimes.json"
_RUNTIMES = ("onnxruntime", "openvino")


def chosen_once(path: Path, circumstances: str, choose: Callable[[], str]) -> str:
    """The runtime for a model file, chosen by `choose` where nobody has yet.

    `circumstances` is what else the choice depends on. A folder that cannot be written is not an
    error: then each process chooses.
    """
    store = path.parent / _FILE
    key = _key(path, circumstances)
    known = _read(store).get(key)
    if known in _RUNTIMES:
        return known
    found = choose()
    try:
        return _remember(store, key, found)
    except OSError:
        return found


def _key(path: Path, circumstances: str) -> str:
    file = path.stat()
    versions = [f"{name} {metadata.version(name)}" for name in _RUNTIMES]
    parts = (path.name, file.st_size, file.st_mtime_ns, _processor(), *versions, circumstances)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    told = [line for line in lines if line.startswith(("model name", "flags", "Features"))]
    return " ".join(sorted(set(told)))


def _read(store: Path) -> dict[str, str]:
    try:
        known = json.loads(store.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _remember(store: Path, key: str, found: str) -> str:
    """Write the choice down, unless another process was first: then its choice holds."""
    with (store.parent / f"{_FILE}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = _read(store)
        if known.get(key) in _RUNTIMES:
            return known[key]
        handle, aside = tempfile.mkstemp(dir=store.parent)
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            json.dump({**known, key: found}, out)
        Path(aside).replace(store)
        return found
