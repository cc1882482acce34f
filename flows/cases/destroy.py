"""Ending a case: planned, carried out key first, verified, and a signed receipt. One code path for
every reason.

The plan is written beside the case before anything goes, and is the last of it to go: a purge that
is killed is finished by the next, under the same plan, and ends in one receipt. Every step is
idempotent.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta

from data_contracts import object_key
from data_contracts.deletion import RECEIPT_TYPE, DeletionPlan, Receipt
from data_contracts.errors import NotFound, StoreError
from data_contracts.time import now_utc
from flows.cases import forget_runs
from flows.cases.case_facts import case_facts, shared
from flows.cases.deletion_steps import (
    IN_THE_STORE,
    STEPS,
    Counts,
    StillThere,
    count_all,
    local_store,
    remains,
    verify,
)
from flows.runtime.audit import audit, who_acts
from flows.runtime.environment import Environment, environment
from infra.local import prefect_database, store_index, traces
from infra.signing import ensure_signing_key
from tasks.ending.purge import plan_deletion
from tasks.ending.receipt import verify_receipt

# A worker that was just writing when the key went may leave an object behind: then all steps are
# done again.
_ROUNDS = 3


def plan_of(case_id: str, reason: str, env: Environment | None = None) -> DeletionPlan:
    """What would go, or the plan of a purge that was begun. Changes nothing. Raises NotFound where
    there is no case.
    """
    env = env or environment()
    with suppress(NotFound):
        return DeletionPlan.model_validate_json(
            env.store.get(object_key.CASES, object_key.purge_journal(case_id))
        )
    found = count_all(env, case_id)
    if not any(found[kind] for kind in IN_THE_STORE):
        raise NotFound(f"there is no case {case_id}: encounter case list")
    return plan_deletion(case_id, reason, who_acts(env), now_utc(), found, case_facts(env, case_id))


def destroy_case(case_id: str, reason: str, env: Environment | None = None) -> Receipt:
    """Destroy a case and everything of it; returns the receipt, which lies signed in the audit
    bucket.

    Idempotent: of a case that was destroyed the receipt is returned again. Raises NotFound where
    there never was one, StackError or StoreError where something cannot be reached (what could be
    destroyed is: run it again), and StillThere when something of the case can still be read.
    """
    env = env or environment()
    try:
        plan = plan_of(case_id, reason, env)
    except NotFound:
        return earlier_receipt(env, case_id)
    receipt = _signed(env, object_key.receipt(case_id, plan.begun_utc))
    if receipt is None:
        receipt = _carry_out(env, _begin(env, plan))
    _close(env, case_id)
    return receipt


def sweep(env: Environment, since: datetime) -> int:
    """What arrived late of cases destroyed since then, such as the last event of a run that was
    stopped; returns how many cases had something. A case that was filed again under its old id is
    left alone.
    """
    database = prefect_database.local_database(env.settings)
    swept = 0
    for item in env.store.list(object_key.AUDIT, object_key.receipts()):
        case_id = item.key.split("/")[1]
        if item.last_modified < since or env.store.list_versions(object_key.CASES, f"{case_id}/"):
            continue
        late = traces.overwrite_mentions(env.settings.paths, case_id) > 0
        if database is not None and prefect_database.names(database, case_id):
            late = True
            forget_runs.forget_case(env.settings, case_id)
        swept += late
    return swept


def _begin(env: Environment, plan: DeletionPlan) -> DeletionPlan:
    """Write the plan down with one more pass, and say in the audit log that it is carried out."""
    key = object_key.purge_journal(plan.case_id)
    begun = plan.model_copy(update={"passes": plan.passes + 1})
    env.store.put(object_key.CASES, key, begun.model_dump_json().encode(), "application/json")
    with suppress(StoreError):  # the one thing that is done without its entry: docs/audit.md
        audit(
            env, "delete-started", case_id=plan.case_id, reason=plan.reason, counts=dict(plan.found)
        )
    return begun


def _carry_out(env: Environment, plan: DeletionPlan) -> Receipt:
    destroyed, verified = _until_nothing_is_left(env, plan)
    facts = plan.facts.model_copy(update={"shared": shared(env, plan.case_id)})
    receipt = Receipt(
        key=object_key.receipt(plan.case_id, plan.begun_utc),
        purged_utc=now_utc(),
        destroyed=destroyed,
        verified=verified,
        remains=remains(env),
        **{**plan.model_dump(), "facts": facts},
    )
    audit(
        env,
        "delete",
        case_id=plan.case_id,
        reason=plan.reason,
        objects=(receipt.key,),
        counts=dict(destroyed),
        checkpoint=True,
    )
    token = ensure_signing_key(env.settings).sign(RECEIPT_TYPE, receipt.model_dump(mode="json"))
    locked = (
        now_utc() + timedelta(days=env.settings.audit.lock_days) if env.audit_log.locked else None
    )
    env.store.put_if_absent(
        object_key.AUDIT, receipt.key, token.encode(), "application/jose", locked
    )
    return receipt


def _until_nothing_is_left(env: Environment, plan: DeletionPlan) -> tuple[Counts, tuple[str, ...]]:
    destroyed: Counts = {}
    for remaining in reversed(range(_ROUNDS)):
        for step in STEPS:
            for kind, number in step(env, plan).items():
                destroyed[kind] = destroyed.get(kind, 0) + number
        try:
            return {k: n for k, n in destroyed.items() if n}, verify(env, plan.case_id)
        except StillThere:
            if not remaining:
                raise
    raise AssertionError("unreachable")


def _close(env: Environment, case_id: str) -> None:
    """The plan itself goes last, with what the store still lists of it and the pages of the index
    that named it.
    """
    env.store.remove_all_versions(object_key.CASES, f"{case_id}/")
    env.store.remove_folders(object_key.CASES, f"{case_id}/")
    record = local_store(env)
    if record is not None:
        store_index.rewrite(record)
    traces.overwrite_mentions(env.settings.paths, case_id)


def _signed(env: Environment, key: str) -> Receipt | None:
    try:
        token = env.store.get(object_key.AUDIT, key).decode()
    except NotFound:
        return None
    return verify_receipt(token, (ensure_signing_key(env.settings).public,))


def earlier_receipt(env: Environment, case_id: str) -> Receipt:
    """The receipt of a case that is gone. Raises NotFound where there is none."""
    keys = [item.key for item in env.store.list(object_key.AUDIT, object_key.receipts(case_id))]
    receipt = _signed(env, max(keys)) if keys else None
    if receipt is None:
        raise NotFound(f"there is no case {case_id}: encounter case list")
    return receipt
