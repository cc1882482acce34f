"""Never 1 and 2 with the looks of the day: nothing of them is computed where consent and approval
do not both name the appearance, and nobody's description outlives the comparison.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Sequence
from types import SimpleNamespace
from typing import cast

import numpy as np
import pandas as pd
import pytest
from drawn_clothes import GREEN, GREY, SUBJECT, drawn, only
from subject_case import derive, subject_case

from data_contracts.errors import BadInput, EncounterError, NotAuthorised
from data_contracts.policy import SearchSettings
from data_contracts.tables.contracts import SEGMENTS, SIGHTINGS, TRACKS
from flows.runtime.segment_job import scan_looks_unit
from flows.stages import looks as stages
from models.interface import Boxes
from models.registry import Models
from models.score_calibration import BodyCalibration
from tasks.footage.segment import SegmentInput
from tasks.observe import follow, looks, scan
from tasks.observe.match import SubjectSearch

FACE_ONLY = subject_case(scopes=("face",))
BOTH = subject_case(scopes=("face", "appearance"))


def learnt() -> looks.DayLooks:
    """The looks of a drawn subject."""
    made = looks.build_looks(BOTH, [only(drawn((GREEN, SUBJECT)), 1)], derive)
    assert made is not None
    return made


def test_face_only_computes_nothing_of_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every way to a description of a body is watched: none is gone under a face-only consent, and
    the stages end before they read footage.
    """
    template = learnt()

    def never(*_given: object) -> None:
        raise AssertionError("a body was looked at")

    for name in ("describe_clothes", "_crops", "_cut", "key_frames"):
        monkeypatch.setattr(looks, name, never)
    monkeypatch.setattr(stages, "followed_segment", never)
    monkeypatch.setattr(stages, "in_order", never)
    with pytest.raises(NotAuthorised, match="appearance"):
        looks.build_looks(FACE_ONLY, [], derive)
    with pytest.raises(NotAuthorised, match="appearance"):
        looks.compare_looks(FACE_ONLY, drawn((SUBJECT,)), template)
    work = SimpleNamespace(case=SimpleNamespace(authorised=FACE_ONLY))
    segment = {"camera_id": "a", "key": "k", "etag": "e", "size_bytes": 1}
    segments = SEGMENTS.shape([segment | {"start_utc": pd.Timestamp("2026-11-16T09:00:00Z")}])
    learn = stages.learn_looks.function
    made = learn(work, SIGHTINGS.empty(), TRACKS.empty(), segments, template="t")
    assert len(made) == 0
    assert len(stages.compare_all.function(work, segments, template="t", learnt="l")) == 0
    scanned = stages.scan_for_looks.function
    assert len(scanned(work, segments, SEGMENTS.empty(), template="t", learnt="l")) == 0
    with pytest.raises(NotAuthorised, match="appearance"):
        scan_looks_unit.function(work, looks="l", camera_id="a")


def test_face_only_scans_for_no_bodies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where bodies stand on key frames is kept under the appearance scope alone."""
    body = Boxes(np.array([[60, 100, 130, 310]], np.float32), np.array([0.9], np.float32))
    models = SimpleNamespace(person=SimpleNamespace(detect=lambda images: [body for _ in images]))
    monkeypatch.setattr(scan, "_found_faces", lambda *_: [])
    footage = drawn((SUBJECT,))
    segment = SegmentInput(footage.camera, "k", footage.start_utc, footage.data)
    found = {
        case: scan.scan_segment(
            segment, SubjectSearch(case, None, cast(Models, models), SearchSettings())
        ).bodies
        for case in (FACE_ONLY, BOTH)
    }
    assert found[FACE_ONLY].empty
    assert len(found[BOTH]) == 1
    assert found[BOTH][["face_px", "mask_p", "subject_p", "masked_llr"]].isna().all(axis=None)


def test_a_camera_that_is_not_named_is_not_compared() -> None:
    """The scope is there, the camera is not."""
    case = subject_case(scopes=("face", "appearance"), cameras=("a",))
    with pytest.raises(NotAuthorised, match="camera b"):
        looks.compare_looks(case, drawn((SUBJECT,), "b"), learnt())
    with pytest.raises(NotAuthorised, match="camera b"):
        looks.build_looks(case, [drawn((SUBJECT,), "b")], derive)


def test_looks_of_another_case_are_refused() -> None:
    """What was learnt under one consent is of no use under another."""
    other = subject_case("K-2026-0043", scopes=("face", "appearance"))
    with pytest.raises(NotAuthorised, match="another case"):
        looks.compare_looks(other, drawn((SUBJECT,)), learnt())


def test_no_description_outlives_the_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each description that is made is remembered: after the comparison none is alive or in what it
    gave, which is one number a body; nor after one that failed.
    """
    template = learnt()
    made_of: list[weakref.ref[np.ndarray]] = []
    describe = looks.describe_clothes

    def watched(*given: object) -> np.ndarray:
        made = describe(*given)
        made_of.append(weakref.ref(made))
        return made

    monkeypatch.setattr(looks, "describe_clothes", watched)
    table = looks.compare_looks(BOTH, drawn((GREEN, SUBJECT, GREY), "b"), template)
    assert len(made_of) > 2
    assert list(table.columns) == ["camera_id", "t_utc", "x0", "y0", "x1", "y1", "llr"]
    assert table["llr"].dtype == np.float64
    monkeypatch.setattr(BodyCalibration, "log_ratio", lambda *_: 1 / 0)
    with pytest.raises(EncounterError) as failure:
        looks.compare_looks(BOTH, drawn((GREEN, SUBJECT, GREY), "b"), template)
    assert failure.value.__context__ is None
    gc.collect()
    assert [made() for made in made_of if made() is not None] == []


class Watched:
    """An appearance model whose every vector is remembered."""

    def __init__(self) -> None:
        self.made: list[weakref.ref[np.ndarray]] = []

    def embed(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        """Mean colours of quarters from head to feet, as rows of length 1."""
        parts = [[q.mean((0, 1)) for q in np.array_split(crop, 4)] for crop in crops]
        vectors = np.asarray(parts, np.float32).reshape(len(crops), -1) - 100
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        self.made.append(weakref.ref(vectors))
        return vectors


def test_no_vector_of_a_network_outlives_the_comparison() -> None:
    """With `models.appearance` too: nothing is asked of the network without the scope, what it made
    is gone after the comparison, and one number a body comes out, of which the subject's is first.
    """
    network = Watched()
    calibration = BodyCalibration(slope=2.0, offset=-4.0, bound=3.0, data="drawn")
    by_network = looks.Describer(network, calibration)
    with pytest.raises(NotAuthorised, match="appearance"):
        looks.build_looks(FACE_ONLY, [drawn((SUBJECT,))], derive, by_network)
    assert network.made == []
    template = looks.build_looks(BOTH, [only(drawn((GREEN, SUBJECT)), 1)], derive, by_network)
    assert template is not None
    table = looks.compare_looks(BOTH, drawn((GREEN, SUBJECT, GREY), "b"), template, by_network)
    assert table.groupby("x0")["llr"].mean().idxmax() == 180.0
    assert table.shape[1] == 7
    gc.collect()
    assert len(network.made) >= 2
    assert [made() for made in network.made if made() is not None] == []
    with pytest.raises(BadInput, match=r"another models\.appearance"):
        looks.compare_looks(BOTH, drawn((SUBJECT,), "b"), template)


def test_without_the_face_scope_no_face_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Following and scanning under a consent to the appearance alone: people are found, no face is
    searched for, and nothing is said of any.
    """

    def never(*_given: object) -> None:
        raise AssertionError("a face was looked for")

    for module in (follow, scan):
        monkeypatch.setattr(module, "find_faces", never)
        monkeypatch.setattr(module, "match", never)
    body = Boxes(np.array([[60, 100, 130, 310]], np.float32), np.array([0.9], np.float32))
    models = SimpleNamespace(person=SimpleNamespace(detect=lambda images: [body for _ in images]))
    case = subject_case(scopes=("appearance",))
    search = SubjectSearch(case, None, cast(Models, models), SearchSettings())
    footage = drawn((SUBJECT,))
    segment = SegmentInput(footage.camera, "k", footage.start_utc, footage.data)
    people = follow.follow_segment(segment, search).detections
    assert len(people) > 5
    assert people[["face_px", "mask_p", "subject_p", "masked_llr"]].isna().all(axis=None)
    assert scan.scan_segment(segment, search).candidates.empty
