"""A purge's journal counts only where this installation signed it, about this case."""

from __future__ import annotations

import json

import pytest
from audit_scene import NOW, new_key

from data_contracts.deletion import JOURNAL_TYPE, RECEIPT_TYPE, CaseFacts, DeletionPlan
from data_contracts.errors import NotAuthorised
from tasks.ending.journal import MAX_BYTES, read_journal

KEY = new_key()
PLAN = DeletionPlan(
    case_id="K-1-1",
    reason="closed",
    asked_by="user:00aa",
    begun_utc=NOW,
    found={"object_versions": 7},
    facts=CaseFacts(),
    passes=1,
)
PAYLOAD = PLAN.model_dump(mode="json")


def test_what_was_signed_here_is_read_again() -> None:
    """The plan comes back as it was."""
    token = KEY.sign(JOURNAL_TYPE, PAYLOAD).encode()
    assert read_journal(token, "K-1-1", [KEY.public]) == PLAN


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"garbage",
        b"\xff\xfe",
        b"[" * 50_000,
        b"A" * (MAX_BYTES + 1),
        json.dumps(PAYLOAD).encode(),
        new_key().sign(JOURNAL_TYPE, PAYLOAD).encode(),
        KEY.sign(RECEIPT_TYPE, PAYLOAD).encode(),
        KEY.sign(JOURNAL_TYPE, PAYLOAD | {"case_id": "K-2-2"}).encode(),
        KEY.sign(JOURNAL_TYPE, {"case_id": "K-1-1"}).encode(),
        KEY.sign(JOURNAL_TYPE, PAYLOAD | {"more": 1}).encode(),
        KEY.sign(JOURNAL_TYPE, PAYLOAD).encode()[:-4],
    ],
)
def test_anything_else_is_refused(data: bytes) -> None:
    """Unsigned, another's, of another kind or case, cut off or garbage: one clear refusal."""
    with pytest.raises(NotAuthorised, match="journal refused"):
        read_journal(data, "K-1-1", [KEY.public])
