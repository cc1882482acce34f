"""Never 2: no one but the subject is recognised; other people's features exist only inside the comparison."""

from __future__ import annotations

import ast
import dataclasses
import gc
import pickle
import weakref
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from demo_frames import PICTURES, frames_at
from subject_case import derive, subject_case
from walk_scene import observe, site, straight, two_cameras

from data_contracts.errors import NotAuthorised
from data_contracts.policy import SearchSettings
from data_contracts.tables import ALL
from models.registry import load
from tasks.heads import find_faces
from tasks.join import join
from tasks.match import Verdicts, match
from tasks.template import build_template
from tasks.track import track

ROOT = Path(__file__).parents[2]
COMPARES = {"tasks/match.py", "tasks/template.py"}


def test_only_the_comparison_and_the_template_make_features() -> None:
    """No module outside models/ but match and template calls an embedder."""
    callers = set()
    for layer in ("tasks", "flows", "infra"):
        for path in (ROOT / layer).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Attribute) and node.attr in ("embed", "embed_and_mask", "embedder"):
                    callers.add(str(path.relative_to(ROOT)))
    assert callers <= COMPARES


def test_no_table_has_a_place_for_a_feature() -> None:
    """No contract has a column of lists: an embedding could not be stored if someone tried."""
    assert not [(c.name, k.name) for c in ALL for k in c.columns if k.kind == "list"]
    assert {f.name for f in dataclasses.fields(Verdicts)} == {"subject_p", "mask_p", "compared"}


def test_strangers_get_no_answer_and_their_features_die(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of faces that are not the subject's nothing comes back but NaN, and no feature array outlives the call."""
    models, case = load(), subject_case()
    template = build_template(case, PICTURES, models, derive)
    image, boxes, people = frames_at("entrance", "01.30", 17.0)
    faces = find_faces(image, boxes, models.face, 32)
    assert faces, "the test needs a stranger's face"
    made: list[weakref.ref] = []
    real = type(models).embed_and_mask

    def watched(self, images, landmarks):
        vectors, masks = real(self, images, landmarks)
        made.append(weakref.ref(vectors))
        return vectors, masks

    monkeypatch.setattr(type(models), "embed_and_mask", watched)
    verdicts = match(case, template, [image] * len(faces), faces, models, SearchSettings(propose_probability=0.9))
    assert made
    assert "S" not in {people[f.person] for f in faces}
    assert np.isnan(verdicts.subject_p).all()
    gc.collect()
    assert all(ref() is None for ref in made), "a feature array is still alive after the comparison"
    assert len(pickle.dumps(verdicts)) < 1000, "what travels is too small to hold a feature"


def test_another_case_s_template_is_refused() -> None:
    """A template of one case cannot be compared in another: nobody is linked across cases."""
    models = load()
    template = build_template(subject_case("K-OTHER-1"), PICTURES, models, derive)
    with pytest.raises(NotAuthorised):
        match(subject_case("K-2026-0042"), template, [], [], models, SearchSettings())


def test_people_are_joined_without_looks() -> None:
    """Shuffling everything that comes from a face changes no join: position and time alone decide."""
    cameras = two_cameras()
    walkers = {"p": (1.7, straight((2.0, 2.0), (7.0, 5.0), 0.0)), "q": (1.6, straight((7.0, 2.0), (2.0, 6.0), 0.0))}
    found, _ = observe(cameras, walkers, 4, np.random.default_rng(0))
    tracks = pd.concat([track(found, c) for c, _ in cameras], ignore_index=True)
    looks = tracks.copy()
    rng = np.random.default_rng(1)
    for column in ("face_px", "subject_p", "mask_p"):
        looks[column] = rng.random(len(looks))
    place = site(*(c for c, _ in cameras))
    plain = join(tracks, place, np.random.default_rng(0))[1]
    shuffled = join(looks, place, np.random.default_rng(0))[1]
    pd.testing.assert_frame_equal(plain.drop(columns="subject_p"), shuffled.drop(columns="subject_p"))


def test_anonymous_numbers_differ_between_runs() -> None:
    """A person's number in one run says nothing in another."""
    cameras = two_cameras()
    found, _ = observe(cameras, {"p": (1.7, straight((2.0, 2.0), (7.0, 5.0), 0.0))}, 4, np.random.default_rng(0))
    tracks = pd.concat([track(found, c) for c, _ in cameras], ignore_index=True)
    place = site(*(c for c, _ in cameras))
    first = set(join(tracks, place, np.random.default_rng(1))[1]["person_id"])
    second = set(join(tracks, place, np.random.default_rng(2))[1]["person_id"])
    assert first.isdisjoint(second)
