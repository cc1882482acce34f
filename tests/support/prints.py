"""Tells whether feature vectors seen earlier turn up again: in arrays, bytes, texts, messages or
live objects.

A vector is remembered by the pairs of neighbouring float32 values in it, so that it is found at any
offset, inside any other array, as float32 or float64, and printed with five decimals. Rounding to
float16 is the coarsest that is looked for.
"""

from __future__ import annotations

import gc
import pickle
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

# What the embedders that a site may configure give: dlib 128, OSNet and ArcFace 512, FaceRes 1024.
SIZES = (128, 512, 1024)
# This many neighbouring pairs in common are not an accident: one pair by chance is 2**-64 a try.
_HITS = 3
_NUMBER = re.compile(rb"-?\d+\.\d+(?:e[-+]?\d+)?")
_LONG_RUN = re.compile(rb"(?:-?\d*\.?\d+(?:e[-+]?\d+)?[\s,;\[\]]+){100}")


class Prints:
    """The vectors seen so far."""

    def __init__(self) -> None:
        self._new: list[np.ndarray] = []
        self._single = self._half = np.zeros(0, np.uint64)
        self._printed: set[tuple[int, ...]] = set()
        self.count = 0
        self._dirty = False

    def add(self, vectors: np.ndarray) -> None:
        """Remember the rows of an (n, d) array, and each of them at length 1."""
        for row in np.array(vectors, np.float64):  # a copy: nothing here may keep a vector alive
            length = np.linalg.norm(row)
            if length > 0:
                self._new += [row, row / length]
                self.count = self.count + 1
                self._dirty = True

    @property
    def own(self) -> set[int]:
        """The ids of what this object itself holds, for `live`."""
        return {id(self._new), id(self.__dict__), id(self)}

    def _learn(self) -> None:
        if not self._dirty:
            return
        self._dirty = False
        rows = [r.astype(np.float32) for r in self._new]
        self._single = np.unique(np.concatenate([_pairs(r) for r in rows] or [self._single]))
        self._half = np.unique(
            np.concatenate([_quads(r.astype(np.float16)) for r in rows] or [self._half])
        )
        for row in self._new:
            # The ends, which an abbreviated print shows. Zeros and small numbers are in any log.
            triples = [
                tuple(np.round(row[at : at + 3] * 1e5).astype(int))
                for at in (0, 1, 2, len(row) - 3)
            ]
            self._printed |= {t for t in triples if min(map(abs, t)) > 100 and len(set(t)) == 3}

    def in_array(self, values: np.ndarray) -> bool:
        """Whether a vector is in an array of floats, in the order of memory."""
        self._learn()
        if values.dtype == np.float16:
            return _common(_quads(values.ravel()), self._half) >= _HITS
        with np.errstate(all="ignore"):
            return _common(_pairs(values.ravel().astype(np.float32)), self._single) >= _HITS

    def in_bytes(self, data: bytes) -> bool:
        """Whether a vector is in bytes: as float16, 32 or 64 at any offset, or printed."""
        for kind in (np.float16, np.float32, np.float64):
            size = np.dtype(kind).itemsize
            for offset in range(size):
                part = data[offset : offset + (len(data) - offset) // size * size]
                if len(part) >= 16 * size and self.in_array(np.frombuffer(part, kind)):
                    return True
        return self.in_text(data)

    def in_text(self, data: bytes) -> bool:
        """Whether three neighbouring values of a vector are printed one after the other."""
        self._learn()
        numbers = [round(float(n) * 1e5) for n in _NUMBER.findall(data)]
        return any(t in self._printed for t in zip(numbers, numbers[1:], numbers[2:], strict=False))


def _common(keys: np.ndarray, known: np.ndarray) -> int:
    """How many of the keys are known (sorted)."""
    if not len(known) or not len(keys):
        return 0
    at = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    return int((known[at] == keys).sum())


def _pairs(values: np.ndarray) -> np.ndarray:
    """(n - 1,) the bits of neighbouring float32 values, as one number each; zeros and repetitions
    left out.
    """
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32).astype(np.uint64)
    keep = (values[:-1] != 0) & (values[1:] != 0) & (values[:-1] != values[1:])
    return ((bits[:-1] << np.uint64(32)) | bits[1:])[keep]


def _quads(values: np.ndarray) -> np.ndarray:
    """(n - 3,) the same of four neighbouring float16 values."""
    bits = np.ascontiguousarray(values, np.float16).view(np.uint16).astype(np.uint64)
    if len(bits) < 4:
        return np.zeros(0, np.uint64)
    parts = [bits[i : len(bits) - 3 + i] for i in range(4)]
    keep = (parts[0] != 0) & (parts[1] != 0) & (parts[0] != parts[1]) & (parts[2] != parts[3])
    return sum(p << np.uint64(48 - 16 * i) for i, p in enumerate(parts))[keep]


def sequences(value: object, depth: int = 12) -> Iterator[np.ndarray]:
    """Every array and every list of numbers in a value, in what it refers to and in what is pickled
    in it.
    """
    if depth == 0 or value is None or isinstance(value, bool | int | float | complex | str | type):
        return
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        yield value
    elif isinstance(value, bytes | bytearray | memoryview):
        yield from sequences(_unpickled(bytes(value)), depth - 1)
    elif isinstance(value, dict):
        for item in (*value, *value.values()):
            yield from sequences(item, depth - 1)
    elif isinstance(value, list | tuple | set | frozenset) or (
        isinstance(value, np.ndarray) and value.dtype == object
    ):
        if len(value) > 3 and all(isinstance(v, float | np.floating) for v in value):
            yield np.array([float(v) for v in value])
        else:
            for item in value:
                yield from sequences(item, depth - 1)
    else:
        for held in (getattr(value, "__dict__", None), getattr(value, "args", None)):
            if isinstance(held, dict | tuple):
                yield from sequences(held, depth - 1)


def _unpickled(data: bytes) -> object:
    try:
        return pickle.loads(data) if data[:1] == b"\x80" else None
    except (
        Exception
    ):  # not a pickle, or one whose buffers travel apart: those are looked at as bytes
        return None


def of_feature_size(array: np.ndarray) -> bool:
    """Whether an array's rows are as long as features."""
    return array.ndim > 0 and array.shape[-1] in SIZES


def long_run_of_numbers(data: bytes) -> bool:
    """Whether a text shows a hundred numbers in a row."""
    return _LONG_RUN.search(data) is not None


def live(prints: Prints) -> list[str]:
    """Live arrays, bytes and lists that hold a vector: everything that the collector's objects
    refer to.
    """
    gc.collect()
    found = []
    for holder in gc.get_objects():
        if id(holder) in prints.own:
            continue
        for held in gc.get_referents(holder):
            if _holds(prints, held):
                found.append(f"{type(holder).__name__} holds {type(held).__name__} of {len(held)}")
    return found


def _holds(prints: Prints, held: Any) -> bool:
    if isinstance(held, np.ndarray):
        return held.dtype.kind == "f" and 16 <= held.size < 10**7 and prints.in_array(held)
    if isinstance(held, bytes | bytearray):
        return 512 <= len(held) < 10**7 and prints.in_bytes(bytes(held))
    if isinstance(held, list | tuple) and 16 <= len(held) < 10**5 and isinstance(held[0], float):
        return prints.in_array(np.array([v for v in held if isinstance(v, float)]))
    return False
