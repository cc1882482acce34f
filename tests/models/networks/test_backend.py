"""Backends: what the manifest names is registered, and what is registered does its role's work."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from data_contracts.errors import ModelUnavailable
from models import interface, registry
from models.files.manifest import Manifest, read_manifest
from models.files.pack_files import PackFile
from models.networks.backend import BACKENDS, Setup, backend
from models.registry import detector_scores, known_models
from models.settings import ModelSettings
from tasks.people.track import TrackSettings
from tasks.redaction.redact import RedactSettings

INTERFACES = {
    "person": interface.PersonDetector,
    "face": interface.FaceDetector,
    "embedder": interface.FaceEmbedder,
    "appearance": interface.AppearanceEmbedder,
    "mask": interface.MaskClassifier,
}
ALL = [(role, loader) for role, known in BACKENDS.items() for loader in known]


class Nothing:
    """A backend that finds nothing."""

    @classmethod
    def load(cls, setup: Setup) -> Any:
        """Made from anything."""
        return cls()


@pytest.fixture
def own_backends() -> Iterator[None]:
    """What a test registers is forgotten after it."""
    before = {role: dict(known) for role, known in BACKENDS.items()}
    yield
    for role, known in before.items():
        BACKENDS[role].clear()
        BACKENDS[role].update(known)


def changed(monkeypatch: pytest.MonkeyPatch, name: str, **fields: Any) -> None:
    """The registry reads a manifest with one entry changed."""
    known = read_manifest()
    entry = known.models[name].model_copy(update=fields)
    manifest = Manifest(models={**known.models, name: entry})
    monkeypatch.setattr(registry, "read_manifest", lambda: manifest)


def test_every_loader_of_the_manifest_is_registered_and_used() -> None:
    """The manifest and the registered backends name each other: none is unknown, none is dead."""
    used = {(entry.role, entry.loader) for entry in known_models().models.values()}
    assert used == set(ALL)


@pytest.mark.parametrize(("role", "loader"), ALL)
def test_every_backend_has_what_its_role_promises(role: str, loader: str) -> None:
    """The methods of the role's interface are there; their answers are tested with each network."""
    made = BACKENDS[role][loader]
    promised = [n for n in vars(INTERFACES[role]) if not n.startswith("_")]
    assert promised
    assert not [n for n in promised if not hasattr(made, n)]


def test_an_unknown_loader_is_answered_with_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """A typing error in the manifest is found before any file is looked for."""
    changed(monkeypatch, "nanodet", loader="nanodett")
    with pytest.raises(
        ModelUnavailable, match=r"no backend nanodett for person; registered: .*nano"
    ):
        registry.load_person(ModelSettings(dir=Path("/nowhere")))


def test_a_loader_of_another_role_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """A face detector cannot be loaded as the person detector."""
    changed(monkeypatch, "nanodet", loader="centerface")
    with pytest.raises(ModelUnavailable, match="no backend centerface for person"):
        known_models()


def test_a_name_is_taken_once(own_backends: None) -> None:
    """Two classes cannot share a name; the same one may be registered again."""
    backend("person", "nothing")(Nothing)
    backend("person", "nothing")(Nothing)
    with pytest.raises(ValueError, match="already Nothing"):
        backend("person", "nothing")(type("Other", (Nothing,), {}))


def test_a_missing_number_is_named() -> None:
    """A backend that wants what the manifest does not give says so."""
    entry = read_manifest().entry("insightface-reid")
    setup = Setup("insightface-reid", entry, PackFile(Path("x")), "onnxruntime", 1)
    with pytest.raises(ModelUnavailable, match="insightface-reid: the manifest has no threshold"):
        setup.threshold("score")
    with pytest.raises(ModelUnavailable, match="does not describe its input"):
        _ = setup.input


def test_scores_are_the_chosen_detectors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tracking and redaction judge by the scale of the detector that was chosen, without loading
    it; without a choice by the default's.
    """
    person, face = detector_scores()
    assert TrackSettings.of(person) == TrackSettings()
    assert RedactSettings.of(person, face) == RedactSettings()
    shy = person.model_copy(update={"sure": 0.8, "hidden": 0.05})
    changed(monkeypatch, "insightface-person", person_scores=shy)
    chosen, _ = detector_scores(ModelSettings(person="insightface-person", dir=Path("/nowhere")))
    assert TrackSettings.of(chosen).high_score == 0.8
    assert RedactSettings.of(chosen, face).person_score == 0.05


def test_the_registry_starts_without_a_runtime() -> None:
    """Who only asks for names does not pay for ONNX Runtime, OpenVINO and InsightFace."""
    code = (
        "import sys, models.registry as r; r.known_models();"
        "print([m for m in ('onnx', 'onnxruntime', 'openvino', 'insightface', 'torch') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
