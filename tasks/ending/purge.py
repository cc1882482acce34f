"""Which cases have ended, and what of a case goes when it ends: planned purely, carried out
elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError

from data_contracts.case import DRAFT_ID
from data_contracts.deletion import KINDS, CaseFacts, DeletionKind, DeletionPlan
from data_contracts.record import Record
from data_contracts.time import Utc

WITHDRAWN = "consent was withdrawn"
UNFINISHED = "finishing an earlier purge"
# What an entry of the audit log and a receipt take.
_REASON_CHARS = 240


class CasePapers(Record):
    """What decides whether a case's purpose has ended. A case without a key is a purge that broke
    off. `ended`: it was ended before, and was not destroyed, or somebody put it back. `opens`:
    whether it can be read here; of one that cannot, anyone who writes to the bucket may have put
    it there.
    """

    case_id: str
    has_key: bool
    filed_utc: Utc | None = None
    expires_utc: Utc | None = None
    withdrawn: bool = False
    ended: bool = False
    opens: bool = True


# What reading a token of any shape may raise.
_UNREADABLE = (
    JoseError,
    ValueError,
    LookupError,
    TypeError,
    OverflowError,
    OSError,
    RecursionError,
)


class Doomed(Record):
    """A case to destroy, and why. `by_time`: only the clock says so; nobody asked for it. `opens`:
    as in its papers.
    """

    case_id: str
    reason: str
    by_time: bool
    opens: bool = True


def claimed_expiry(token: str) -> datetime:
    """When a token says it expires. Its signature is not checked: this is read only to end a case,
    never to allow one.

    A token that cannot be read counts as expired long ago.
    """
    try:
        return datetime.fromtimestamp(_claims(token)["exp"], UTC)
    except _UNREADABLE:
        return datetime.min.replace(tzinfo=UTC)


def claimed_scopes(token: str) -> tuple[str, ...]:
    """The searches that a token names, for the record of a case that ends; empty where it cannot be
    read.
    """
    try:
        return tuple(sorted(str(scope) for scope in _claims(token)["encounter"]["scopes"]))
    except _UNREADABLE:
        return ()


def _claims(token: str) -> Any:
    return json.loads(jws.extract_compact(token.encode()).payload or b"")


def clean_reason(text: str) -> str:
    """A reason as receipt and audit log can hold it: one printable line. It is cut and cleaned,
    never refused: no text may keep a case alive.
    """
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line[:_REASON_CHARS].rstrip() or "no reason was given"


def plan_deletion(
    case_id: str,
    reason: str,
    asked_by: str,
    now: datetime,
    found: Mapping[DeletionKind, int],
    facts: CaseFacts,
) -> DeletionPlan:
    """What of a case goes. `found` counts what there is, by kind; kinds of which there is nothing
    are left out.
    """
    ordered = {kind: found[kind] for kind in KINDS if found.get(kind)}
    return DeletionPlan(
        case_id=case_id, reason=reason, asked_by=asked_by, begun_utc=now, found=ordered, facts=facts
    )


def plan_lines(plan: DeletionPlan) -> list[str]:
    """The plan for a person, in the order in which things go."""
    return [f"{number} {KINDS[kind]}" for kind, number in plan.found.items()]


def plan_purge(
    papers: Iterable[CasePapers], now: datetime, keep_days: int, draft_days: int
) -> list[Doomed]:
    """Cases whose consent or approval expired or was withdrawn, that are older than `keep_days`, or
    that are half purged; and drafts of cases, known by their ids, older than `draft_days`.

    A case that has a key but no request yet is being filed and is left alone.
    """
    out = []
    for case in papers:
        days = draft_days if DRAFT_ID.match(case.case_id) else keep_days
        reason = _reason(case, now, days)
        if reason:
            by_time = case.has_key and not case.withdrawn and not case.ended
            doomed = Doomed(case_id=case.case_id, reason=reason, by_time=by_time, opens=case.opens)
            out.append(doomed)
    return out


def _reason(case: CasePapers, now: datetime, keep_days: int) -> str | None:
    if not case.has_key:
        return UNFINISHED
    if case.withdrawn:
        return WITHDRAWN
    if case.ended:
        return UNFINISHED
    if case.expires_utc is not None and now >= case.expires_utc:
        return "consent or approval expired"
    if case.filed_utc is not None and now >= case.filed_utc + timedelta(days=keep_days):
        return f"kept for {keep_days} days"
    return None
