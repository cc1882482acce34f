"""A running trace that loses its consent stops and is gone; what was traced, and what failed,
leaves nothing in clear.

Runs after the traced case's other tests: its purge is the last thing that happens to it.
"""

from __future__ import annotations

import re
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from data_contracts import object_key
from data_contracts.errors import EncounterError, KeyMissing
from data_contracts.mention import mention
from data_contracts.run import Run
from data_contracts.time import now_utc
from flows import purge_expired
from flows.cases.expiry import Planned
from flows.cases.filing import Papers, file_case, store_case
from flows.cases.forget_runs import case_runs
from flows.cases.receipts import earlier_receipt
from flows.cli.main import app
from flows.cli.waiting import wait_for
from flows.runtime.environment import Environment
from flows.runtime.prefect_api import read_run
from flows.runtime.still_allowed import CHECK_EVERY_S
from infra import dask_cluster
from infra.case_store import CaseVault
from infra.local import prefect_database, sqlite_file, store_bytes, store_index, weed
from infra.settings import load_settings
from infra.stack_record import read_record
from tasks.ending.purge import claimed_expiry
from tasks.ending.receipt import verify_receipt

pytestmark = [pytest.mark.stack, pytest.mark.scenario]

STOPPED_WITHIN_S = 30.0
# What can be told of the subject in clear: the places of the demo's itinerary and the pseudonym as
# a value.
PLACES = (b"lobby of the city service centre", b"corridor, back exit")
SUBJECT = re.compile(rb'"subject-1"|\bsubject-1\b(?!\d)')
RUN = 64
CHANGES = re.compile(r"store/data/\d+\.(dat|idx|vif)")


def test_withdrawal_stops_a_running_trace(
    site: Environment, new_papers: Callable[..., Papers]
) -> None:
    """Withdrawn while segments are looked at: final within 30 s, and says why; nothing is left,
    written or held after.
    """
    papers = new_papers()
    case_id = papers.request.case_id
    started = file_case(site, papers)
    assert started is not None
    _wait_until(lambda: bool(_units(site, case_id)), 300)
    assert not read_run(started).state.is_final()
    states: list[tuple[float, str, str]] = []
    began = time.monotonic()
    watcher = threading.Thread(target=_watch, args=(started, began, states), daemon=True)
    watcher.start()
    assert CliRunner().invoke(app, ["consent", "withdraw", case_id, "--yes"]).exit_code == 0
    watcher.join(5)
    final = next(s for s in states if s[1] in ("CANCELLED", "FAILED", "CRASHED"))
    assert final[0] < STOPPED_WITHIN_S, states
    assert any("withdrawn" in message for _, _, message in states), (
        "the run says why it ends, until it is deleted"
    )
    with pytest.raises(KeyMissing):
        site.cases.open(case_id)
    time.sleep(2 * CHECK_EVERY_S)
    assert not site.store.list_versions(object_key.CASES, f"{case_id}/"), (
        "nothing was written afterwards"
    )
    assert case_id not in site.store.folders(object_key.CASES)
    assert not case_runs(case_id)
    assert _held_by_dask(site) == ([], [])
    _nothing_in_clear(site, papers, case_id)


def _units(site: Environment, case_id: str) -> list[object]:
    return list(site.cases.open(case_id).list(f"{case_id}/stages/scan/"))


def _wait_until(true: Callable[[], bool], limit_s: float) -> None:
    ends = time.monotonic() + limit_s
    while not true():
        assert time.monotonic() < ends, "waited in vain"
        time.sleep(0.2)


def _watch(started: str, began: float, states: list[tuple[float, str, str]]) -> None:
    from prefect.exceptions import ObjectNotFound

    while True:
        try:
            state = read_run(started).state
        except ObjectNotFound:
            return
        row = (state.type.value, state.message or "")
        if not states or states[-1][1:] != row:
            states.append((time.monotonic() - began, *row))
        time.sleep(0.1)


def _held_by_dask(site: Environment) -> tuple[list[str], list[str]]:
    """Tasks that the scheduler knows, and results that workers hold."""
    with dask_cluster._connect(load_settings(home=site.settings.home)) as connected:
        tasks = connected.run_on_scheduler(
            lambda dask_scheduler: [str(key) for key in dask_scheduler.tasks]
        )
        held = connected.run(lambda dask_worker: [str(key) for key in dask_worker.data])
    return tasks, [key for keys in held.values() for key in keys]


def test_expiry_is_noticed_by_the_next_tick(
    site: Environment, new_papers: Callable[..., Papers]
) -> None:
    """A case whose consent has expired is destroyed by purge-expired's next pass; another is left
    alone.
    """
    alive = new_papers()
    store_case(site, alive)
    expired = new_papers(expires_in_s=10.0)
    store_case(site, expired)
    ends_utc = claimed_expiry(expired.consent)
    _wait_until(lambda: now_utc() > ends_utc, 30)
    doomed = [
        d
        for d in purge_expired.plan.fn().doomed
        if d.case_id in (expired.request.case_id, alive.request.case_id)
    ]
    assert [(d.case_id, d.reason) for d in doomed] == [
        (expired.request.case_id, "consent or approval expired")
    ]
    ended = purge_expired.destroy.fn(Planned(doomed=tuple(doomed)))
    assert (ended.done, ended.failed) == (1, ())
    assert earlier_receipt(site, expired.request.case_id).reason == doomed[0].reason
    assert not site.cases.has_key(expired.request.case_id)
    assert site.cases.has_key(alive.request.case_id)
    CliRunner().invoke(app, ["case", "purge", alive.request.case_id, "--yes"])


def test_a_failed_run_leaves_nothing_in_clear(
    site: Environment, new_papers: Callable[..., Papers]
) -> None:
    """A reference picture without a face makes the run fail; neither state, log nor disk tells of
    subject or picture.
    """
    faceless = {"wall.png": _png_of_a_wall()}
    papers = new_papers(references=faceless)
    case_id = papers.request.case_id
    started = file_case(site, papers)
    assert started is not None
    with pytest.raises(EncounterError):
        wait_for(started, limit_s=300)
    _nothing_in_clear(site, papers, case_id)
    assert CliRunner().invoke(app, ["case", "purge", case_id, "--yes"]).exit_code == 0
    _nothing_is_left(site, case_id)


def test_a_traced_case_leaves_nothing_in_clear_and_then_nothing(
    traced: tuple[Environment, Papers, CaseVault, Run], tmp_path: Path
) -> None:
    """After a whole trace nothing of the subject is in clear outside a fetched copy; after the
    purge only the receipt and the audit log know the case, and the receipt verifies.
    """
    env, papers, vault, _ = traced
    case_id = vault.case_id
    _nothing_in_clear(env, papers, case_id)
    assert (
        CliRunner().invoke(app, ["case", "fetch", case_id, "--out", str(tmp_path)]).exit_code == 0
    )
    assert (tmp_path / case_id / "report.html").exists()
    notice = CliRunner().invoke(app, ["case", "notice", case_id]).stdout
    assert f"{len(papers.references)} reference pictures" in notice
    assert "times decrypted copies were made" in notice
    secrets = _key_bytes(vault)
    assert CliRunner().invoke(app, ["case", "purge", case_id, "--yes"]).exit_code == 0
    assert not (tmp_path / case_id).exists(), "the copy that was fetched here goes too"
    _nothing_is_left(env, case_id, *secrets)
    receipt = earlier_receipt(env, case_id)
    token = env.store.get(object_key.AUDIT, receipt.key).decode()
    assert verify_receipt(token, [env.audit_log.key.public]) == receipt
    assert receipt.facts.shared["export"] >= 1
    assert receipt.facts.results["segments scanned"] > 0


def _png_of_a_wall() -> bytes:
    import cv2

    noise = np.random.default_rng(7).integers(90, 130, (160, 160, 3)).astype(np.uint8)
    return bytes(cv2.imencode(".png", noise)[1])


def _key_bytes(vault: CaseVault) -> tuple[bytes, ...]:
    """The case's data key, and the record in which it lies wrapped."""
    return (
        vault._data_key,
        vault.store.get(object_key.CASES, object_key.wrapped_key(vault.case_id)),
    )


def _files(env: Environment) -> Iterator[tuple[str, bytes]]:
    """Everything that the stack keeps on disk but the footage (the recorder's) and the models."""
    scratch = Path("/tmp").glob("prefect-workspace-attempt-*")
    for folder in (env.settings.home, *scratch):
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.name.startswith("footage"):
                with suppress(FileNotFoundError):  # gone meanwhile: the stack is at work
                    yield str(path.relative_to(folder)), path.read_bytes()


def _nothing_in_clear(env: Environment, papers: Papers, case_id: str) -> None:
    """No file has the subject, a place, 64 bytes of a reference picture, or (outside the store's
    pages) a picture.
    """
    pieces = [
        data[at : at + RUN]
        for data in papers.references.values()
        for at in range(0, len(data) - RUN, RUN)
    ]
    for name, data in _files(env):
        assert not SUBJECT.search(data), name
        assert not any(place in data for place in PLACES), name
        assert not any(piece in data for piece in pieces), name
        if not name.startswith("store/"):
            assert not any(
                magic in data for magic in (b"\xff\xd8\xff\xe0", b"\x89PNG\r\n", b"data:image")
            ), name
            assert not re.search(rb"(-?\d+\.\d+(e-?\d+)?[\s,]+){64}", data), name
            assert not _float_arrays(data), name


def _float_arrays(data: bytes) -> bool:
    """Whether 128 float32 values of a unit vector lie in a row: all between -1 and 1, none a round
    number.
    """
    for offset in range(4):
        values = np.frombuffer(data[offset : offset + (len(data) - offset) // 4 * 4], "<f4")
        with np.errstate(invalid="ignore"):
            like = (np.abs(values) < 1) & (np.abs(values) > 1e-6)
        runs = np.diff(np.flatnonzero(np.concatenate(([True], ~like, [True]))))
        if len(runs) and runs.max() > 128:
            return True
    return False


def _nothing_is_left(env: Environment, case_id: str, *secrets: bytes) -> None:
    """The case's id is nowhere but in its receipt and the audit log; no byte of its key is
    anywhere.
    """
    record = read_record(env.settings.paths)
    assert record is not None
    weed.forget_names(env.settings, record)
    # The store takes some seconds to know that the purge's own plan, the last object, is deleted.
    volumes = list(Path(record.data_dir or "").glob("cases_*.dat"))
    assert volumes
    for _ in range(10):
        store_bytes.compact(env.settings, record)
        if not any(mention(case_id).search(volume.read_bytes()) for volume in volumes):
            break
        time.sleep(2)
    index = store_index.local_index(record)
    assert index is not None
    sqlite_file.compact(index)
    assert not env.store.list_versions(object_key.CASES, f"{case_id}/")
    database = prefect_database.local_database(env.settings)
    assert database is not None
    assert not prefect_database.names(database, case_id)
    for name, data in _files(env):
        assert not any(secret in data for secret in secrets), name
        # The audit bucket's objects, and the rows of the index about them; the log of changes lies
        # in volumes without a bucket's name, and the filer writes its last minute a minute late:
        # purge-expired comes again for that.
        if not name.startswith("store/data/audit_") and not CHANGES.fullmatch(name):
            data = _without_audit(index, case_id) if name.endswith(store_index.FILE) else data
            assert not mention(case_id).search(data), name


def _without_audit(index: Path, case_id: str) -> bytes:
    """The bytes of the store's index as it would be without the audit bucket's rows: the receipt is
    one.

    No page of the index itself names the case more often than its rows do.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy.db"
        with closing(sqlite3.connect(index)) as db, closing(sqlite3.connect(copy)) as to:
            db.backup(to)
            to.execute("VACUUM")
            spoken = [len(mention(case_id).findall(path.read_bytes())) for path in (index, copy)]
            assert spoken[0] == spoken[1]
            to.execute("DELETE FROM audit")
            to.commit()
            to.execute("VACUUM")
        return copy.read_bytes()


def test_the_scan_finds_what_it_looks_for(
    tmp_path: Path, site: Environment, new_papers: Callable[..., Papers]
) -> None:
    """The scan itself: each kind of thing, put into the home in clear, is found."""
    papers = new_papers()
    picture = next(iter(papers.references.values()))
    vector = np.random.default_rng(1).normal(size=256).astype("<f4")
    vector /= np.linalg.norm(vector)
    for left in (
        b'"subject-1"',
        PLACES[0],
        picture[640:1280],
        b"\x89PNG\r\n",
        b"xyz" + vector.tobytes(),
    ):
        file = site.settings.home / "left-behind"
        file.write_bytes(left)
        try:
            with pytest.raises(AssertionError, match="left-behind"):
                _nothing_in_clear(site, papers, papers.request.case_id)
        finally:
            file.unlink()
