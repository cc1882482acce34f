"""Instruments a process: remembers every feature vector that a model makes, and looks where else it
turns up.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import pickle
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from distributed import WorkerPlugin
from prints import Prints, of_feature_size, sequences

import tasks.observe.follow
import tasks.observe.scan
from models.runtime import Session
from tasks.observe.rotation import Rotation


class Watch:
    """What was made (`prints`, `refs`), and what was wrong (`faults`)."""

    def __init__(self) -> None:
        self.prints = Prints()
        self.refs: list[weakref.ref[np.ndarray]] = []
        self.faults: list[str] = []
        self.calls = 0

    def made(self, answer: Any) -> None:
        """Remember the feature arrays in what an embedder or the rotation gave."""
        for array in answer if isinstance(answer, tuple | list) else (answer,):
            if (
                isinstance(array, np.ndarray)
                and array.ndim == 2
                and array.dtype.kind == "f"
                and of_feature_size(array)
            ):
                self.prints.add(array)
                self.refs.append(
                    weakref.ref(array.base if isinstance(array.base, np.ndarray) else array)
                )

    def after(self, verdicts: object) -> None:
        """Called when a comparison returned: every array of it is dead, and nothing of it is in the
        answer.
        """
        self.calls += 1
        gc.collect()
        alive = sum(ref() is not None for ref in self.refs)
        self.refs.clear()
        if alive:
            self.faults.append(f"{alive} feature arrays are alive after match returned")
        for array in sequences(verdicts):
            if (of_feature_size(array) and array.ndim > 1) or self.prints.in_array(array):
                self.faults.append("match returned a feature")
        if self.prints.in_bytes(pickle.dumps(verdicts)):
            self.faults.append("match returned a feature")


@contextlib.contextmanager
def watching(models: object) -> Iterator[Watch]:
    """Watch this process until the block ends."""
    watch = Watch()
    undo = []

    def wrap(owner: Any, name: str, then: Any) -> None:
        real = getattr(owner, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            answer = real(*args, **kwargs)
            then(answer)
            return answer

        undo.append((owner, name, real))
        setattr(owner, name, call)

    wrap(Session, "run_all", watch.made)
    wrap(type(models), "embed_and_mask", watch.made)
    wrap(type(models.embedder), "embed", watch.made)
    wrap(Rotation, "apply", watch.made)
    wrap(tasks.observe.scan, "match", watch.after)
    wrap(tasks.observe.follow, "match", watch.after)
    # What was there before (modules, models) is not looked at again by the collector: a collection
    # takes milliseconds.
    gc.collect()
    gc.freeze()
    try:
        yield watch
    finally:
        gc.unfreeze()
        for owner, name, real in undo:
            setattr(owner, name, real)


class Collected(logging.Handler):
    """Every log record of the process, with its arguments."""

    def __init__(self) -> None:
        super().__init__(0)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the record."""
        self.records.append(record)


class WatchWorker(WorkerPlugin):
    """Watches a Dask worker: writes what its models made and every message that it sends into files
    of `folder`.
    """

    name = "encounter-test-watch"

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def setup(self, worker: Any) -> None:
        """Called by Dask when the plugin arrives."""
        from flows.runtime.environment import environment, models

        models(environment())
        record_messages(Path(self.folder))
        lock = threading.Lock()
        path = Path(self.folder) / f"made-{os.getpid()}.bin"

        def made(answer: Any) -> None:
            for array in answer if isinstance(answer, tuple | list) else (answer,):
                if isinstance(array, np.ndarray) and array.ndim == 2 and of_feature_size(array):
                    with lock, path.open("ab") as file:
                        np.save(file, array, allow_pickle=False)

        for owner, name in ((Session, "run_all"), (Rotation, "apply")):
            _tell(owner, name, made)


def _tell(owner: Any, name: str, told: Any) -> None:
    real = getattr(owner, name)

    def call(*args: Any, **kwargs: Any) -> Any:
        answer = real(*args, **kwargs)
        told(answer)
        return answer

    setattr(owner, name, call)


def record_messages(folder: Path) -> None:
    """From now on every message of this process is also written to `folder`: its frames, and arrays
    found in it.
    """
    import distributed.comm.tcp as tcp

    real = tcp.to_frames
    path = folder / f"sent-{os.getpid()}.bin"

    async def to_frames(msg: Any, *args: Any, **kwargs: Any) -> Any:
        frames = await real(msg, *args, **kwargs)
        with path.open("ab") as file:
            for frame in frames:
                file.write(bytes(frame))
        found = [a for a in sequences(_opened(msg)) if len(a.ravel()) >= 64]
        if found:
            with (folder / f"arrays-{os.getpid()}.bin").open("ab") as file:
                for array in found:
                    np.save(file, np.asarray(array, np.float64), allow_pickle=False)
        return frames

    tcp.to_frames = to_frames


def _opened(message: object) -> object:
    """A message with Dask's wrappers taken off."""
    from distributed.protocol import Serialize, Serialized, deserialize

    if isinstance(message, dict):
        return {k: _opened(v) for k, v in message.items()}
    if isinstance(message, list | tuple | set):
        return [_opened(v) for v in message]
    if isinstance(message, Serialize):
        return message.data
    if isinstance(message, Serialized):
        return deserialize(message.header, message.frames)
    return message


def saved_arrays(folder: Path, kind: str) -> list[np.ndarray]:
    """What the watched processes wrote: `made` or `arrays`."""
    out = []
    for path in sorted(folder.glob(f"{kind}-*.bin")):
        with path.open("rb") as file:
            while file.tell() < path.stat().st_size:
                out.append(np.load(file, allow_pickle=False))
    return out
