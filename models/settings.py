"""Which models to use and how: what a user's settings say, as the loaders take it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from data_contracts.record import Record

DEFAULT_CACHE = Path("~/.cache/encounter/models")
RuntimeName = Literal["auto", "onnxruntime", "openvino", "onnxruntime-cuda"]


class ModelSettings(Record):
    """The neural models. A role left None takes the manifest's default; appearance has none.

    `dir` is the folder of the pulled models. `person_size` is the person detector's canvas (width,
    height) in px, multiples of 32. `pack` is the folder of the InsightFace pack that the entries of
    that kind read: a path, or a name below `packs` in `dir`; None where that has only one.
    `accept_noncommercial` says that the user's purpose allows models whose licence is for
    non-commercial use only.
    """

    dir: Path = DEFAULT_CACHE
    runtime: RuntimeName = "auto"
    threads: int = Field(default=1, ge=1, le=64)
    person: str | None = None
    face: str | None = None
    embedder: str | None = None
    appearance: str | None = None
    mask: str | None = None
    person_size: tuple[int, int] | None = None
    pack: Path | None = None
    accept_noncommercial: bool = False
