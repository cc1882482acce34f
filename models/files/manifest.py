"""The manifest as typed records: `manifest.yaml` is the only place where a model's origin and
numbers are written.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from data_contracts.errors import ModelUnavailable
from data_contracts.record import Record, first_fault
from models import convert
from models.files.pack_files import PackTask
from models.interface import FaceScores, PersonScores
from models.score_calibration import BodyCalibration, LogisticCalibration

Role = Literal["person", "face", "embedder", "appearance", "mask"]
ROLES: tuple[Role, ...] = ("person", "face", "embedder", "appearance", "mask")
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

    `loader` names the backend in models/networks/ that runs it, `convert` the conversion of
    models/convert that makes its file. `needs` names a model whose output this one works
    on; `packaged` is a file that ships with the project; `pack` names files of which the user
    brings one (never downloaded, no digest), with `pack_advice` on how. `pack_task` is the task
    that an InsightFace pack with a manifest.json has the file for. `thresholds` are what the
    backend itself needs; `person_scores` and `face_scores` say what a detector's scores are worth
    to others. `calibration` is a face embedder's; `body_calibration` that of an appearance model's
    published weights, which are the first of `pack`.
    """

    role: Role
    title: str
    licence: str
    commercial_use: bool
    origin: str
    loader: str
    default: bool = False
    files: dict[str, str] = Field(default_factory=dict)
    sources: tuple[Source, ...] = ()
    convert: str = convert.COPY
    sha256: str | None = None
    needs: str | None = None
    packaged: str | None = None
    pack: tuple[str, ...] = ()
    pack_task: PackTask | None = None
    pack_advice: str = ""
    input: ModelInput | None = None
    thresholds: dict[str, float] = Field(default_factory=dict)
    person_scores: PersonScores | None = None
    face_scores: FaceScores | None = None
    calibration: LogisticCalibration | None = None
    body_calibration: BodyCalibration | None = None

    @field_validator("convert")
    @classmethod
    def _is_a_conversion(cls, value: str) -> str:
        if value not in convert.names():
            raise ValueError(f"{value} is not a conversion; known: {', '.join(convert.names())}")
        return value

    @model_validator(mode="after")
    def _a_detector_says_what_its_scores_mean(self) -> ModelEntry:
        for role, scores in (("person", self.person_scores), ("face", self.face_scores)):
            if (self.role == role) != (scores is not None):
                raise ValueError(f"{role}_scores belong to a model for {role}, and to no other")
        return self

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
    except ValidationError as error:
        raise ModelUnavailable(f"{path.name}: {first_fault(error, 'manifest')}") from None
    except yaml.YAMLError as error:
        raise ModelUnavailable(f"{path.name}: not a valid model manifest: {error}") from error


def default_person_scores() -> PersonScores:
    """What the scores of the default person detector are worth."""
    scores = read_manifest().entry(_default("person")).person_scores
    assert scores is not None  # the entry's own rule
    return scores


def default_face_scores() -> FaceScores:
    """What the scores of the default face detector are worth."""
    scores = read_manifest().entry(_default("face")).face_scores
    assert scores is not None  # the entry's own rule
    return scores


def _default(role: Role) -> str:
    name = read_manifest().default(role)
    if name is None:
        raise ModelUnavailable(f"the manifest has no default for {role}")
    return name


def packaged_file(entry: ModelEntry) -> Path:
    """Path of the file that ships with the project."""
    return _MODELS / str(entry.packaged)
