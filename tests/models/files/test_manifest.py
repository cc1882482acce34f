"""The manifest keeps its promises: free defaults, pinned digests, a model card for everything."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from data_contracts.errors import ModelUnavailable
from models.files.checksum import sha256
from models.files.manifest import ROLES, Manifest, ModelEntry, packaged_file, read_manifest
from models.files.pull import default_names

CARDS = Path(__file__).parents[3] / "docs" / "models"
MODELS = read_manifest().models


@pytest.mark.parametrize("role", [r for r in ROLES if r != "appearance"])
def test_every_role_has_a_default_that_may_be_used_commercially(role: str) -> None:
    """Production needs no licence that it does not have; appearance has no default on purpose."""
    defaults = [n for n, e in MODELS.items() if e.role == role and e.default]
    assert len(defaults) == 1
    assert MODELS[defaults[0]].commercial_use


def test_noncommercial_cannot_become_a_default() -> None:
    """The rule is in the type, not in a review."""
    bad = MODELS["insightface-scrfd"].model_dump() | {"default": True}
    with pytest.raises(ValidationError, match="commercial"):
        Manifest(models={"x": ModelEntry.model_validate(bad)})


@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_model_has_a_card(name: str) -> None:
    """docs/models/<name>.md exists and names the licence."""
    card = (CARDS / f"{name}.md").read_text(encoding="utf-8")
    assert "licence" in card.lower()


@pytest.mark.parametrize("name", sorted(n for n, e in MODELS.items() if not e.brought))
def test_what_is_pulled_is_pinned(name: str) -> None:
    """Sources and the converted file have digests; a packaged file has the one named."""
    entry = MODELS[name]
    assert entry.sha256
    assert all(len(digest) == 64 for digest in entry.files.values())
    if entry.packaged:
        assert sha256(packaged_file(entry)) == entry.sha256
    else:
        assert entry.sources


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("nanodet", {"convert": "caffe"}, "caffe is not a conversion; known: copy, nanodet"),
        ("nanodet", {"person_scores": None}, "person_scores belong"),
        ("centerface", {"face_scores": None}, "face_scores belong"),
        ("faceres", {"face_scores": {"hidden": 0.3}}, "face_scores belong"),
    ],
)
def test_an_entry_is_whole(name: str, change: dict, message: str) -> None:
    """A conversion that nobody wrote and a detector whose scores mean nothing are found at
    reading.
    """
    with pytest.raises(ValidationError, match=message):
        ModelEntry.model_validate(MODELS[name].model_dump() | change)


def test_a_model_comes_after_what_it_needs() -> None:
    """Pulling the defaults brings the network that the mask classifier works on."""
    names = default_names()
    assert names.index(str(MODELS["mask-faceres"].needs)) < names.index("mask-faceres")


def test_unknown_name_lists_the_known_ones() -> None:
    """A typing error in a setting is answered with the names there are."""
    with pytest.raises(ModelUnavailable, match="nanodet"):
        read_manifest().entry("nanodett")
