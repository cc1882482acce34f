"""The main job over the real object store, Prefect server, worker and Dask cluster, on a minute of
footage.
"""

from __future__ import annotations

import io
import json
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
from desk_scene import Browser

from data_contracts import object_key
from data_contracts.audit import read_link
from data_contracts.errors import NotAuthorised
from data_contracts.run import Run
from data_contracts.tables.contracts import CONTACTS, ENCOUNTERS, GAPS, SIGHTINGS
from flows.cases.assignment import assign
from flows.cases.filing import Papers, store_case
from flows.cli.waiting import wait_for
from flows.desk.accounts import Accounts
from flows.runtime.environment import Environment
from flows.runtime.open_case import open_case
from flows.runtime.prefect_api import client, runs_of, start_reassessment
from flows.stages import publish
from flows.stages.operators import report_link
from flows.stages.published import last_run
from infra.case_store import CaseVault
from infra.stack_record import read_record
from tasks.artefacts.exports import EXPORTS
from tasks.audit.chain import verify

DEMO = Path(__file__).parents[2] / "demo"
RUN_ACTIONS = ("authorise", "run-started", "run-finished")
pytestmark = [pytest.mark.stack, pytest.mark.scenario]


def test_the_contact_is_found(traced: tuple[Environment, Papers, CaseVault, Run]) -> None:
    """Truth: the subject is at the entrance from 5 s and talks with A, unmasked, at 0.9 m from 13 s
    on.
    """
    _, _, vault, run = traced
    sightings = publish.read_table(vault, run, SIGHTINGS)
    assert "entrance" in set(sightings["camera_id"]), (
        "the subject passes the entrance face to camera"
    )
    assert {"lobby-a", "lobby-b"} & set(sightings["camera_id"]), (
        "followed by position into the lobby"
    )
    contacts = publish.read_table(vault, run, CONTACTS)
    assert len(contacts) == 1
    contact = contacts.iloc[0]
    assert contact["exposure_s"] > 30
    assert contact["min_m"] < 1.2
    assert contact["subject_mask"] in ("bare", "unknown")


def test_what_was_not_looked_at_is_told(traced: tuple[Environment, Papers, CaseVault, Run]) -> None:
    """The damaged segment and the hour without footage are rows, not silence."""
    _, _, vault, run = traced
    gaps = publish.read_table(vault, run, GAPS)
    damaged = gaps[(gaps["kind"] == "unreadable") & (gaps["camera_id"] == "corridor")]
    assert len(damaged) == 1
    late = gaps[
        (gaps["kind"] == "no_footage") & (gaps["start_utc"] >= pd.Timestamp("2026-11-16T00:30Z"))
    ]
    assert len(late) >= 1, "the claim an hour late has no footage"


def test_artefacts_are_whole_and_only_with_the_manifest(
    traced: tuple[Environment, Papers, CaseVault, Run], tmp_path: Path
) -> None:
    """Every artefact is there, opens with the case's key only, and nothing in the bucket is
    readable without it.
    """
    env, _, vault, run = traced
    folder = publish.fetch(vault, run, tmp_path / "out")
    names = {p.name for p in folder.rglob("*") if p.is_file()}
    assert {export.name for export in EXPORTS} <= names
    report = (folder / "report.html").read_text()
    assert "http://" not in report.replace("http://www.w3.org", "")
    assert "C-01" in report
    provenance = json.loads((folder / "provenance.json").read_text())
    assert provenance["models"]
    clear = [
        o.key
        for o in env.store.list(object_key.CASES, f"{vault.case_id}/")
        if not _sealed(env, o.key)
    ]
    assert clear == [object_key.wrapped_key(vault.case_id)]


def _sealed(env: Environment, key: str) -> bool:
    return env.store.get(object_key.CASES, key).startswith(b"ENCV")


def test_no_bystander_features_or_faces_are_kept(
    traced: tuple[Environment, Papers, CaseVault, Run], tmp_path: Path
) -> None:
    """No object of the case but the template holds an array of embedding size; pictures are
    redacted artefacts only.
    """
    _, _, vault, _ = traced
    sizes = {128, 512, 1024, 256}
    for item in vault.list():
        if (
            "/template/" in item.key
            or item.key == object_key.wrapped_key(vault.case_id)
            or "/reference/" in item.key
        ):
            continue
        data = vault.get(item.key)
        is_picture = data[:3] == b"\xff\xd8\xff" or data[:4] == b"\x89PNG" or data[4:8] == b"ftyp"
        assert not is_picture or "/pictures/" in item.key, item.key
        if item.key.endswith(".parquet"):
            table = pd.read_parquet(io.BytesIO(data))
            lists = [
                c for c in table.columns if any(isinstance(v, list | np.ndarray) for v in table[c])
            ]
            assert not lists, f"{item.key}: {lists}"
            assert len(table.columns) < 64, item.key
        if item.key.endswith(".json"):
            assert not _long_arrays(json.loads(data), sizes), item.key


def _long_arrays(value: object, sizes: set[int]) -> bool:
    if isinstance(value, dict):
        return any(_long_arrays(v, sizes) for v in value.values())
    if isinstance(value, list):
        numbers = all(isinstance(v, int | float) for v in value)
        return (numbers and len(value) in sizes) or any(_long_arrays(v, sizes) for v in value)
    return False


def test_operators_see_counts_and_gaps_but_no_person(
    traced: tuple[Environment, Papers, CaseVault, Run],
) -> None:
    """Prefect holds a summary, a gap table and a link for the case; no picture, no pseudonym, no
    embedding.
    """
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

    _, signed, vault, _ = traced
    with client() as api:
        wanted = ArtifactFilter(key=ArtifactFilterKey(like_=f"%{vault.case_id.lower()}%"))
        artifacts = api.read_artifacts(artifact_filter=wanted, limit=200)
        (run,) = [
            r for r in runs_of(vault.case_id) if r.state is not None and r.state.is_completed()
        ]
        logs = api.read_logs()
    text = json.dumps([str(a.data) for a in artifacts])
    assert {a.type for a in artifacts} >= {"markdown", "table"}
    for said in (text, "\n".join(log.message for log in logs), json.dumps(run.parameters)):
        assert "data:image" not in said
        assert signed.request.subject not in said
        assert "embedding" not in said.lower()
    assert run.parameters == {"case_id": vault.case_id, "again": False}


def test_no_log_holds_features_pictures_or_the_subject(
    traced: tuple[Environment, Papers, CaseVault, Run],
) -> None:
    """The logs of store, server, workers and desk have no row of numbers as long as a feature, no
    picture, no pseudonym.
    """
    env, signed, _, _ = traced
    logs = sorted(env.settings.paths.logs.glob("*.log"))
    assert len(logs) >= 5
    for path in logs:
        data = path.read_bytes()
        assert not re.search(rb"(-?\d+\.\d+(e-?\d+)?[\s,]+){64}", data), path.name
        assert not any(magic in data for magic in (b"\xff\xd8\xff", b"\x89PNG", b"data:image")), (
            path.name
        )
        assert f'"{signed.request.subject}"'.encode() not in data, path.name


def test_the_audit_log_tells_the_run_and_names_no_one(
    traced: tuple[Environment, Papers, CaseVault, Run],
) -> None:
    """Filing, start and end of the run stand in the log with their grounds, models and matches; the
    log is sound.

    No entry holds the subject's pseudonym, a signer, a picture, or a fraction: no measure of a
    person.
    """
    env, signed, vault, run = traced
    stored = list(env.audit_log.read())
    entries = [read_link(e.data).entry for e in stored if e.data]
    mine = [e for e in entries if e.case_id == vault.case_id and e.action in RUN_ACTIONS]
    assert [e.action for e in mine[:4]] == ["authorise", "authorise", "run-started", "run-finished"]
    assert [e.actor for e in mine[1:4]] == ["service:trace-case"] * 3
    started, ended = mine[2:4]
    assert started.run_id == ended.run_id == run.run_id
    assert started.models == ended.models != {}
    assert ended.outcome == "success"
    assert ended.matched == tuple(publish.read_table(vault, run, SIGHTINGS)["sighting_id"])
    assert ended.counts["contacts"] == 1
    assert len(set(ended.verified_by)) == 2
    for item in stored:
        assert item.data is not None
        for secret in (
            signed.request.subject,
            "throw-away",
            signed.consent.split(".")[1],
            "data:image",
        ):
            assert secret.encode() not in item.data, secret
        assert not _fractions(json.loads(item.data))
    key = env.audit_log.key
    assert key is not None
    assert not verify(
        ((e.sequence, e.data) for e in stored), [key.public], env.audit_log.witnessed()
    ).findings


def _fractions(value: object) -> list[float]:
    """All numbers of a JSON value that are not whole."""
    parts = (
        list(value.values())
        if isinstance(value, dict)
        else value
        if isinstance(value, list)
        else []
    )
    return [value] if isinstance(value, float) else [f for part in parts for f in _fractions(part)]


def test_another_policy_reads_no_video(traced: tuple[Environment, Papers, CaseVault, Run]) -> None:
    """Under a policy of 15 minutes the same encounters make no contact, and no segment is opened
    again.
    """
    env, _, vault, run = traced
    before = {
        o.key: o.last_modified for o in vault.list() if "/scan/" in o.key or "/follow/" in o.key
    }
    wait_for(str(start_reassessment(vault.case_id, "who")), limit_s=120)
    after = {
        o.key: o.last_modified for o in vault.list() if "/scan/" in o.key or "/follow/" in o.key
    }
    assert after == before
    second = last_run(open_case(vault.case_id, env).vault)
    assert second is not None
    assert second.run_id != run.run_id
    assert len(publish.read_table(vault, second, CONTACTS)) == 0
    assert len(publish.read_table(vault, second, ENCOUNTERS)) == len(
        publish.read_table(vault, run, ENCOUNTERS)
    )


def test_a_killed_worker_changes_nothing(
    traced: tuple[Environment, Papers, CaseVault, Run], new_papers: Callable[..., Papers]
) -> None:
    """SIGKILL of a Dask worker while segments are followed: the same contacts come out."""
    from flows.trace_case import trace_case

    env, _, vault, run = traced
    first = open_case(vault.case_id, env).vault
    papers = new_papers()
    store_case(env, papers)
    killed: list[int] = []
    killer = threading.Thread(
        target=_kill_when_following, args=(env, papers.request.case_id, killed), daemon=True
    )
    killer.start()
    trace_case(papers.request.case_id)
    assert killed, "no worker was killed; the test shows nothing"
    again = open_case(papers.request.case_id, env).vault
    second = last_run(again)
    assert second is not None
    mine = publish.read_table(again, second, CONTACTS)
    theirs = publish.read_table(first, run, CONTACTS)
    same = ["start_utc", "end_utc", "tier", "subject_mask", "person_mask"]
    pd.testing.assert_frame_equal(mine[same], theirs[same])
    np.testing.assert_allclose(mine["exposure_s"], theirs["exposure_s"], atol=0.5)


def _kill_when_following(env: Environment, case_id: str, killed: list[int]) -> None:
    """Kill one worker process as soon as one followed segment is stored."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and not killed:
        time.sleep(0.2)
        if not env.cases.open(case_id).list(f"{case_id}/stages/follow/"):
            continue
        record = read_record(env.settings.paths)
        assert record is not None
        (cluster,) = [p.pid for p in record.processes if p.name == "dask"]
        workers = [
            p for p in psutil.Process(cluster).children(recursive=True) if p.cpu_times().user > 1
        ]
        workers[0].kill()
        killed.append(workers[0].pid)


def test_running_again_redoes_nothing(traced: tuple[Environment, Papers, CaseVault, Run]) -> None:
    """A second run of a finished case finds every segment's result."""
    from flows.trace_case import trace_case

    _, _, vault, _ = traced
    before = {
        o.key: o.last_modified for o in vault.list() if "/scan/" in o.key or "/follow/" in o.key
    }
    trace_case(vault.case_id, again=True)
    after = {
        o.key: o.last_modified for o in vault.list() if "/scan/" in o.key or "/follow/" in o.key
    }
    assert after == before


def test_new_footage_is_noticed(traced: tuple[Environment, Papers, CaseVault, Run]) -> None:
    """A segment that arrives after the run makes rerun-exposure start the case again; nothing new
    starts nothing.
    """
    from flows.rerun_exposure import cases_with_new_footage

    env, _, vault, _ = traced
    key = "entrance/2026-11-16/00/01.00.mp4"
    assert vault.case_id not in cases_with_new_footage.fn()
    env.store.put_file(object_key.FOOTAGE, key, DEMO / "footage" / key, "video/mp4")
    try:
        assert vault.case_id in cases_with_new_footage.fn()
    finally:
        env.store.remove_all_versions(object_key.FOOTAGE, key)


def test_the_link_of_the_run_opens_the_report(
    traced: tuple[Environment, Papers, CaseVault, Run],
) -> None:
    """The link of the Prefect UI leads to the desk of the stack: after the login of an account that
    sees the case it opens the report, and opens nothing else.
    """
    env, _, vault, _ = traced
    run = last_run(open_case(vault.case_id, env).vault)
    assert run is not None
    link = report_link(run)
    path = link.removeprefix(env.settings.report_link_base)
    word = "a password of a test"
    Accounts(env.settings.paths.desk_accounts_file).add("dr-kim", ["reviewer"], word)
    assign(env, vault.case_id, ["dr-kim"])
    browser = Browser(env.settings.report_link_base)
    assert browser.get(path).headers["location"] == f"/login?next={path}"
    assert browser.log_in("dr-kim", "wrong").status_code == 401
    assert browser.log_in("dr-kim", word).status_code == 303
    page = browser.get(path)
    assert page.status_code == 200
    assert vault.case_id in page.text
    assert page.headers["cache-control"] == "no-store"
    views = [
        read_link(e.data).entry for e in env.audit_log.read() if e.data and b'"view"' in e.data
    ]
    assert views[-1].actor.startswith("account:")
    assert (views[-1].case_id, views[-1].run_id, views[-1].objects) == (
        vault.case_id,
        run.run_id,
        ("report.html",),
    )
    base = path.removesuffix("/report.html")
    for other in ("../../request.json", "manifest.json", "nothing"):
        assert browser.get(f"{base}/{other}").status_code in (403, 404)


def test_a_case_without_valid_papers_is_not_filed(
    site: Environment, new_papers: Callable[..., Papers]
) -> None:
    """Never 1: with the approval missing nothing is stored and nothing starts."""
    papers = new_papers()
    with pytest.raises(NotAuthorised):
        store_case(site, Papers(papers.request, papers.consent, "", papers.references))
    assert not site.store.list(object_key.CASES, f"{papers.request.case_id}/")
