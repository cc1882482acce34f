"""The manifest as typed records: `manifest.yaml` is the only place where a model's origin and
numbers are written.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from data_contracts.errors import ModelUnavailable
from data_contracts.record import Record
from models.files.pack_files import PackTask
from models.score_calibration import LogisticCalibration

Role = Literal["person", "face", "embedder", "appearance", "mask"]
ROLES: tuple[Role, ...] = ("person", "face", "embedder", "appearance", "mask")
Conversion = Literal["nanodet", "centerface", "faceres", "dlib_resnet", "copy"]
Loader = Literal[
    "nanodet",
    "centerface",
    "faceres",
    "dlib_resnet",
    "mask_lr",
    "scrfd",
    "arcface",
    "osnet",
    "pack_person",
    "pack_reid",
]
_HERE = Path(__file__).parent
_MODELS = _HERE.parent


class Source(Record):
    """Where files come from. `pip` and `npm`: a package's version and a folder in it; `url`: a
    folder's address.
    """

    kind: Literal["pip", "npm", "url"]
    package: str = ""
    version: str = ""
    folder: str = ""
    base: str = ""

    def __str__(self) -> str:
        return (
            self.base
            if self.kind == "url"
            else f"{self.kind} package {self.package} {self.version}"
        )


class ModelInput(Record):
    """The network's input: size in px, channel order, and per-channel mean and deviation in that
    order.
    """

    width: int
    height: int
    colour: Literal["BGR", "RGB"]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    note: str = ""


class ModelEntry(Record):
    """One model. `files`: the published files' SHA-256; `sha256`: the converted file's (None: not
    pinned).

    `loader` is the class in models/ that runs it. `needs` names a model whose output this one works
    on; `packaged` is a file that ships with the project; `pack` names files of which the user
    brings one (never downloaded, no digest), with `pack_advice` on how. `pack_task` is the task
    that an InsightFace pack with a manifest.json has the file for.
    """

    role: Role
    title: str
    licence: str
    commercial_use: bool
    origin: str
    loader: Loader
    default: bool = False
    files: dict[str, str] = Field(default_factory=dict)
    sources: tuple[Source, ...] = ()
    convert: Conversion = "copy"
    sha256: str | None = None
    needs: str | None = None
    packaged: str | None = None
    pack: tuple[str, ...] = ()
    pack_task: PackTask | None = None
    pack_advice: str = ""
    input: ModelInput | None = None
    thresholds: dict[str, float] = Field(default_factory=dict)
    calibration: LogisticCalibration | None = None

    @model_validator(mode="after")
    def _default_is_free(self) -> ModelEntry:
        if self.default and not self.commercial_use:
            raise ValueError("a model that may not be used commercially cannot be a default")
        return self

    @property
    def brought(self) -> bool:
        """Whether the user brings the file, because it may not or cannot be pulled."""
        return bool(self.pack) or self.pack_task is not None

    @property
    def file_suffix(self) -> str:
        """Suffix of the converted file."""
        return Path(self.packaged).suffix if self.packaged else ".onnx"


class Manifest(Record):
    """All models by name."""

    models: dict[str, ModelEntry]

    @model_validator(mode="after")
    def _one_default_a_role(self) -> Manifest:
        for role in ROLES:
            defaults = [n for n, e in self.models.items() if e.role == role and e.default]
            if len(defaults) > 1:
                raise ValueError(f"role {role} has several defaults: {', '.join(defaults)}")
        return self

    def entry(self, name: str) -> ModelEntry:
        """The model of that name. Raises ModelUnavailable for an unknown name."""
        if name not in self.models:
            raise ModelUnavailable(
                f"model {name!r} is not in the manifest; known: {', '.join(sorted(self.models))}"
            )
        return self.models[name]

    def default(self, role: Role) -> str | None:
        """Name of the role's default model, None where the role has none."""
        return next((n for n, e in self.models.items() if e.role == role and e.default), None)

    def with_needs(self, names: list[str]) -> list[str]:
        """The names, each after the model that it needs, without repeats."""
        out: list[str] = []
        for name in names:
            needed = self.entry(name).needs
            out += [n for n in ([needed] if needed else []) + [name] if n not in out]
        return out


@lru_cache(maxsize=8)
def read_manifest(path: Path = _HERE / "manifest.yaml") -> Manifest:
    """Read and check a manifest. Raises ModelUnavailable when it breaks its rules."""
    try:
        return Manifest.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (ValidationError, yaml.YAMLError) as error:
        raise ModelUnavailable(f"{path.name}: not a valid model manifest: {error}") from error


def packaged_file(entry: ModelEntry) -> Path:
    """Path of the file that ships with the project."""
    return _MODELS / str(entry.packaged)
