"""Writing to the audit log from flows and commands: `audit(env, "view", case=..., objects=(...))`
before the thing is done.

Fails closed: the call raises StoreError when the entry cannot be written, and what it announces
must not be done then. Only the destruction of a case's key goes on without: see docs/audit.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from data_contracts import object_key
from data_contracts.audit import Action, AuditEvent, Link, Outcome
from data_contracts.authorisation import AuthorisedCase
from data_contracts.errors import EncounterError, NotAuthorised, StoreError
from flows.runtime.acting import Acting, who_acts_now
from flows.runtime.environment import Environment
from infra.signing import InstallationKey
from tasks.consent.grant_token import claimed_id

_signers_read: dict[str, tuple[str, ...]] = {}
_KEY_ID = re.compile(r"^[A-Za-z0-9_-]{43}\Z")


def pseudonym(who: Acting, key: InstallationKey | None) -> str:
    """`kind:id` for the log. Without the installation's key only the kind is told."""
    if who.kind == "service":
        return f"service:{who.name}"
    return f"{who.kind}:{key.pseudonym(f'{who.kind} {who.name}') if key else 'unknown'}"


def who_acts(env: Environment) -> str:
    """The present actor as it stands in the log."""
    return pseudonym(who_acts_now(), env.audit_log.key)


def audit(
    env: Environment,
    action: Action,
    *,
    case: AuthorisedCase | None = None,
    case_id: str | None = None,
    outcome: Outcome = "success",
    checkpoint: bool = False,
    **fields: Any,
) -> Link:
    """Write one entry; `fields` are those of `data_contracts.audit.AuditEvent`. Raises StoreError:
    do not go on then.

    From `case` come its grounds: purpose, legal basis, period, scopes, cameras, papers and who
    signed them.
    """
    who = who_acts_now()
    given: dict[str, Any] = {
        "actor": pseudonym(who, env.audit_log.key),
        "role": who.role,
        "case_id": case.case_id if case else case_id,
        **(_legal_grounds(case) if case else {}),
        **fields,
    }
    if case is None and case_id is not None and "verified_by" not in given:
        given["verified_by"] = _signers_of(env, case_id)
    if case is not None and action == "authorise":
        given["objects"] = (*_bound_digests(case), *given.get("objects", ()))
    return env.audit_log.append(
        AuditEvent(action=action, outcome=outcome, **given), checkpoint=checkpoint
    )


def _legal_grounds(case: AuthorisedCase) -> dict[str, Any]:
    grants = (case.consent, case.approval)
    common = [set(g.cameras) for g in grants if "*" not in g.cameras]
    return {
        "purpose": one_line(case.request.purpose),
        "legal_basis": tuple(dict.fromkeys(one_line(g.legal_basis) for g in grants)),
        "from_utc": case.span.start_utc,
        "to_utc": case.span.end_utc,
        "scopes": tuple(sorted(case.scopes)),
        "cameras": tuple(sorted(set.intersection(*common))) if common else ("*",),
        "papers": tuple(one_line(f"{g.role}:{g.token_id}") for g in grants),
        "verified_by": tuple(f"key:{g.key_id}" for g in grants),
    }


def _signers_of(env: Environment, case_id: str) -> tuple[str, ...]:
    """The keys that signed a case's papers, as its tokens say; of a case that is destroyed, as this
    process read them before.
    """
    try:
        vault = env.cases.open(case_id)
        keys = (object_key.consent(case_id), object_key.approval(case_id))
        tokens = [vault.get(key).decode() for key in keys]
    except (EncounterError, UnicodeDecodeError):
        return _signers_read.get(case_id, ())
    ids = [found[0] for token in tokens if (found := claimed_id(token))]
    _signers_read[case_id] = tuple(f"key:{key_id}" for key_id in ids if _KEY_ID.match(key_id))
    return _signers_read[case_id]


def _bound_digests(case: AuthorisedCase) -> tuple[str, ...]:
    """What both papers are bound to, as keyed digests: without a paper they say nothing."""
    out = []
    for grant in (case.consent, case.approval):
        kinds = [("picture", d) for d in grant.binding.pictures]
        kinds += [("itinerary", grant.binding.itinerary), ("window", grant.binding.window)]
        out += [f"{grant.role}-{kind}:{digest}" for kind, digest in kinds]
    return tuple(out)


def one_line(text: str, limit: int = 120) -> str:
    """What a signer or filer typed, as an entry may hold it: one printable line, cut at `limit`
    characters.
    """
    return "".join(c if c.isprintable() else " " for c in text)[:limit]


@contextmanager
def refusals_written(env: Environment, case_id: str | None = None) -> Iterator[None]:
    """Writes a NotAuthorised that leaves the block, once however many blocks it leaves, and lets it
    go on.
    """
    try:
        yield
    except NotAuthorised as refusal:
        if not refusal.audited:
            _write_refusal(env, case_id, refusal)
        raise


@contextmanager
def failures_written(env: Environment, case_id: str) -> Iterator[None]:
    """Writes the end of a run that failed or was cancelled, by the kind of error alone, and lets
    the error go on.
    """
    try:
        yield
    except BaseException as error:
        audit(env, "run-finished", case_id=case_id, outcome="failed", reason=type(error).__name__)
        raise


def audit_daily(env: Environment, action: Action, **fields: Any) -> None:
    """`audit`, but the same entry once a day: for what a scheduled pass meets again and again."""
    from flows.runtime.results import digest

    day = f"{datetime.now(UTC):%Y-%m-%d}"
    mark = object_key.audit_mark(digest(action=action, day=day, **fields))
    if not env.store.exists(object_key.AUDIT, mark):
        audit(env, action, **fields)
        env.store.put_if_absent(object_key.AUDIT, mark, b"")


def _write_refusal(env: Environment, case_id: str | None, refusal: NotAuthorised) -> None:
    write = audit_daily if who_acts_now().repeats else audit
    reason = one_line(str(refusal), 240)
    try:
        write(env, "refuse", case_id=case_id, outcome="refused", reason=reason)
    except StoreError as error:
        raise NotAuthorised(
            f"{refusal} (and the audit log could not be written: {error})"
        ) from error
    refusal.audited = True
