"""Never 4, the deletion itself: killed anywhere it finishes, it leaves no byte that tells anything,
and it can prove it.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from closing import bytes_in, environment_of, filled_case, finished_run, nothing_of
from typer.testing import CliRunner

from data_contracts import object_key
from data_contracts.errors import KeyMissing, NotAuthorised, NotFound, StoreError
from data_contracts.time import now_utc
from flows.cases import deletion_steps, destroy
from flows.cases.deletion_steps import STEPS
from flows.cases.destroy import Unfinished, destroy_case, plan_of
from flows.cases.expiry import papers_of
from flows.cases.old_pictures import delete_old_pictures
from flows.cases.sweep import sweep
from flows.cli.main import app
from flows.runtime.environment import Environment, environment
from flows.stages.publish import load_manifest
from infra.case_store import CaseStore
from infra.local.store_bytes import compact
from infra.master_keys import HeldKeys, LocalMasterKey
from infra.settings import HOME_VARIABLE, Settings
from infra.stack_record import read_record
from infra.store import ObjectStore
from tasks.ending.purge import plan_purge
from tasks.ending.receipt import verify_receipt

pytestmark = pytest.mark.stack


@pytest.fixture
def env(
    settings: Settings, store: ObjectStore, case_store: CaseStore, monkeypatch: pytest.MonkeyPatch
) -> Iterator:
    """An environment with a store and no orchestrator, which the command line finds too."""
    monkeypatch.setenv(HOME_VARIABLE, str(settings.home))
    monkeypatch.setattr(deletion_steps, "_DELETED_AFTER_S", 0.0)
    environment.cache_clear()
    yield environment_of(settings, store, case_store)
    environment.cache_clear()


def receipts_of(env: Environment, case_id: str) -> list[str]:
    """Keys of the case's receipts."""
    return [item.key for item in env.store.list(object_key.AUDIT, object_key.receipts(case_id))]


def test_the_plan_counts_and_changes_nothing(env: Environment) -> None:
    """`case purge` without --yes says what would go, by kind, and nothing has gone."""
    case_id = filled_case(env, objects=3).case_id
    before = env.store.list_versions(object_key.CASES, f"{case_id}/")
    shown = CliRunner().invoke(app, ["case", "purge", case_id])
    assert shown.exit_code == 0
    for line in (
        "1 versions of the wrapped key",
        "8 versions of encrypted objects",
        "1 incomplete multipart uploads",
    ):
        assert line in shown.stdout
    assert env.store.list_versions(object_key.CASES, f"{case_id}/") == before


def test_everything_goes_and_the_receipt_says_so(env: Environment) -> None:
    """Key, objects, uploads and folders are gone; the receipt counts them, names who asked and
    verifies.
    """
    vault = filled_case(env)
    receipt = destroy_case(vault.case_id, "closed", env)
    assert nothing_of(env.store, vault.case_id)
    with pytest.raises(KeyMissing):
        vault.get(object_key.request(vault.case_id))
    assert receipt.destroyed["key_versions"] == 1
    assert receipt.destroyed["object_versions"] == 8
    assert receipt.destroyed["uploads"] == 1
    assert receipt.facts.reference_pictures == receipt.facts.claims == 1
    token = env.store.get(object_key.AUDIT, receipt.key).decode()
    assert verify_receipt(token, [env.audit_log.key.public]) == receipt
    entries = [
        e
        for e in (json.loads(s.data)["entry"] for s in env.audit_log.read())
        if e["case_id"] == vault.case_id
    ]
    assert [e["action"] for e in entries][-2:] == ["delete-started", "delete"]


def test_the_key_goes_first(env: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the second step fails, every object may still be there, but nothing can be read any
    more.
    """
    vault = filled_case(env)

    def fails(*_: object) -> dict:
        raise OSError("the power fails")

    with monkeypatch.context() as patched:
        patched.setattr(destroy, "STEPS", (STEPS[0], fails))
        with pytest.raises(Unfinished, match=r"its key is destroyed.*fails: OSError"):
            destroy_case(vault.case_id, "closed", env)
    assert env.store.list_versions(object_key.CASES, f"{vault.case_id}/")
    with pytest.raises(KeyMissing):
        env.cases.open(vault.case_id)
    destroy_case(vault.case_id, "closed", env)


@pytest.mark.parametrize(
    "dies_in", [step.__name__ for step in STEPS] + ["verify", "_prove_deletion", "_close_journal"]
)
def test_broken_off_anywhere_it_finishes(
    env: Environment, monkeypatch: pytest.MonkeyPatch, dies_in: str
) -> None:
    """Broken off before and in the middle of each step, the next purge ends clean, under the first
    reason, with one receipt.
    """
    case_id = filled_case(env, objects=1).case_id

    class Killed(BaseException):
        """Not an Exception: nothing catches it."""

    def dies(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(
            destroy, "STEPS", tuple(dies if step.__name__ == dies_in else step for step in STEPS)
        )
        if dies_in in ("verify", "_prove_deletion", "_close_journal"):
            patched.setattr(destroy, dies_in, dies)
        with pytest.raises(Killed):
            destroy_case(case_id, "first reason", env)
    receipt = destroy_case(case_id, "second reason", env)
    assert nothing_of(env.store, case_id)
    assert receipt.reason == "first reason"
    assert receipts_of(env, case_id) == [receipt.key]
    assert destroy_case(case_id, "third reason", env) == receipt, "what is gone is a success"


def test_sigkilled_it_finishes(env: Environment) -> None:
    """A purge process that is killed by SIGKILL after its objects went is finished by another."""
    case_id = filled_case(env).case_id
    program = (
        "import os, signal\n"
        "from flows.cases import destroy\n"
        "kill = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "destroy.STEPS = (*destroy.STEPS[:3], kill)\n"
        f"destroy.destroy_case({case_id!r}, 'closed')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(Path.cwd())},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert env.store.exists(object_key.CASES, object_key.purge_journal(case_id))
    receipt = destroy_case(case_id, "again", env)
    assert receipt.passes == 2
    assert receipt.found["object_versions"] == 8
    assert nothing_of(env.store, case_id)
    assert receipts_of(env, case_id) == [receipt.key]


def test_a_filing_that_broke_off_goes_too(env: Environment) -> None:
    """A case of which only the key was written is one to destroy; of a case sealed under another
    master key as well.
    """
    case_id = "K-BROKEN-OFF"
    env.cases.create_key(case_id)
    assert destroy_case(case_id, "kept for 28 days", env).destroyed == {"key_versions": 1}
    assert nothing_of(env.store, case_id)


def test_another_master_key_ends_no_case_before_its_time(env: Environment) -> None:
    """A process with the wrong master key must not take what it cannot open for purged: only age
    ends such a case.
    """
    case_id = filled_case(env).case_id
    stranger = dataclasses.replace(
        env, cases=CaseStore(env.store, HeldKeys(LocalMasterKey(bytes(32))))
    )
    papers = papers_of(stranger, case_id)
    assert papers.has_key
    assert plan_purge([papers], now_utc(), 28, 3) == []
    assert plan_purge([papers], now_utc() + timedelta(days=29), 28, 3)
    destroy_case(case_id, "closed", env)


def test_old_pictures_go_before_their_case(env: Environment) -> None:
    """Pictures, and the report that shows them, are deleted after `retention.picture_days`; the
    tables stay listed.
    """
    vault = filled_case(env)
    made = now_utc() - timedelta(days=28)
    run, _ = finished_run(vault, made, ("contacts.csv", "report.html", "pictures/S-1.jpg"))
    assert delete_old_pictures(env, vault.case_id, made + timedelta(days=27)) == 0
    assert delete_old_pictures(env, vault.case_id, now_utc()) == 2
    assert [a.name for a in load_manifest(vault, run).artefacts] == ["contacts.csv"]
    left = vault.list(object_key.run(vault.case_id, run.run_id) + "/")
    assert [item.key.rsplit("/", 1)[-1] for item in left] == ["contacts.csv", "manifest.json"]


def test_a_case_that_never_was_gets_no_receipt(env: Environment) -> None:
    """Purge, close and withdraw of an unknown case say so; no receipt is made up."""
    for command in (
        ["case", "purge", "K-NOT-HERE", "--yes"],
        ["consent", "withdraw", "K-NOT-HERE"],
    ):
        assert isinstance(CliRunner().invoke(app, command).exception, NotFound)
    with pytest.raises(NotFound):
        plan_of("K-NOT-HERE", "closed", env)
    assert not receipts_of(env, "K-NOT-HERE")


def test_the_disk_of_the_store_keeps_neither_content_nor_key(
    env: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the purge no file of the store's data folder holds the wrapped key or a sealed object;
    before, they do.
    """
    vault = filled_case(env)
    record = read_record(env.settings.paths)
    assert record is not None
    data = Path(record.data_dir or "")
    key_record = json.loads(env.store.get(object_key.CASES, object_key.wrapped_key(vault.case_id)))
    sealed = env.store.get(object_key.CASES, object_key.request(vault.case_id))[17:81]
    needles = (key_record["wrapped"].encode(), base64.b64decode(key_record["wrapped"]), sealed)
    assert len(bytes_in(data, *needles)) == 2
    monkeypatch.setattr(deletion_steps, "_DELETED_AFTER_S", 6.0)  # this machine may be busy
    destroy_case(vault.case_id, "closed", env)
    assert not bytes_in(data, *needles)


@pytest.mark.parametrize("idle", ["_delete_objects", "_abort_uploads"])
def test_no_receipt_for_what_is_still_there(
    env: Environment, monkeypatch: pytest.MonkeyPatch, idle: str
) -> None:
    """When a step does not do its work, the verification says so and no receipt is written; the
    next purge mends it.
    """
    case_id = filled_case(env).case_id
    with monkeypatch.context() as patched:
        steps = tuple((lambda *_: {}) if step.__name__ == idle else step for step in STEPS)
        patched.setattr(destroy, "STEPS", steps)
        with pytest.raises(Unfinished, match=r"verify: .*run the purge again"):
            destroy_case(case_id, "closed", env)
    assert not receipts_of(env, case_id)
    destroy_case(case_id, "closed", env)
    assert nothing_of(env.store, case_id)


def test_logs_and_fetched_copies_go(env: Environment, tmp_path: Path) -> None:
    """The case's id is overwritten in this home's logs, another's is not; copies that were fetched
    are deleted.
    """
    from infra.local.traces import remember_fetched

    case_id = filled_case(env).case_id
    home = env.settings.paths
    copy = tmp_path / "out" / case_id / "report.html"
    mine = tmp_path / "out" / "mine.txt"
    for path in (copy, mine):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    remember_fetched(home, case_id, [copy])
    log = home.logs / "test-purge.log"
    with log.open("ab", buffering=0) as kept_open:
        kept_open.write(
            f"run {case_id} began\nrun {case_id}-2 began\nartifact "
            f"scan-{case_id.lower()}\n".encode()
        )
        destroy_case(case_id, "closed", env)
        kept_open.write(b"end\n")
    text = log.read_text()
    assert text == (
        f"run {'x' * len(case_id)} began\nrun {case_id}-2 began\nartifact "
        f"{'x' * (len(case_id) + 5)}\nend\n"
    )
    assert not copy.parent.exists()
    assert mine.exists()
    log.unlink()


def test_a_receipt_cannot_be_deleted(env: Environment) -> None:
    """Where the store has object lock, the version of a receipt cannot be removed before its
    time.
    """
    receipt = destroy_case(filled_case(env, objects=0).case_id, "closed", env)
    assert env.audit_log.locked, "the local store has object lock"
    with pytest.raises(StoreError):
        env.store.remove_all_versions(object_key.AUDIT, receipt.key)
    assert env.store.list_versions(object_key.AUDIT, receipt.key)


def test_what_comes_late_goes_with_the_next_tick(env: Environment) -> None:
    """A log line that is written after the purge is overwritten by the sweep; that of a case filed
    again is not.
    """
    gone, again = (
        destroy_case(filled_case(env, objects=0).case_id, "closed", env).case_id for _ in range(2)
    )
    env.cases.create_key(again)
    log = env.settings.paths.logs / "late.log"
    log.write_text(f"cancelled {gone}, began {again}")
    assert sweep(env, now_utc() + timedelta(hours=1)).cases == 0, "older than asked for"
    assert sweep(env, now_utc() - timedelta(hours=1)).cases == 1
    assert log.read_text() == f"cancelled {'x' * len(gone)}, began {again}"
    log.unlink()
    destroy_case(again, "closed", env)


@pytest.mark.parametrize("change", ["payload", "signature", "header", "truncated", "other key"])
def test_a_changed_receipt_is_refused(env: Environment, change: str) -> None:
    """Any change of a receipt, and a receipt of another installation, is found."""
    receipt = destroy_case(filled_case(env, objects=0).case_id, "closed", env)
    token = env.store.get(object_key.AUDIT, receipt.key).decode()
    head, body, signature = token.split(".")
    payload = json.loads(base64.urlsafe_b64decode(body + "=="))
    payload["reason"] = "another reason"
    other = base64.urlsafe_b64encode(json.dumps(payload).encode()).decode().rstrip("=")
    changed = {
        "payload": f"{head}.{other}.{signature}",
        "signature": f"{head}.{body}.{('A' if signature[0] != 'A' else 'B')}{signature[1:]}",
        "header": f"{other}.{body}.{signature}",
        "truncated": token[:-3],
        "other key": token,
    }[change]
    keys = [] if change == "other key" else [env.audit_log.key.public]
    with pytest.raises(NotAuthorised):
        verify_receipt(changed, keys)


def test_a_receipt_verifies_offline(
    env: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the file and the public key alone, in an empty home, the command verifies; one changed
    letter and it does not.
    """
    receipt = destroy_case(filled_case(env, objects=0).case_id, "closed", env)
    fetched = CliRunner().invoke(
        app, ["receipt", "fetch", receipt.case_id, "--out", str(tmp_path / "receipts")]
    )
    assert fetched.exit_code == 0
    (file,) = (tmp_path / "receipts").iterdir()
    public = tmp_path / "key.json"
    public.write_text(env.audit_log.key.public.model_dump_json())
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "nothing here"))
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("the network was used"))
    good = CliRunner().invoke(app, ["receipt", "verify", str(file), "--key", str(public)])
    assert good.exit_code == 0
    assert f"case {receipt.case_id}: closed" in good.stdout
    text = file.read_text()
    file.write_text(text[:100] + ("A" if text[100] != "A" else "B") + text[101:])
    assert isinstance(
        CliRunner().invoke(app, ["receipt", "verify", str(file), "--key", str(public)]).exception,
        NotAuthorised,
    )


def test_the_subject_is_told_what_happened(env: Environment) -> None:
    """The notice of a closed case is made from its receipt: the numbers are those of the case."""
    receipt = destroy_case(filled_case(env, objects=2).case_id, "closed", env)
    told = CliRunner().invoke(app, ["case", "notice", receipt.case_id]).stdout
    for line in (
        "1 reference pictures, 1 stated visits",
        "7 versions of encrypted objects",
        "- searched by: face",
    ):
        assert line in told


def test_compaction_is_only_asked_of_ones_own_store(env: Environment) -> None:
    """Where no local store runs nothing is asked of anyone."""
    record = read_record(env.settings.paths)
    assert record is not None
    assert not compact(env.settings, record.model_copy(update={"processes": ()}))
