"""The models a run uses, loaded once a process, by the backend that the manifest names for each.

`load(settings)` never downloads: what is missing is a ModelUnavailable that says to pull it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from data_contracts.errors import ModelUnavailable
from models.files.body_calibration import CALIBRATION_SUFFIX, read_body_calibration
from models.files.checksum import sha256
from models.files.manifest import (
    ROLES,
    Manifest,
    ModelEntry,
    Role,
    default_person_scores,
    read_manifest,
)
from models.files.pack_files import PackFile, find_in_pack, find_single
from models.files.pull import model_path
from models.interface import (
    AppearanceEmbedder,
    FaceDetector,
    FaceEmbedder,
    FaceScores,
    Floats,
    Image,
    MaskClassifier,
    PersonDetector,
    PersonScores,
    SharedPass,
)
from models.networks.backend import BACKENDS, Setup
from models.runtime import OPENVINO_FILE, session
from models.score_calibration import BodyCalibration, LogisticCalibration
from models.settings import ModelSettings

# Folder of the cache in which files that a user brings are looked for.
PACKS = "packs"


@dataclass(frozen=True)
class Models:
    """Loaded models. `digests` maps each model's name to the SHA-256 of its file, `runtimes` to the
    runtime and precision that run it: both go into every artefact.
    """

    person: PersonDetector
    face: FaceDetector
    embedder: FaceEmbedder
    mask: MaskClassifier
    calibration: LogisticCalibration
    digests: dict[str, str] = field(default_factory=dict)
    runtimes: dict[str, str] = field(default_factory=dict)
    appearance: AppearanceEmbedder | None = None
    body_calibration: BodyCalibration | None = None
    person_scores: PersonScores = field(default_factory=default_person_scores)

    def embed_and_mask(
        self, images: Sequence[Image], landmarks: Sequence[Floats]
    ) -> tuple[Floats, Floats]:
        """Embeddings (n, d) and mask probabilities (n,) of faces; one pass where both share a
        network.
        """
        if isinstance(self.mask, SharedPass) and self.mask.backbone is self.embedder:
            return self.mask.embed_and_mask(images, landmarks)
        return self.embedder.embed(images, landmarks), self.mask.probability(images, landmarks)


@lru_cache(maxsize=4)
def load(settings: ModelSettings | None = None) -> Models:
    """The process's models for these settings.

    Raises ModelUnavailable when a file is missing or changed, a name is unknown or has another
    role, or a licence for non-commercial use only was not accepted.
    """
    return _Loader(settings or ModelSettings(), known_models()).load()


def let_go() -> None:
    """Forget the process's models: their memory is free when nobody holds them any more, and the
    next `load` loads them anew.
    """
    load.cache_clear()
    session.cache_clear()


def load_person(settings: ModelSettings | None = None) -> PersonDetector:
    """The person detector alone: for work that looks at no faces. Raises ModelUnavailable
    like `load`.
    """
    loader = _Loader(settings or ModelSettings(), known_models())
    return loader.role("person")


@lru_cache(maxsize=4)
def load_face(settings: ModelSettings) -> tuple[FaceDetector, float]:
    """The face detector alone, and the width in px from which the chosen embedder can tell a face:
    for work that compares no faces. Raises ModelUnavailable like `load`.
    """
    loader = _Loader(settings, known_models())
    embedder = loader.manifest.entry(loader.name("embedder"))
    return loader.role("face"), embedder.thresholds["min_face_px"]


def load_appearance(settings: ModelSettings) -> AppearanceEmbedder:
    """The appearance model alone, also without a calibration: to measure one. Raises
    ModelUnavailable like `load`.
    """
    loader = _Loader(settings, known_models())
    return loader.role("appearance")


def known_models() -> Manifest:
    """The manifest, whose loaders are all registered for their roles. Raises ModelUnavailable."""
    manifest = read_manifest()
    for name, entry in manifest.models.items():
        known = BACKENDS[entry.role]
        if entry.loader not in known:
            raise ModelUnavailable(
                f"{name}: no backend {entry.loader} for {entry.role}; registered: "
                f"{', '.join(sorted(known))}"
            )
    return manifest


def detector_scores(settings: ModelSettings | None = None) -> tuple[PersonScores, FaceScores]:
    """What the scores of the chosen person and face detector are worth; loads no network."""
    loader = _Loader(settings or ModelSettings(), known_models())
    person = loader.manifest.entry(loader.name("person")).person_scores
    face = loader.manifest.entry(loader.name("face")).face_scores
    if person is None or face is None:
        raise ModelUnavailable("models.person and models.face: detectors of these roles expected")
    return person, face


class _Loader:
    def __init__(self, settings: ModelSettings, manifest: Manifest) -> None:
        self.settings = settings
        self.manifest = manifest
        self.digests: dict[str, str] = {}
        self.runtimes: dict[str, str] = {}
        self._made: dict[str, Any] = {}

    def load(self) -> Models:
        wanted = [role for role in ROLES if role != "appearance" or self.settings.appearance]
        # Names and licences first: cheap, and the first thing that a user has to put right.
        entries = {role: self._entry(self.name(role), role) for role in wanted}
        calibration = entries["embedder"].calibration
        if calibration is None:
            raise ModelUnavailable(
                f"{self.name('embedder')} has no calibration in the manifest: it cannot search"
            )
        # The embedder first: a mask classifier on the same network shares it.
        embedder = self.role("embedder")
        made = {role: self.role(role) for role in wanted if role != "embedder"}
        return Models(
            **made,
            embedder=embedder,
            calibration=calibration,
            body_calibration=self._body_calibration(entries.get("appearance")),
            digests=dict(self.digests),
            runtimes=dict(self.runtimes),
            person_scores=entries["person"].person_scores or default_person_scores(),
        )

    def _body_calibration(self, entry: ModelEntry | None) -> BodyCalibration | None:
        """What the appearance model's cosines say: by the file beside its network, else by the
        manifest where the network is the one that the manifest was measured with.

        Raises ModelUnavailable where neither says it, or the file is wrong.
        """
        if entry is None:
            return None
        name = self.name("appearance")
        network = self._file(name, entry).path
        beside = network.with_suffix(CALIBRATION_SUFFIX)
        if beside.is_file():
            self.digests[f"{name} {beside.name}"] = sha256(beside)
            return read_body_calibration(beside)
        if entry.body_calibration is None or network.name not in entry.pack[:1]:
            raise ModelUnavailable(
                f"{network.name} has no calibration of bodies: expected {beside}; "
                f"`python -m benchmarks.accuracy.looks SITE --describe {name} --write FILE` "
                "measures it"
            )
        return entry.body_calibration

    def role(self, role: Role) -> Any:
        """The role's model, by the backend that the manifest names."""
        return self._make(self.name(role), role)

    def name(self, role: Role) -> str:
        """The name of the role's model: the user's, else the default."""
        name = getattr(self.settings, role) or self.manifest.default(role)
        if name is None:
            raise ModelUnavailable(f"no model for {role}: name one in the settings")
        return str(name)

    def _make(self, name: str, role: Role) -> Any:
        if name not in self._made:
            entry = self._entry(name, role)
            setup = Setup(
                name,
                entry,
                self._file(name, entry),
                self.settings.runtime,
                self.settings.threads,
                self.settings.person_size,
                self._make(entry.needs, "embedder") if entry.needs else None,
            )
            self._made[name] = BACKENDS[role][entry.loader].load(setup)
            if setup.sessions:
                self.runtimes[name] = setup.sessions[-1].described
        return self._made[name]

    def _entry(self, name: str, role: Role) -> ModelEntry:
        entry = self.manifest.entry(name)
        if entry.role != role:
            raise ModelUnavailable(f"{name} is a model for {entry.role}, wanted one for {role}")
        if not entry.commercial_use and not self.settings.accept_noncommercial:
            raise ModelUnavailable(
                f"{name} is for non-commercial use only ({entry.licence}): set "
                "accept_noncommercial if yours is"
            )
        return entry

    def _file(self, name: str, entry: ModelEntry) -> PackFile:
        """The model's file, checked against the manifest's digest where it has one; notes the
        digest found.
        """
        if entry.brought:
            return self._brought(name, entry)
        path = model_path(name, self.settings.dir, self.manifest)
        if not path.is_file():
            raise ModelUnavailable(f"{name} is not in {path.parent}: run `encounter models pull`")
        found = sha256(path)
        if entry.sha256 not in (None, found):
            raise ModelUnavailable(
                f"{path.name}: digest {entry.sha256} expected, {found} found: pull it again"
            )
        self.digests[name] = found
        return PackFile(path)

    def _brought(self, name: str, entry: ModelEntry) -> PackFile:
        """A file that the user brings; notes its digest, and those of the files beside it that say
        how it is run.
        """
        folder = self.settings.dir.expanduser() / PACKS
        if entry.pack_task is None:
            file = find_single(folder, entry.pack, entry.pack_advice)
        else:
            pack = (self.settings.pack or Path()).expanduser()
            file = find_in_pack(folder / pack, entry.pack_task, entry.pack, entry.pack_advice)
        self.digests[name] = sha256(file.path)
        cuda = self.settings.runtime == "onnxruntime-cuda"
        self.runtimes[name] = f"{'onnxruntime-cuda' if cuda else 'onnxruntime'} f32"
        weights = file.path.with_suffix(".bin") if file.path.suffix == OPENVINO_FILE else None
        for beside in (file.manifest, weights):
            if beside is not None and beside.is_file():
                self.digests[f"{name} {beside.name}"] = sha256(beside)
        return file
