"""The end of a case: what goes, in which order, and the receipt that says so. Kinds and numbers,
nothing personal.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from data_contracts.record import Record
from data_contracts.time import Utc

RECEIPT_TYPE = "encounter-deletion-receipt+jws"
JOURNAL_TYPE = "encounter-purge-journal+jws"

DeletionKind = Literal[
    "key_versions",
    "object_versions",
    "delete_markers",
    "uploads",
    "runs",
    "artifacts",
    "database_rows",
    "scratch_files",
    "fetched_files",
    "log_mentions",
]
# What each kind is, in the order in which it goes: the key first, for without it the rest cannot be
# read.
KINDS: dict[DeletionKind, str] = {
    "key_versions": "versions of the wrapped key",
    "object_versions": "versions of encrypted objects",
    "delete_markers": "delete markers",
    "uploads": "incomplete multipart uploads",
    "runs": "runs in the orchestrator, with their task runs, states and logs",
    "artifacts": "artifacts in the orchestrator",
    "database_rows": "rows of the local orchestrator's database, its events among them",
    "scratch_files": "files in the scratch folder of this machine's workers",
    "fetched_files": "decrypted copies that were fetched on this machine",
    "log_mentions": "mentions of the case in this machine's logs, overwritten in place",
}


class CaseFacts(Record):
    """What was collected of a case, searched and shared: counts and kinds. All zero where the key
    was gone already.
    """

    reference_pictures: int = 0
    claims: int = 0
    scopes: tuple[str, ...] = ()
    runs: int = 0
    results: dict[str, int] = Field(default_factory=dict)
    artefacts: int = 0
    shared: dict[str, int] = Field(default_factory=dict)


class DeletionPlan(Record):
    """What of a case will go, and why. Signed and written beside the case before anything goes, so
    that a purge that is killed is finished under the same plan and ends in one receipt. `asked_by`
    is a pseudonym of the audit log; `failed` are the steps that the last pass could not do, each
    with its error.
    """

    case_id: str
    reason: str
    asked_by: str
    begun_utc: Utc
    found: dict[DeletionKind, int]
    facts: CaseFacts
    passes: int = 0
    failed: tuple[str, ...] = ()


class Receipt(Record):
    """What was destroyed, when, why, who asked and how it was verified.

    `found` is what the plan counted; `destroyed` what the pass that finished it deleted itself,
    which is less where an earlier pass was killed (`passes` above 1), and may be more where a run
    was still writing.
    """

    format: Literal["encounter-deletion-receipt@1"] = "encounter-deletion-receipt@1"
    key: str
    case_id: str
    reason: str
    asked_by: str
    begun_utc: Utc
    purged_utc: Utc
    found: dict[DeletionKind, int]
    destroyed: dict[DeletionKind, int]
    passes: int
    verified: tuple[str, ...]
    remains: tuple[str, ...]
    facts: CaseFacts
