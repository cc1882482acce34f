"""Never 3: a question's picture shows nobody, for it may be a stranger; a reviewer sees them on
demand, one at a time, written down first and kept nowhere.
"""

from __future__ import annotations

import dataclasses
import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from decisions import decision_on
from demo_heads import BLIND, DEMO, alike, boxes, now
from stored_run import empty_outcome, store_table
from subject_case import subject_case
from typer.testing import CliRunner

from benchmarks.redaction.heads import head_mask
from data_contracts import object_key
from data_contracts.audit import read_link
from data_contracts.errors import NotAuthorised, StoreError
from data_contracts.policy import SearchSettings
from data_contracts.run import Run, RunManifest, StageResult
from data_contracts.tables.contracts import (
    CONTACTS,
    ENCOUNTER_POINTS,
    MEMBERS,
    PERSONS,
    SEGMENT_REPORTS,
    SIGHTINGS,
    TRACKS,
)
from flows.cases import look
from flows.cases.filing import store_case
from flows.cases.look import look_at_question
from flows.cases.throwaway import papers
from flows.cases.withdraw import mark_withdrawn
from flows.cli.main import app
from flows.runtime.environment import Environment
from flows.stages import publish
from flows.stages.published import put_published
from infra.audit_log import AuditLog
from infra.store import ObjectStore
from tasks.footage import reading
from tasks.people.decided import Settled, settled_tracks
from tasks.people.subject import sight
from tasks.redaction.plan import plan_pictures, question_job
from tasks.redaction.redact import RedactSettings, levels_to_hide
from tasks.redaction.who_is_where import locate
from tasks.search.itinerary import read_itinerary

SETTINGS = RedactSettings()
CAMERA = "entrance"
SEGMENT = f"{CAMERA}/2026-11-16/00/00.00.mp4"
START = datetime(2026, 11, 16, tzinfo=UTC)
# A bystander alone at the entrance for two seconds, and how they are asked about.
ASKED = "N2"
_numbers = itertools.count(1)


def tracks() -> pd.DataFrame:
    """The true boxes of the first half minute at the entrance as tracks; the bystander's is 1."""
    table = boxes(CAMERA)
    table = table[table["t_utc"] < pd.Timestamp(START) + pd.Timedelta(seconds=30)].reset_index(
        drop=True
    )
    names = sorted(set(table["person"]) - {ASKED})
    numbers = {ASKED: 1} | {name: i + 2 for i, name in enumerate(names)}
    return TRACKS.shape(
        table.assign(
            camera_id=CAMERA, track_id=table["person"].map(numbers), score=0.8, foot_hidden=False
        )
    )


def question(**changes: object) -> pd.DataFrame:
    """SIGHTINGS: the bystander's track, put as a question."""
    own = tracks().query("track_id == 1")["t_utc"]
    row = {
        "sighting_id": "S-01",
        "camera_id": CAMERA,
        "track_id": 1,
        "start_utc": own.min(),
        "end_utc": own.max(),
        "probability": 0.6,
        "band": "question",
        "basis": "face",
        "n_faces": 1,
        "review": "unreviewed",
    }
    return SIGHTINGS.shape([row | changes])


def test_a_question_s_own_picture_shows_nobody() -> None:
    """The picture that a run makes of a question has no subject: the person asked about is as
    hidden as anybody; one whom two reviewers confirmed is shown.
    """
    none = (CONTACTS.empty(), ENCOUNTER_POINTS.empty(), tracks(), MEMBERS.empty())
    (asked,) = plan_pictures(question(), *none)
    (confirmed,) = plan_pictures(question(review="confirmed"), *none)
    assert (asked.subject_tracks, confirmed.subject_tracks) == ((), (1,))
    data = (DEMO / "footage" / SEGMENT).read_bytes()
    start = START
    taken = [f for f in reading.frames(data, start) if asked.start_utc <= f.t_utc <= asked.end_utc]
    shown = []
    for job in (asked, confirmed):
        places = locate(taken, tracks(), job.subject_tracks, BLIND, SETTINGS)
        for frame, place in zip(taken, places, strict=True):
            levels = levels_to_hide(frame.image, place.subject, place.others, None, SETTINGS)
            shown.append((levels == 0).any())
    assert shown == [False] * len(taken) + [True] * len(taken)


def test_whom_clothes_tell_is_shown_to_nobody() -> None:
    """However likely: somebody else may wear the same. Reviewers confirm, then it is shown."""
    none = (CONTACTS.empty(), ENCOUNTER_POINTS.empty(), tracks(), MEMBERS.empty())
    likely = {"probability": 0.99, "band": "high"}
    (by_face,) = plan_pictures(question(**likely), *none)
    (by_looks,) = plan_pictures(question(**likely, basis="looks"), *none)
    (confirmed,) = plan_pictures(question(basis="looks", review="confirmed"), *none)
    assert by_face.subject_tracks == confirmed.subject_tracks == (1,)
    assert by_looks.subject_tracks == ()


def test_whom_reviewers_rejected_is_a_bystander_in_every_picture() -> None:
    """Whose face was taken for the subject's, surely: shown, until two reviewers say no. Then no
    picture of the run has them as its subject, on this camera or joined with the subject's person.
    """
    matched = tracks().assign(face_px=60.0, mask_p=0.1)
    matched["subject_p"] = matched["track_id"].map({1: 0.99, 2: 0.98})
    own = {number: matched[matched["track_id"] == number] for number in (1, 2)}
    one_person = [{"person_id": "P-1", "camera_id": CAMERA, "track_id": n} for n in own]
    rejected = settled_tracks(matched, [decision_on(own[1], verdict="reject")])

    def shown(members: pd.DataFrame, settled: Settled) -> set[int]:
        found, named = sight(subject_case(), matched, members, SearchSettings(), settled=settled)
        jobs = plan_pictures(found, CONTACTS.empty(), ENCOUNTER_POINTS.empty(), matched, named)
        return {number for job in jobs for number in job.subject_tracks}

    assert 1 in shown(MEMBERS.shape(one_person), Settled())
    assert 1 not in shown(MEMBERS.empty(), rejected)
    assert shown(MEMBERS.shape(one_person), rejected) == set()


@pytest.fixture
def env(env: Environment) -> Environment:
    """A site with the demo's cameras and one segment of footage."""
    env.store.put(object_key.FOOTAGE, SEGMENT, (DEMO / "footage" / SEGMENT).read_bytes())
    return env


@pytest.fixture
def case_id(env: Environment) -> str:
    """A case with a finished run whose one sighting is a question."""
    case_id = f"K-LOOK-{next(_numbers):03d}"
    visits = read_itinerary((DEMO / "itinerary.csv").read_text())
    filed = papers(env, case_id, visits, {"a.jpg": b"picture"}, "demo-short", "test")
    store_case(env, filed)
    vault = env.cases.open(case_id)
    run = Run(case_id=case_id, run_id="20261116T090000Z-ab12cd", salt="0" * 32, policy="demo-short")
    start = START
    report = {
        "key": SEGMENT,
        "etag": env.store.stat(object_key.FOOTAGE, SEGMENT).etag,
        "camera_id": CAMERA,
        "start_utc": start,
        "end_utc": start + timedelta(seconds=30),
        "n_frames": 150,
        "kind": "",
        "fault": "",
        "advice": "",
    }
    people = {
        "tracks": store_table(vault, TRACKS, tracks()),
        "persons": store_table(vault, PERSONS),
        "members": store_table(vault, MEMBERS),
        "sightings": store_table(vault, SIGHTINGS, question()),
    }
    followed = {"reports": store_table(vault, SEGMENT_REPORTS, [report])}
    outcome = empty_outcome(run).model_copy(
        update={
            "people": StageResult(stage="people", digest="d", tables=people),
            "followed": StageResult(stage="followed", digest="d", tables=followed),
        }
    )
    manifest = RunManifest(
        run_id=run.run_id,
        policy="demo-short@1",
        created_utc=filed.request.filed_utc,
        artefacts=(),
        result=outcome,
    )
    vault.put(publish.manifest_key(run), manifest.model_dump_json().encode())
    put_published(vault, run, manifest.policy)
    return case_id


def looks(env: Environment, case_id: str) -> list[tuple[str, ...]]:
    """What the audit log says was looked at."""
    entries = [read_link(e.data).entry for e in env.audit_log.read() if e.data]
    return [e.objects for e in entries if (e.case_id, e.action) == (case_id, "look")]


def objects(env: Environment, case_id: str) -> list[tuple[str, str]]:
    """Names and digests of everything that the store has of a case."""
    return [(o.key, o.etag) for o in env.store.list(object_key.CASES, f"{case_id}/")]


@pytest.mark.stack
def test_a_reviewer_sees_one_question_and_nothing_is_kept(
    env: Environment, case_id: str, tmp_path: Path
) -> None:
    """The command writes a picture of the person asked about to a private file; the store has
    nothing new, and the audit log has the look.
    """
    before = objects(env, case_id)
    out = tmp_path / "s-01.jpg"
    ran = CliRunner().invoke(app, ["case", "look", case_id, "S-01", "--out", str(out)])
    assert ran.exit_code == 0, ran.output
    assert out.stat().st_mode & 0o777 == 0o600
    assert objects(env, case_id) == before
    assert looks(env, case_id) == [("S-01",)]
    drawn = cv2.imdecode(np.frombuffer(out.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    start = START
    job = question_job(question().to_dict("records")[0], tracks())
    assert job is not None
    clean = [
        f
        for f in reading.frames((DEMO / "footage" / SEGMENT).read_bytes(), start)
        if job.start_utc <= f.t_utc <= job.end_utc
    ]
    found = []
    for frame in clean:
        rows = [r for r in now(CAMERA, frame.t_utc).itertuples() if r.person == ASKED]
        head = head_mask(rows[0], frame.image.shape[:2])
        found.append(alike(frame.image, drawn, head))
    assert max(found) > 0.8
    again = CliRunner().invoke(app, ["case", "look", case_id, "S-01", "--out", str(out)])
    assert again.exit_code != 0
    assert len(looks(env, case_id)) == 1


@pytest.mark.stack
def test_no_look_without_consent_audit_or_a_question(
    env: Environment, case_id: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nothing is decoded for a sighting that is none, when the log cannot be written, and after the
    withdrawal.
    """
    monkeypatch.setattr(look, "rendered", lambda *_: pytest.fail("footage was decoded"))
    out = tmp_path / "x.jpg"
    ran = CliRunner().invoke(app, ["case", "look", case_id, "S-07", "--out", str(out)])
    assert "S-01" in str(ran.exception or ran.output)
    assert not out.exists()
    nowhere = ObjectStore(
        env.settings.s3.model_copy(update={"endpoint": "127.0.0.1:9", "retries": 0})
    )
    mute = dataclasses.replace(env, audit_log=AuditLog(nowhere, env.settings, env.audit_log.key))
    with pytest.raises(StoreError):
        look_at_question(mute, case_id, "S-01")
    mark_withdrawn(env, case_id)
    with pytest.raises(NotAuthorised, match="withdrawn"):
        look_at_question(env, case_id, "S-01")
    assert looks(env, case_id) == []
