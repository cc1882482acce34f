"""The models a run uses, loaded once a process.

`load(settings)` never downloads: what is missing is a ModelUnavailable that says to pull it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from pydantic import Field

from data_contracts.errors import ModelUnavailable
from data_contracts.record import Record
from models.files.checksum import sha256
from models.files.manifest import ROLES, Manifest, ModelEntry, ModelInput, Role, read_manifest
from models.files.pack_files import PackFile, find_in_pack, find_single
from models.files.pull import DEFAULT_CACHE, model_path
from models.interface import (
    AppearanceEmbedder,
    FaceDetector,
    FaceEmbedder,
    Floats,
    Image,
    MaskClassifier,
    PersonDetector,
)
from models.networks.centerface import CenterFace
from models.networks.dlib_resnet import DlibResNet
from models.networks.faceres import FaceRes, FaceResMask
from models.networks.insightface_pack import ArcFace, Scrfd
from models.networks.insightface_person import PackPerson, PackReid
from models.networks.nanodet import NanoDet
from models.networks.osnet import OsNet
from models.runtime import OPENVINO_FILE, Probe, RuntimeName, Session, session
from models.score_calibration import LogisticCalibration

# See `Probe`. A detector may round: boxes move by less than a pixel. An embedder may not: a case's
# template and faces are described on different machines, and their similarity must not depend on
# which.
_DETECTOR_TOLERANCE = 0.1
_EMBEDDER_TOLERANCE = 0.02
# Folder of the cache in which files that a user brings are looked for.
PACKS = "packs"


class ModelSettings(Record):
    """Which models to use and how. A role left None takes the manifest's default; appearance has
    none.

    `person_size` is the person detector's canvas (width, height) in px, multiples of 32. `pack` is
    the folder of the InsightFace pack that the entries of that kind read: a path, or a name below
    the cache's `packs`; None where that has only one. `accept_noncommercial` says that the user's
    purpose allows models whose licence is for non-commercial use only.
    """

    cache: Path = DEFAULT_CACHE
    runtime: RuntimeName = "auto"
    threads: int = Field(default=1, ge=1)
    person: str | None = None
    face: str | None = None
    embedder: str | None = None
    appearance: str | None = None
    mask: str | None = None
    person_size: tuple[int, int] | None = None
    pack: Path | None = None
    accept_noncommercial: bool = False


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

    def embed_and_mask(
        self, images: Sequence[Image], landmarks: Sequence[Floats]
    ) -> tuple[Floats, Floats]:
        """Embeddings (n, d) and mask probabilities (n,) of faces; one pass where both share a
        network.
        """
        if isinstance(self.mask, FaceResMask) and self.mask.backbone is self.embedder:
            return self.mask.embed_and_mask(images, landmarks)
        return self.embedder.embed(images, landmarks), self.mask.probability(images, landmarks)


@lru_cache(maxsize=4)
def load(settings: ModelSettings | None = None) -> Models:
    """The process's models for these settings.

    Raises ModelUnavailable when a file is missing or changed, a name is unknown or has another
    role, or a licence for non-commercial use only was not accepted.
    """
    return _Loader(settings or ModelSettings(), read_manifest()).load()


def load_person(settings: ModelSettings | None = None) -> PersonDetector:
    """The person detector alone: for work that has no business with faces. Raises ModelUnavailable
    like `load`.
    """
    return _Loader(settings or ModelSettings(), read_manifest()).person()


class _Loader:
    def __init__(self, settings: ModelSettings, manifest: Manifest) -> None:
        self.settings = settings
        self.manifest = manifest
        self.digests: dict[str, str] = {}
        self.runtimes: dict[str, str] = {}
        self.cuda = settings.runtime == "onnxruntime-cuda"

    def load(self) -> Models:
        for role in (
            ROLES
        ):  # names and licences first: cheap, and the first thing that a user has to put right
            if role != "appearance" or self.settings.appearance:
                self._entry(self._name(role), role)
        embedder_name = self._name("embedder")
        mask_name = self._name("mask")
        calibration = self.manifest.entry(embedder_name).calibration
        if calibration is None:
            raise ModelUnavailable(
                f"{embedder_name} has no calibration in the manifest: it cannot search"
            )
        embedder = self._embedder(embedder_name)
        loaded = Models(
            self.person(),
            self._face(),
            embedder,
            self._mask(mask_name, {embedder_name: embedder}),
            calibration,
            appearance=self._appearance(),
        )
        return replace(
            loaded, digests=dict(self.digests), runtimes=dict(self.runtimes)
        )  # complete only now: each load notes its own

    def _name(self, role: Role) -> str:
        name = getattr(self.settings, role) or self.manifest.default(role)
        if name is None:
            raise ModelUnavailable(f"no model for {role}: name one in the settings")
        return str(name)

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

    def _file(self, name: str) -> Path:
        """The model's file, checked against the manifest's digest where it has one; notes the
        digest found.
        """
        entry = self.manifest.entry(name)
        if entry.brought:
            return self._brought(name).path
        path = model_path(name, self.settings.cache, self.manifest)
        if not path.is_file():
            raise ModelUnavailable(f"{name} is not in {path.parent}: run `encounter models pull`")
        found = sha256(path)
        if entry.sha256 not in (None, found):
            raise ModelUnavailable(
                f"{path.name}: digest {entry.sha256} expected, {found} found: pull it again"
            )
        self.digests[name] = found
        return path

    def _brought(self, name: str) -> PackFile:
        """A file that the user brings; notes its digest, and those of the files beside it that say
        how it is run.
        """
        entry = self.manifest.entry(name)
        folder = self.settings.cache.expanduser() / PACKS
        if entry.pack_task is None:
            file = find_single(folder, entry.pack, entry.pack_advice)
        else:
            pack = (self.settings.pack or Path()).expanduser()
            file = find_in_pack(folder / pack, entry.pack_task, entry.pack, entry.pack_advice)
        self.digests[name] = sha256(file.path)
        self.runtimes[name] = f"{'onnxruntime-cuda' if self.cuda else 'onnxruntime'} f32"
        weights = file.path.with_suffix(".bin") if file.path.suffix == OPENVINO_FILE else None
        for beside in (file.manifest, weights):
            if beside is not None and beside.is_file():
                self.digests[f"{name} {beside.name}"] = sha256(beside)
        return file

    def _session(self, name: str, shape: tuple[int, ...], tolerance: float) -> Session:
        given = _input(name, self.manifest.entry(name))
        probe = Probe(shape, given.mean[1], given.std[1], tolerance)
        made = session(self._file(name), self.settings.runtime, self.settings.threads, probe)
        self.runtimes[name] = made.described
        return made

    def person(self) -> PersonDetector:
        name = self._name("person")
        entry = self._entry(name, "person")
        if entry.loader == "pack_person":
            return PackPerson(
                self._brought(name), self.settings.threads, self.cuda, entry.thresholds["score"]
            )
        given = _input(name, entry)
        width, height = self.settings.person_size or (given.width, given.height)
        if width % 32 or height % 32 or min(width, height) < 32:
            raise ModelUnavailable(
                f"person_size {width}x{height}: multiples of 32 expected, such as 640x384"
            )
        at = self._session(name, (1, 3, height, width), _DETECTOR_TOLERANCE)
        return NanoDet(
            at, given, (width, height), entry.thresholds["score"], entry.thresholds["overlap"]
        )

    def _face(self) -> FaceDetector:
        name = self._name("face")
        entry = self._entry(name, "face")
        score = entry.thresholds["score"]
        overlap = entry.thresholds["overlap"]
        if entry.loader == "scrfd":
            return Scrfd(self._brought(name), self.settings.threads, self.cuda, score, overlap)
        at = self._session(name, (1, 3, 160, 160), _DETECTOR_TOLERANCE)
        return CenterFace(at, _input(name, entry), score, overlap)

    def _embedder(self, name: str) -> FaceEmbedder:
        entry = self._entry(name, "embedder")
        least = entry.thresholds["min_face_px"]
        if entry.loader == "arcface":
            return ArcFace(self._brought(name), self.settings.threads, self.cuda, least)
        given = _input(name, entry)
        if entry.loader == "dlib_resnet":
            at = self._session(name, (1, 3, given.height, given.width), _EMBEDDER_TOLERANCE)
            return DlibResNet(at, given, least)
        return FaceRes(
            self._session(name, (1, given.height, given.width, 3), _EMBEDDER_TOLERANCE),
            given,
            least,
        )

    def _mask(self, name: str, loaded: dict[str, FaceEmbedder]) -> MaskClassifier:
        entry = self._entry(name, "mask")
        needed = str(entry.needs)
        backbone = loaded.get(needed) or self._embedder(needed)
        if not isinstance(backbone, FaceRes):
            raise ModelUnavailable(f"{name} works on faceres vectors, not on those of {needed}")
        return FaceResMask(backbone, self._file(name), entry.thresholds["min_face_px"])

    def _appearance(self) -> AppearanceEmbedder | None:
        name = self.settings.appearance
        if name is None:
            return None
        entry = self._entry(name, "appearance")
        if entry.loader == "pack_reid":
            return PackReid(self._brought(name), self.settings.threads, self.cuda)
        given = _input(name, entry)
        return OsNet(
            self._session(name, (1, 3, given.height, given.width), _EMBEDDER_TOLERANCE), given
        )


def _input(name: str, entry: ModelEntry) -> ModelInput:
    if entry.input is None:
        raise ModelUnavailable(f"{name}: the manifest does not describe its input")
    return entry.input
