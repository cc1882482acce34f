"""Destroying a case: its key first, then everything of it, verified, with a receipt."""

from __future__ import annotations

import contextlib

from data_contracts import object_key
from data_contracts.errors import EncounterError, KeyMissing, StackError
from data_contracts.time import Record, Utc, now_utc
from flows.context import Environment, environment
from flows.server import forget_runs


class Receipt(Record):
    """What was destroyed, when, why and how it was verified; no personal data."""

    key: str
    case_id: str
    reason: str
    purged_utc: Utc
    key_versions: int
    objects: int
    orchestrator_runs: int
    verified: tuple[str, ...]


def destroy_case(case_id: str, reason: str) -> Receipt:
    """Destroy a case: its key, all versions of its objects, its runs in the orchestrator; verify; write the receipt.

    Idempotent: what is gone already is a success, and a purge killed in the middle is finished by the next.
    Raises StoreError, or EncounterError when something of the case can still be read.
    """
    env = environment()
    keys = env.cases.destroy_key(case_id)
    objects = len(env.store.remove_all_versions(object_key.CASES, f"{case_id}/"))
    runs = 0
    with contextlib.suppress(StackError):
        runs = forget_runs(case_id)
    receipt = Receipt(
        key=object_key.receipt(case_id, now_utc()),
        case_id=case_id,
        reason=reason,
        purged_utc=now_utc(),
        key_versions=keys,
        objects=objects,
        orchestrator_runs=runs,
        verified=_verified(env, case_id),
    )
    env.store.put(object_key.AUDIT, receipt.key, receipt.model_dump_json(indent=1).encode(), "application/json")
    return receipt


def _verified(env: Environment, case_id: str) -> tuple[str, ...]:
    if env.store.list_versions(object_key.CASES, f"{case_id}/"):
        raise EncounterError(f"case {case_id}: objects are still listed after the purge; run it again")
    try:
        env.cases.open(case_id)
    except KeyMissing:
        return ("no version of any object is listed", "the case cannot be opened")
    raise EncounterError(f"case {case_id}: its key can still be read after the purge; run it again")
