"""The looks of a day as they are kept: one or, where a coat was put on or off, several, each with
the time in which it was seen.

Each look is a template of its own, under a secret of its own: of two vectors under one rotation the
angle would show (`tasks.observe.rotation`).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from data_contracts.errors import BadInput
from tasks.observe.template import Derive, SubjectTemplate, from_bytes, to_bytes

Array = NDArray[np.float64]

FORMAT = 1
_MAGIC = b"ENCL"
# How many looks; of each from when to when (s since 1970), and the size of its template.
_HEAD = struct.Struct("<B")
_LOOK = struct.Struct("<ddI")
# Somebody who changed clothes wears the look seen nearest in time: so long after a look was seen,
# it is e times less likely than one that was just seen. Chosen.
_LASTS_S = 1800.0
_DAMAGED = "the looks of the day are damaged: run the case again"


@dataclass(frozen=True, eq=False)
class Look:
    """One look, seen from `from_utc` to `to_utc`."""

    template: SubjectTemplate
    from_utc: datetime
    to_utc: datetime


@dataclass(frozen=True, eq=False)
class DayLooks:
    """All looks of a case's subject, the first seen first."""

    case_id: str
    looks: tuple[Look, ...]

    def __repr__(self) -> str:
        return f"DayLooks({self.case_id})"

    @property
    def size(self) -> int:
        """How many numbers describe a body."""
        return len(self.looks[0].template.rotated)

    def cosines(self, vectors: Array) -> Array:
        """(n, looks) of descriptions (n, d) with each look."""
        each = [look.template for look in self.looks]
        return np.stack([t.rotation.apply(vectors) @ t.rotated for t in each], axis=1)

    def worn(self, at_s: Array) -> Array:
        """(n, looks) how likely each look is worn at times (n,), seconds since 1970."""
        start = np.array([look.from_utc.timestamp() for look in self.looks])
        end = np.array([look.to_utc.timestamp() for look in self.looks])
        away = np.maximum(np.maximum(start - at_s[:, None], at_s[:, None] - end), 0.0)
        weight = np.exp(-(away - away.min(axis=1, keepdims=True)) / _LASTS_S)
        return np.asarray(weight / weight.sum(axis=1, keepdims=True))


def looks_to_bytes(day: DayLooks) -> bytes:
    """Sealed with the case's key before it is stored; no secret is in it."""
    out = _MAGIC + bytes([FORMAT]) + _HEAD.pack(len(day.looks))
    for look in day.looks:
        data = to_bytes(look.template)
        out += _LOOK.pack(look.from_utc.timestamp(), look.to_utc.timestamp(), len(data)) + data
    return out


def looks_from_bytes(data: bytes, derive: Derive) -> DayLooks:
    """Read what `looks_to_bytes` wrote. Raises BadInput for anything else."""
    begin = len(_MAGIC) + 1
    if data[:begin] != _MAGIC + bytes([FORMAT]) or len(data) <= begin:
        raise BadInput(_DAMAGED)
    looks = []
    at = begin + _HEAD.size
    for _ in range(data[begin]):
        if len(data) < at + _LOOK.size:
            raise BadInput(_DAMAGED)
        start_s, end_s, size = _LOOK.unpack_from(data, at)
        at += _LOOK.size
        template = from_bytes(data[at : at + size], derive)
        looks.append(Look(template, _utc(start_s), _utc(end_s)))
        at += size
    whole = len(looks) > 0 and at == len(data)
    if not whole or len({(x.template.case_id, x.template.rotated.size) for x in looks}) != 1:
        raise BadInput(_DAMAGED)
    return DayLooks(looks[0].template.case_id, tuple(looks))


def _utc(seconds: float) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError):
        raise BadInput(_DAMAGED) from None
