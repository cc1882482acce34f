"""The audit log's entries: who did what to which case, on what grounds, with what result.

An entry is a row of words from short lists, identifiers and counts. It names no one (actors and
signers are ids, the subject is left out altogether) and has no field that could hold a picture or a
measure of a person: no number but whole counts, no text longer than a line. Entries are linked: the
hash of one is SHA-256 over the hash of the one before and this one's canonical bytes, so none can
be changed, removed or moved without every later hash changing too.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError

from data_contracts.errors import BadInput
from data_contracts.record import Record, first_fault
from data_contracts.time import Utc

Action = Literal[
    "authorise",  # consent and approval were checked and hold
    "refuse",  # something was asked for that they do not allow, or by someone who may not
    "run-started",
    "run-finished",
    "reassess",  # stored encounters under another policy
    "draft",  # a case is being filed: begun, handed on, sent back
    "sign",  # somebody handed in a signed consent or approval for it
    "view",
    "look",  # a reviewer sees whom a question is about, in a picture that is kept nowhere
    "point",  # somebody says of a person in a picture that this is the subject
    "export",
    "decision",  # a reviewer confirms or rejects a sighting
    "withdraw",
    "start",  # somebody asks for a new run of a case
    "stop",  # somebody stops a running trace
    "delete-started",  # the case's key is destroyed, its objects are about to go
    "delete",
    "configure",  # trusted keys, cameras, the master key, accounts or who sees a case
    "checkpoint",
]
Outcome = Literal["success", "refused", "failed"]
ActorRole = Literal[
    "intake",
    "operator",
    "service",
    # Those of the desk (data_contracts/account.py).
    "tracer",
    "consent-officer",
    "approver",
    "reviewer",
    "administrator",
    "auditor",
]

# The largest entry: twenty thousand cameras and as many sightings, in long names.
MAX_ENTRY_BYTES = 16 * 1024 * 1024
# The hash before the first entry.
GENESIS = "0" * 64
# The header's `typ` of a signed checkpoint.
CHECKPOINT_TYPE = "encounter-audit-checkpoint+jws"


def _line(value: str) -> str:
    if not value.isprintable():
        raise ValueError("one line of printable text is expected")
    return value


Word = Annotated[str, Field(max_length=120), AfterValidator(_line)]
Line = Annotated[str, Field(max_length=240), AfterValidator(_line)]
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
# A kind and a pseudonym: a keyed hash of an account, a key's thumbprint, the name of a service.
Actor = Annotated[str, Field(pattern=r"^(user|account|key|service):[A-Za-z0-9_.-]{1,64}$")]


class AuditEvent(Record):
    """What happened. Empty fields say that they do not apply.

    `papers` are ids of the tokens, `verified_by` the keys that signed them (or the reviewers who
    decided); `matched` are sightings by their number in the run, `objects` names of artefacts or
    digests of what was replaced.
    """

    action: Action
    outcome: Outcome = "success"
    actor: Actor
    role: ActorRole
    case_id: str | None = Field(default=None, pattern=r"^[A-Z0-9][A-Z0-9-]{2,39}$")
    run_id: Word = ""
    purpose: Word = ""
    legal_basis: tuple[Word, ...] = ()
    from_utc: Utc | None = None
    to_utc: Utc | None = None
    scopes: tuple[Word, ...] = ()
    cameras: tuple[Word, ...] = Field(default=(), max_length=20_000)
    models: dict[Word, Word] = Field(default_factory=dict, max_length=32)
    policy: Word = ""
    papers: tuple[Word, ...] = Field(default=(), max_length=8)
    verified_by: tuple[Actor, ...] = Field(default=(), max_length=8)
    matched: tuple[Word, ...] = Field(default=(), max_length=20_000)
    objects: tuple[Word, ...] = Field(default=(), max_length=1_000)
    counts: dict[Word, Annotated[int, Field(strict=True)]] = Field(
        default_factory=dict, max_length=64
    )
    reason: Line = ""


class AuditEntry(AuditEvent):
    """An event at its place in the log. `entry_id` is random; `checkpoint` is a signed checkpoint
    of what came before.
    """

    version: Literal[1] = 1
    sequence: int = Field(ge=1)
    entry_id: str = Field(pattern=r"^[0-9a-f]{32}$")
    recorded_utc: Utc
    checkpoint: str = Field(default="", max_length=2_000, pattern=r"^[A-Za-z0-9_.-]*$")


class Link(Record):
    """An entry with the hash of the entry before it and its own."""

    entry: AuditEntry
    previous: Hash
    hash: Hash


class Checkpoint(Record):
    """What a checkpoint's signature vouches for: the log had `sequence` entries at `time`, the last
    with hash `head`.
    """

    sequence: int = Field(ge=1)
    head: Hash
    time: Utc


def canonical(record: Record) -> bytes:
    """The record as JSON with sorted keys and no spaces, UTF-8 (RFC 8785; the records hold no
    fractions).
    """
    value: Any = record.model_dump(mode="json")
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def entry_hash(previous: str, entry: AuditEntry) -> str:
    """SHA-256 over the previous entry's hash (32 bytes) and this entry's canonical bytes, in
    hex.
    """
    return hashlib.sha256(bytes.fromhex(previous) + canonical(entry)).hexdigest()


def link(previous: str, entry: AuditEntry) -> Link:
    """Chain an entry to the one before it."""
    return Link(entry=entry, previous=previous, hash=entry_hash(previous, entry))


def read_link(data: bytes) -> Link:
    """A stored entry. Raises BadInput where it is none, or is not written in its one canonical
    form.
    """
    if len(data) > MAX_ENTRY_BYTES:
        raise BadInput(f"no audit entry: more than {MAX_ENTRY_BYTES} bytes")
    try:
        found = Link.model_validate_json(data)
    except ValidationError as error:
        raise BadInput(f"not an audit entry: {first_fault(error)}") from None
    if canonical(found) != data:
        raise BadInput("no audit entry: its bytes are not in canonical form")
    return found
