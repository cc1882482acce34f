"""Who may write to the buckets, and has no key of the installation, dictates no deletion: neither
what a receipt says, nor whose traces go.
"""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from audit_scene import new_key
from closing import environment_apart, filled_case, nothing_of

from data_contracts import object_key
from data_contracts.audit import read_link
from data_contracts.deletion import JOURNAL_TYPE, RECEIPT_TYPE, CaseFacts, DeletionPlan, Receipt
from data_contracts.time import now_utc
from flows.cases import deletion_steps, destroy
from flows.cases.destroy import Unfinished, destroy_case, plan_of
from flows.cases.receipts import earlier_receipt
from flows.cases.sweep import sweep
from flows.runtime.environment import Environment
from infra.settings import Settings

pytestmark = pytest.mark.stack


@pytest.fixture
def env(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    """An environment of the test's own, with a store and no orchestrator."""
    monkeypatch.setattr(deletion_steps, "_DELETED_AFTER_S", 0.0)
    return environment_apart(settings, tmp_path / "home")


def dictated(case_id: str) -> DeletionPlan:
    """What an attacker would like a receipt to say."""
    return DeletionPlan(
        case_id=case_id,
        reason="dictated",
        asked_by="user:00ff",
        begun_utc=now_utc() - timedelta(days=3),
        found={"object_versions": 999},
        facts=CaseFacts(reference_pictures=77),
        passes=41,
    )


def put_journal(env: Environment, case_id: str, data: bytes) -> None:
    """Write a journal with the bucket's rights alone."""
    env.store.put(object_key.CASES, object_key.purge_journal(case_id), data)


def entries_of(env: Environment, case_id: str) -> list:
    """The audit log's entries about a case."""
    found = (read_link(s.data or b"").entry for s in env.audit_log.read())
    return [e for e in found if e.case_id == case_id]


@pytest.mark.parametrize("how", ["unsigned", "foreign", "another case's", "garbage", "empty"])
def test_a_journal_that_was_not_signed_here_dictates_nothing(env: Environment, how: str) -> None:
    """It is set aside and the audit log says so; the plan is made anew, and the receipt counts what
    was there. A journal about another case leaves that case alone.
    """
    other = filled_case(env, objects=0).case_id
    case_id = filled_case(env, objects=1).case_id
    plan = dictated(other if how == "another case's" else case_id)
    signer = env.audit_log.key if how == "another case's" else new_key()
    assert signer is not None
    payload = plan.model_dump(mode="json")
    data = {
        "unsigned": json.dumps(payload).encode(),
        "garbage": b"\xff" * 300,
        "empty": b"",
    }.get(how, signer.sign(JOURNAL_TYPE, payload).encode())
    put_journal(env, case_id, data)
    assert plan_of(case_id, "closed", env).reason == "closed"
    receipt = destroy_case(case_id, "closed", env)
    assert (receipt.case_id, receipt.reason, receipt.passes) == (case_id, "closed", 1)
    assert receipt.facts.reference_pictures == 1
    assert receipt.found["object_versions"] == receipt.destroyed["object_versions"] == 6
    assert nothing_of(env.store, case_id)
    assert env.cases.has_key(other)
    set_aside = [e for e in entries_of(env, case_id) if e.action == "refuse"]
    assert len(set_aside) == 1
    assert "journal is set aside" in set_aside[0].reason


def test_a_journal_of_an_earlier_life_ends_no_purge_early(
    env: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A journal that was really signed here, kept and put back when the id is used again, leads to
    no old receipt: the new life is destroyed whole, with a receipt of its own.
    """
    case_id = filled_case(env, objects=0).case_id
    kept: list[bytes] = []
    close = destroy._close_journal

    def keep(env: Environment, case_id: str) -> None:
        kept.append(env.store.get(object_key.CASES, object_key.purge_journal(case_id)))
        close(env, case_id)

    with monkeypatch.context() as patched:
        patched.setattr(destroy, "_close_journal", keep)
        first = destroy_case(case_id, "first life", env)
    env.cases.create_key(case_id)
    put_journal(env, case_id, kept[0])
    second = destroy_case(case_id, "second life", env)
    assert (second.reason, second.destroyed["key_versions"]) == ("second life", 1)
    assert second.key != first.key
    assert earlier_receipt(env, case_id) == second
    assert nothing_of(env.store, case_id)


def test_the_place_of_the_receipt_cannot_be_taken(
    env: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Something that lies where the receipt is to go does not leave the purge without one."""
    case_id = filled_case(env, objects=0).case_id

    def fails(*_: object) -> dict:
        raise OSError

    with monkeypatch.context() as patched:
        patched.setattr(destroy, "STEPS", (destroy.STEPS[0], fails))
        with pytest.raises(Unfinished):
            destroy_case(case_id, "closed", env)
    taken = object_key.receipt(case_id, plan_of(case_id, "", env).begun_utc)
    env.store.put(object_key.AUDIT, taken, b"taken")
    receipt = destroy_case(case_id, "again", env)
    assert receipt.key != taken
    assert receipt.reason == "closed"
    env.store.put(object_key.AUDIT, f"{object_key.receipts(case_id)}99999999.jws", b"newest")
    assert earlier_receipt(env, case_id) == receipt


def made_up(env: Environment, case_id: str, key: str, **changes: object) -> str:
    """A receipt as this installation would sign it, with changes."""
    assert env.audit_log.key is not None
    plan = dictated(case_id)
    receipt = Receipt(
        key=key,
        purged_utc=now_utc(),
        destroyed={},
        verified=("it was looked for",),
        remains=(),
        **plan.model_dump(exclude={"failed"}),
    ).model_copy(update=changes)
    return env.audit_log.key.sign(RECEIPT_TYPE, receipt.model_dump(mode="json"))


@pytest.mark.parametrize(
    "how", ["garbage", "foreign", "anothers", "moved", "incomplete", "no case id"]
)
def test_sweep_does_nothing_on_account_of_a_name(env: Environment, how: str) -> None:
    """An object below receipts/ that is not a whole receipt of that case makes nothing go, is
    written down, and keeps no other case's late traces.
    """
    target = f"K-TARGET-{how.upper().replace(' ', '-')}"
    key = f"receipts/{target}/20261130T000000000000Z.jws"
    data = {
        "garbage": "garbage",
        "foreign": new_key().sign(RECEIPT_TYPE, {"case_id": target}),
        "anothers": made_up(env, "K-OTHER-9", key),
        "moved": made_up(env, target, key.replace("2026", "2025")),
        "incomplete": made_up(env, target, key, verified=()),
        "no case id": made_up(env, "x", "receipts/x/x.jws"),
    }[how]
    key = "receipts/x/x.jws" if how == "no case id" else key
    env.store.put(object_key.AUDIT, key, data.encode())
    gone = destroy_case(filled_case(env, objects=0).case_id, "closed", env).case_id
    log = env.settings.paths.logs / "swept.log"
    log.write_text(f"case {target} began; case {gone} ended; UTC INFO COMPLETED")
    try:
        swept = sweep(env, now_utc() - timedelta(hours=1))
        assert key in swept.refused
        assert not swept.failed
        text = log.read_text()
        assert text == f"case {target} began; case {'x' * len(gone)} ended; UTC INFO COMPLETED"
        assert sweep(env, now_utc() - timedelta(hours=1)).cases == 0
    finally:
        log.unlink()
        env.store.remove_all_versions(object_key.AUDIT, key)


@pytest.mark.parametrize("word", ["INFO", "UTC", "COMPLETED", "2026-11-30"])
def test_a_case_called_like_a_word_blanks_no_log(env: Environment, word: str) -> None:
    """Its purge overwrites where the logs name the case, and leaves the word alone."""
    env.cases.create_key(word)
    log = env.settings.paths.logs / "words.log"
    line = f"2026-11-30 07:00 UTC | INFO | a run ended in COMPLETED {word}\n"
    log.write_text(f"{line}case {word}: its run '{word}' began\n{line}")
    receipt = destroy_case(word, "closed", env)
    gone = "x" * len(word)
    assert log.read_text() == f"{line}case {gone}: its run '{gone}' began\n{line}"
    assert receipt.destroyed["log_mentions"] >= 2
    log.unlink()
