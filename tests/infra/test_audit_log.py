"""The audit log against a real S3 server: one chain, whoever writes, and nothing lost."""

from __future__ import annotations

import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from flaky_proxy import flaky_proxy

from data_contracts import object_key
from data_contracts.audit import AuditEvent, canonical, read_link
from data_contracts.errors import BadInput, KeyMissing, StoreError
from data_contracts.object_key import AUDIT
from infra.audit_log import AuditLog, open_audit_log
from infra.checkpoint_file import read_checkpoints
from infra.settings import Settings, load_settings
from infra.signing import ensure_signing_key, find_signing_key, load_signing_key, publish_public_key
from infra.store import ObjectStore
from tasks.audit.chain import Verdict, verify
from tasks.consent.jws import read_public_keys

pytestmark = pytest.mark.stack
EVENT = AuditEvent(action="view", actor="account:00aa", role="reviewer", case_id="K-AUDIT-1")


@pytest.fixture
def log(settings: Settings, tmp_path: Path) -> AuditLog:
    """The log of a store whose buckets are this test's own."""
    own = load_settings(
        **{
            **settings.model_dump(),
            "home": tmp_path / "home",
            "s3": settings.s3.model_copy(
                update={"bucket_prefix": f"a{secrets.token_hex(4)}-"}
            ).model_dump(),
        }
    )
    store = ObjectStore(own.s3)
    store.ensure_buckets()
    ensure_signing_key(own)
    return open_audit_log(store, own)


def again(log: AuditLog) -> AuditLog:
    """Another process's view of the same log."""
    return AuditLog(ObjectStore(log.store.settings), _settings(log), log.key)


def _settings(log: AuditLog) -> Settings:
    return load_settings(home=log._witness.parent, s3=log.store.settings.model_dump())


def checked(log: AuditLog) -> Verdict:
    """The check of everything that is stored."""
    assert log.key is not None
    return verify(((e.sequence, e.data) for e in log.read()), [log.key.public], log.witnessed())


def test_two_writers_at_once_make_one_chain(log: AuditLog) -> None:
    """Two threads with a log of their own append 50 entries each: one chain without a fork, and
    none is lost.
    """
    logs = (again(log), again(log))
    ready = threading.Barrier(2)

    def write(mine: AuditLog) -> list[int]:
        ready.wait()
        return [mine.append(EVENT).entry.sequence for _ in range(50)]

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(write, logs)
    assert len({*first, *second}) == 100
    assert first != list(range(1, 51)), "the writers took turns; the test shows nothing"
    verdict = checked(log)
    assert not verdict.findings
    assert verdict.entries == 100 + verdict.checkpoints
    assert verdict.checkpoints == 100 // 16


def test_the_end_is_found_by_a_new_process(log: AuditLog) -> None:
    """A log opened anew goes on behind the last entry, without reading the others."""
    for _ in range(3):
        log.append(EVENT)
    fresh = again(log)
    reads: list[str] = []
    original = fresh.store.get
    fresh.store.get = lambda bucket, key, **rest: reads.append(key) or original(bucket, key, **rest)
    assert fresh.append(EVENT).entry.sequence == 4
    assert reads == [object_key.audit_entry(3)]
    fresh.store.list_versions = fresh.store.folders = lambda *_args: pytest.fail("listed again")
    assert fresh.append(EVENT).entry.sequence == 5


def test_a_checkpoint_is_signed_and_kept_at_home(log: AuditLog) -> None:
    """On demand and at every sixteenth entry; what it vouches for is checked, and the home's copy
    is the same.
    """
    log.append(EVENT, checkpoint=True)
    for _ in range(14):
        log.append(EVENT)
    verdict = checked(log)
    assert (verdict.entries, verdict.checkpoints, verdict.vouched) == (17, 2, 16)
    assert len(read_checkpoints(log._witness)) == 2
    assert log._witness.stat().st_mode & 0o777 == 0o600


def test_entries_are_locked(log: AuditLog) -> None:
    """The local store has object lock: an entry's version cannot be deleted, and hiding it is found
    by the check.
    """
    assert log.locked
    log.append(EVENT)
    log.append(EVENT)
    key = object_key.audit_entry(1)
    (info,) = log.store.list_versions(AUDIT, key)
    with pytest.raises(StoreError, match="could not be deleted"):
        log.store.remove_all_versions(AUDIT, key)
    assert log.store.get(AUDIT, key, version_id=info.version_id)
    log.store._client.remove_object(log.store.bucket(AUDIT), key)
    assert {(f.sequence, f.kind) for f in checked(log).findings} == {(1, "removed")}


def test_without_object_lock_the_log_works_and_a_deletion_is_found(log: AuditLog) -> None:
    """A bucket that was made without lock: entries are written, `locked` says no, and a deleted
    entry is missed by number.
    """
    prefix = f"b{secrets.token_hex(4)}-"
    store = ObjectStore(log.store.settings.model_copy(update={"bucket_prefix": prefix}))
    store._client.make_bucket(store.bucket(AUDIT))
    bare = AuditLog(store, _settings(log), log.key)
    assert not bare.locked
    for _ in range(3):
        bare.append(EVENT)
    store.remove_all_versions(AUDIT, object_key.audit_entry(2))
    found = verify(((e.sequence, e.data) for e in bare.read()), []).findings
    assert {(f.sequence, f.kind) for f in found} == {(2, "removed")}
    store.ensure_buckets()
    assert store.object_lock(AUDIT), "the local store can lock a bucket that is there already"


def test_an_overwritten_entry_is_found_and_the_first_kept(log: AuditLog) -> None:
    """A second version over an entry is a fork there; the chain goes on behind the first."""
    log.append(EVENT)
    made = log.append(EVENT)
    forged = made.model_copy(
        update={"entry": made.entry.model_copy(update={"case_id": "K-OTHER-1"})}
    )
    log.store.put(AUDIT, object_key.audit_entry(2), canonical(forged))
    assert again(log).append(EVENT).previous == made.hash
    assert {(f.sequence, f.kind) for f in checked(log).findings} == {(2, "forked")}


def test_garbage_in_the_next_place_stops_nobody(log: AuditLog) -> None:
    """Someone with the store's rights cannot block the log (and so a deletion) by filling its next
    places.
    """
    log.append(EVENT)
    log.store.put(AUDIT, object_key.audit_entry(2), b"garbage")
    assert log.append(EVENT).entry.sequence == 3
    assert {(f.sequence, f.kind) for f in checked(log).findings} == {(2, "unreadable")}


def test_a_repeated_write_is_not_doubled(log: AuditLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client repeats a write whose answer was lost; the log recognises its own entry and writes
    no second.
    """
    log.append(EVENT)
    original = log.store.put_if_absent

    def lost(*args, **options) -> bool:
        original(*args, **options)
        return original(*args, **options)

    monkeypatch.setattr(log.store, "put_if_absent", lost)
    assert log.append(EVENT).entry.sequence == 2
    verdict = checked(log)
    assert (verdict.entries, verdict.findings) == (2, ())


def test_a_log_without_a_store_fails(log: AuditLog) -> None:
    """An entry that cannot be written is an error, never silence."""
    gone = AuditLog(
        ObjectStore(
            log.store.settings.model_copy(update={"endpoint": "127.0.0.1:9", "retries": 0})
        ),
        _settings(log),
    )
    with pytest.raises(StoreError, match="no object store answers"):
        gone.append(EVENT)


def test_a_process_without_the_key_appends_but_signs_nothing(log: AuditLog) -> None:
    """A worker on another machine writes entries; checkpoints are left to those who hold the
    key.
    """
    bare = AuditLog(log.store, _settings(log), None)
    bare.append(EVENT, checkpoint=True)
    assert bare.checkpoint() is None
    assert checked(log).entries == 1


def test_signing_key_file(log: AuditLog, tmp_path: Path) -> None:
    """Made once, readable by its owner only, refused otherwise; absent is said, and the public half
    is published.
    """
    settings = _settings(log)
    key = ensure_signing_key(settings)
    path = settings.signing_key_file
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_signing_key(settings).public == key.public
    for _ in range(2):
        publish_public_key(log.store, key)
    published = log.store.get(object_key.SITE, object_key.INSTALLATION_KEYS)
    assert read_public_keys(published) == (key.public,)
    assert b'"d"' not in published
    path.chmod(0o644)
    with pytest.raises(BadInput, match="chmod 600"):
        load_signing_key(settings)
    path.unlink()
    assert find_signing_key(settings) is None
    with pytest.raises(KeyMissing, match="encounter up"):
        load_signing_key(settings)


def test_pseudonyms_are_keyed(log: AuditLog, tmp_path: Path) -> None:
    """The same name is the same here and another elsewhere, and is not in it."""
    key = log.key
    other = ensure_signing_key(load_settings(home=tmp_path / "elsewhere"))
    assert key is not None
    assert key.pseudonym("user kim") == key.pseudonym("user kim") != key.pseudonym("account kim")
    assert other.pseudonym("user kim") != key.pseudonym("user kim")
    assert "kim" not in key.pseudonym("user kim")


@pytest.mark.parametrize("with_key", [True, False])
def test_the_log_goes_on_past_an_entry_that_a_disk_lost(log: AuditLog, with_key: bool) -> None:
    """The store lists the last entry and cannot read it, as after a power cut: the next event is
    written all the same, behind an entry that tells of it; the check names the lost one alone.
    """
    for _ in range(3):
        log.append(EVENT)
    key = object_key.audit_entry(3)
    with flaky_proxy(log.store.endpoint) as proxy:
        proxy.fault = lambda r: "broken" if r.method == "GET" and key in r.path else None
        settings = log.store.settings.model_copy(update={"endpoint": proxy.endpoint, "retries": 1})
        store = ObjectStore(settings)
        first = AuditLog(store, _settings(log), log.key if with_key else None)
        assert first.append(EVENT).entry.sequence == 5
        assert first.append(EVENT).entry.sequence == 6
        other = AuditLog(store, _settings(log), log.key)
        assert other.append(EVENT).entry.sequence == 7
        assert log.key is not None
        stored = ((e.sequence, e.data) for e in other.read())
        verdict = verify(stored, [log.key.public], other.witnessed())
        note = read_link(store.get(AUDIT, object_key.audit_entry(4))).entry
    assert [(f.sequence, f.kind) for f in verdict.findings] == [(3, "unreadable")]
    assert "cannot read entry 3" in note.reason
    assert bool(note.checkpoint) is with_key


def test_a_store_that_is_down_is_not_a_lost_entry(log: AuditLog) -> None:
    """Nothing is written then, and afterwards the chain is whole."""
    log.append(EVENT)
    with flaky_proxy(log.store.endpoint) as proxy:
        proxy.fault = lambda r: "busy" if r.method == "GET" and "versions" not in r.path else None
        settings = log.store.settings.model_copy(update={"endpoint": proxy.endpoint, "retries": 1})
        with pytest.raises(StoreError):
            AuditLog(ObjectStore(settings), _settings(log), log.key).append(EVENT)
    log.append(EVENT)
    assert not checked(log).findings
