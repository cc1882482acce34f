"""Who may write to the audit bucket cannot stop the log, whatever is put into it: it goes on behind
its own end, and the check names what does not belong.
"""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest
from audit_scene import chain

from data_contracts import object_key
from data_contracts.audit import AuditEvent, canonical
from data_contracts.object_key import AUDIT
from infra import audit_log
from infra.audit_log import AuditLog, open_audit_log
from infra.settings import Settings, load_settings
from infra.signing import ensure_signing_key
from infra.store import ObjectStore
from tasks.audit.chain import Verdict, verify

pytestmark = pytest.mark.stack
EVENT = AuditEvent(action="view", actor="account:00aa", role="reviewer", case_id="K-AUDIT-1")


@pytest.fixture
def own(settings: Settings, tmp_path: Path) -> Settings:
    """A home and buckets of this test's own, in the shared store."""
    s3 = settings.s3.model_copy(update={"bucket_prefix": f"o{secrets.token_hex(4)}-"})
    made = load_settings(home=tmp_path / "home", s3=s3.model_dump())
    ObjectStore(made.s3).ensure_buckets()
    ensure_signing_key(made)
    return made


def fresh(own: Settings) -> AuditLog:
    """Another process's view of the log."""
    return open_audit_log(ObjectStore(own.s3), own)


def checked(log: AuditLog) -> Verdict:
    """The check of everything that is stored."""
    assert log.key is not None
    return verify(((e.sequence, e.data) for e in log.read()), [log.key.public], log.witnessed())


@pytest.mark.parametrize("witness", [True, False])
@pytest.mark.parametrize("number", [999_999_999_999, 10**12, 10**17, 5000, 1000])
def test_a_far_number_is_never_followed(own: Settings, number: int, witness: bool) -> None:
    """A sound-looking entry, or garbage, under a number that nothing leads to: the log goes on with
    its next number, and the check says which object does not belong.
    """
    log = fresh(own)
    for _ in range(3):
        log.append(EVENT, checkpoint=witness)
    before = checked(log).entries
    (forged,) = chain(1)
    entry = forged.entry.model_copy(update={"sequence": number})
    data = canonical(forged.model_copy(update={"entry": entry}))
    log.store.put(AUDIT, object_key.audit_entry(number), data)
    log.store.put(AUDIT, object_key.audit_entry(number + 1), b"garbage")
    assert fresh(own).append(EVENT).entry.sequence == before + 1
    verdict = checked(fresh(own))
    kinds = {(f.sequence, f.kind) for f in verdict.findings}
    far = {(number, "outlier"), (number + 1, "outlier")}
    assert far <= kinds or number == 1000
    assert kinds
    if number != 1000:
        assert kinds == far
        assert verdict.entries == before + 1


def test_many_next_places_filled_stop_nobody(
    own: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Garbage in the next hundred places is stepped over with few requests."""
    log = fresh(own)
    log.append(EVENT)
    for number in range(2, 102):
        log.store.put(AUDIT, object_key.audit_entry(number), b"garbage")
    monkeypatch.setattr(audit_log, "_ATTEMPTS", 30)
    assert log.append(EVENT).entry.sequence == 102
    assert fresh(own).append(EVENT).entry.sequence == 103


@pytest.mark.parametrize(
    "key",
    [
        "entries/000000000/000000000001x.json",
        "entries/000000000/0000000000002.json",
        "entries/000000000/1.json",
        "entries/0/000000000002.json",
        "entries/x/000000000002.json",
        "entries/000000001/000000000002.json",
        "entries/000000000/\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661.json",
        f"entries/000000000/{'9' * 400}.json",
        "entries/999999999999999999/1.json",
    ],
)
def test_a_name_that_is_not_an_entrys_is_told_and_ignored(own: Settings, key: str) -> None:
    """Names that look like an entry's are strangers: they lead nowhere and hide nothing."""
    log = fresh(own)
    log.append(EVENT)
    log.store.put(AUDIT, key, b"{}")
    assert fresh(own).append(EVENT).entry.sequence == 2
    assert log.strangers() == [key]
    assert not checked(log).findings


@pytest.mark.parametrize(
    "data",
    [b"[" * 300_000, b'{"entry":' * 100_000, b'{"entry":{"sequence":' + b"9" * 5_000 + b"}}"],
)
def test_deep_and_long_json_is_a_finding(own: Settings, data: bytes) -> None:
    """JSON nested without end, or a number without end, in an entry's place: found there, and the
    log goes on.
    """
    log = fresh(own)
    log.append(EVENT)
    log.store.put(AUDIT, object_key.audit_entry(2), data)
    assert fresh(own).append(EVENT).entry.sequence == 3
    assert {(f.sequence, f.kind) for f in checked(log).findings} == {(2, "unreadable")}


def test_a_huge_entry_is_not_read(own: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an object that is too long to be an entry only the beginning is read."""
    monkeypatch.setattr(audit_log, "MAX_ENTRY_BYTES", 100_000)
    log = fresh(own)
    log.append(EVENT)
    log.store.put(AUDIT, object_key.audit_entry(2), b"x" * 300_000)
    assert fresh(own).append(EVENT).entry.sequence == 3
    assert max(len(stored.data or b"") for stored in log.read()) < 100_000
    assert {(f.sequence, f.kind) for f in checked(log).findings} == {(2, "unreadable")}
