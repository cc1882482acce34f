"""Never 4: everything of a case is sealed under its key; when the purpose ends, key and objects go,
all versions.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from grants import BINDING
from subject_case import NOW

from data_contracts import object_key
from data_contracts.errors import KeyMissing
from infra.case_store import CaseStore, CaseVault
from infra.store import ObjectStore
from tasks.consent.grant_token import GrantDraft, generate_key, sign_grant
from tasks.ending.purge import CasePapers, claimed_expiry, plan_purge

KEEP = 28
DRAFT_KEEP = 3


def papers(**changes) -> CasePapers:
    """A case filed a day ago that expires in a week."""
    given = {
        "filed_utc": NOW - timedelta(days=1),
        "expires_utc": NOW + timedelta(days=7),
        **changes,
    }
    return CasePapers(case_id="K-1-1", has_key=given.pop("has_key", True), **given)


def draft(days: int, **given: bool) -> CasePapers:
    """A draft of a case, begun so many days ago."""
    begun = NOW - timedelta(days=days)
    return CasePapers(case_id=f"DRAFT-{'A2' * 10}", has_key=True, filed_utc=begun, **given)


@pytest.mark.parametrize(
    ("case", "why"),
    [
        (papers(expires_utc=NOW), "expired"),
        (papers(withdrawn=True), "withdrawn"),
        (papers(filed_utc=NOW - timedelta(days=KEEP)), "kept for 28 days"),
        (CasePapers(case_id="K-1-1", has_key=False), "earlier purge"),
        (papers(), None),
        (papers(expires_utc=NOW + timedelta(seconds=1)), None),
        (papers(filed_utc=None, expires_utc=None), None),
        (draft(DRAFT_KEEP), "kept for 3 days"),
        (draft(DRAFT_KEEP, opens=False), "kept for 3 days"),
        (draft(DRAFT_KEEP - 1), None),
    ],
)
def test_what_ends_a_case(case: CasePapers, why: str | None) -> None:
    """Expiry, withdrawal, age and a broken-off purge end a case; a case that is just being filed is
    left alone; a draft of one ends earlier, also one that cannot be read.
    """
    doomed = plan_purge([case], NOW, KEEP, DRAFT_KEEP)
    assert [why in d.reason for d in doomed] == ([True] if why else [])


def test_expiry_is_read_from_the_token_and_garbage_has_expired() -> None:
    """The purge needs no valid signature to end a case, and an unreadable token keeps no case
    alive.
    """
    private, _ = generate_key("Dr Kim", ("consent",))
    until = datetime(2026, 12, 1, tzinfo=UTC)
    draft = GrantDraft(
        role="consent",
        case_id="K-1-1",
        subject="S",
        scopes=("face",),
        cameras=("*",),
        from_utc=NOW,
        to_utc=NOW + timedelta(days=1),
        legal_basis="x",
        expires_utc=until,
        binding=BINDING,
    )
    token = sign_grant(private, draft, NOW)
    assert claimed_expiry(token) == until
    for garbage in ("", "a.b.c", token[:-1].split(".", maxsplit=1)[0], "{}"):
        assert claimed_expiry(garbage) < NOW


def test_nothing_of_a_case_is_readable_in_the_store(vault: CaseVault, store: ObjectStore) -> None:
    """What is written is not in the bucket in clear, under any key, in any version."""
    secret = b"the subject was at the counter"
    vault.put(object_key.case(vault.case_id, "note.txt"), secret)
    for item in store.list_versions(object_key.CASES, f"{vault.case_id}/"):
        assert secret not in store.get(object_key.CASES, item.key)
    assert vault.get(object_key.case(vault.case_id, "note.txt")) == secret


def test_a_destroyed_key_ends_open_handles_too(
    vault: CaseVault, case_store: CaseStore, store: ObjectStore
) -> None:
    """After the key is gone neither a new nor an already open vault reads or writes, though
    ciphertext is still there.
    """
    key = object_key.case(vault.case_id, "note.txt")
    vault.put(key, b"x")
    case_store.destroy_key(vault.case_id)
    assert store.exists(object_key.CASES, key)
    with pytest.raises(KeyMissing):
        vault.get(key)
    with pytest.raises(KeyMissing):
        vault.put(key, b"y")
    with pytest.raises(KeyMissing):
        case_store.open(vault.case_id)
