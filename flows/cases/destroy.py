"""Ending a case: key first, then everything of it, verified, and a signed receipt. One code path
for every reason.

Nothing that can fail stands before the key's destruction: plan and audit entry are tried first, and
made up for afterwards where they failed. Each step after it is on its own: one that fails does not
keep the others from their work, and all are tried again by the next pass. The plan lies beside the
case, signed (`flows/cases/journal.py`), and is the last of it to go: a purge that is killed is
finished by the next, under the same plan, and ends in one receipt. Every step is idempotent.
"""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from data_contracts import object_key
from data_contracts.deletion import RECEIPT_TYPE, CaseFacts, DeletionPlan, Receipt
from data_contracts.errors import EncounterError, NotFound
from data_contracts.time import now_utc
from flows.cases import journal
from flows.cases.attempt import attempt, told
from flows.cases.case_facts import case_facts, shared
from flows.cases.deletion_steps import (
    STEPS,
    Counts,
    StillThere,
    count_all,
    local_store,
    only_the_journal_is_left,
    remains,
    there_is,
    verify,
)
from flows.cases.receipts import earlier_receipt, own_receipt
from flows.cases.spent_tokens import spend_tokens
from flows.runtime.audit import audit, who_acts
from flows.runtime.environment import Environment, environment
from infra.local import disk_room, store_index, traces
from infra.signing import load_signing_key
from tasks.ending.purge import clean_reason, plan_deletion

# A worker that was just writing when the key went may leave an object behind: then all steps are
# done again.
_MOST_ROUNDS = 3


class Unfinished(EncounterError):
    """A case's key is destroyed, and something else of it could not be: the next pass goes on."""


class _Begun(NamedTuple):
    """A purge that goes on now. `written` and `announced`: whether journal and audit entry are
    there already.
    """

    plan: DeletionPlan
    written: bool
    announced: bool


def plan_of(case_id: str, reason: str, env: Environment | None = None) -> DeletionPlan:
    """What would go, or the plan of a purge that was begun. Changes nothing. Raises NotFound where
    there is no case.
    """
    env = env or environment()
    if not there_is(env, case_id):
        raise NotFound(f"there is no case {case_id[:40]!r}: encounter case list")
    return attempt(lambda: journal.read(env, case_id), None) or _new_plan(env, case_id, reason)


def destroy_case(case_id: str, reason: str, env: Environment | None = None) -> Receipt:
    """Destroy a case and everything of it; returns the receipt, which lies signed in the audit
    bucket.

    Idempotent: of a case that was destroyed the receipt is returned again. Raises NotFound where
    there never was one, StoreError where the store lets nobody destroy the key, and Unfinished when
    the key is gone and something else is not (all that could be destroyed is; run it again).
    """
    env = env or environment()
    # Deleting is written down: on a full disk nothing would go.
    attempt(lambda: disk_room.give_up_reserves(env.settings), False)
    if not there_is(env, case_id):
        return earlier_receipt(env, case_id)
    plan = attempt(lambda: journal.read(env, case_id, tell=True), None)
    receipt = attempt(lambda: _receipt_of(env, plan), None)
    if receipt is None or not attempt(lambda: only_the_journal_is_left(env, case_id), False):
        # A plan that has its receipt is an earlier life's, put back: it says nothing about this.
        begun = _begin_pass(env, case_id, reason, None if receipt else plan)
        receipt = _carry_out(env, begun)
    _close_journal(env, case_id)
    return receipt


def _receipt_of(env: Environment, plan: DeletionPlan | None) -> Receipt | None:
    return own_receipt(env, object_key.receipt(plan.case_id, plan.begun_utc)) if plan else None


def _new_plan(env: Environment, case_id: str, reason: str) -> DeletionPlan:
    facts = attempt(lambda: case_facts(env, case_id), CaseFacts())
    found = count_all(env, case_id)
    return plan_deletion(case_id, clean_reason(reason), who_acts(env), now_utc(), found, facts)


def _begin_pass(
    env: Environment, case_id: str, reason: str, earlier: DeletionPlan | None
) -> _Begun:
    """Write the plan down with one more pass, and announce it in the audit log. Fails in nothing:
    the key goes next.
    """
    plan = earlier or _new_plan(env, case_id, reason)
    plan = plan.model_copy(update={"passes": plan.passes + 1, "failed": ()})
    written = attempt(lambda: journal.write(env, plan), False)
    attempt(lambda: spend_tokens(env, case_id), None)
    announced = attempt(lambda: bool(_announce_start(env, plan)), False)
    return _Begun(plan, written, announced)


def _announce_start(env: Environment, plan: DeletionPlan, late: str = "") -> object:
    return audit(
        env,
        "delete-started",
        case_id=plan.case_id,
        reason=plan.reason,
        counts=dict(plan.found),
        objects=(late,) if late else (),
    )


def _carry_out(env: Environment, begun: _Begun) -> Receipt:
    plan = begun.plan
    try:
        destroyed, verified = _until_nothing_is_left(env, begun)
        return _prove_deletion(env, begun, destroyed, verified)
    except _Failed as failed:
        failures = failed.steps
    kept = plan.model_copy(update={"failed": failures})
    attempt(lambda: journal.write(env, kept) or journal.mark(env, plan.case_id), False)
    raise Unfinished(
        f"case {plan.case_id}: its key is destroyed, nothing sealed of it can be read any more; "
        f"not finished: {'; '.join(failures)}. purge-expired goes on with it, or run the purge "
        "again"
    )


class _Failed(Exception):
    def __init__(self, *steps: str) -> None:
        super().__init__(*steps)
        self.steps = steps


def _until_nothing_is_left(env: Environment, begun: _Begun) -> tuple[Counts, tuple[str, ...]]:
    destroyed: Counts = {}
    left = ""
    for _ in range(_MOST_ROUNDS):
        failures = _all_steps(env, begun, destroyed)
        if failures:
            raise _Failed(*failures)
        try:
            return {k: n for k, n in destroyed.items() if n}, verify(env, begun.plan.case_id)
        except StillThere as error:
            left = f"verify: {told(error)}"
        except Exception as error:
            raise _Failed(f"verify: {told(error)}") from error
    raise _Failed(left)


def _all_steps(env: Environment, begun: _Begun, destroyed: Counts) -> list[str]:
    """Every step once, the key first; what failed, by step. Raises StoreError where the key is
    still there: nothing else is tried then but by the next pass.
    """
    failures: list[str] = []
    for number, step in enumerate(STEPS):
        try:
            for kind, gone in step(env, begun.plan).items():
                destroyed[kind] = destroyed.get(kind, 0) + gone
        except Exception as error:
            if number == 0:
                raise
            failures.append(f"{step.__name__.strip('_').replace('_', ' ')}: {told(error)}")
        if number == 0 and not begun.written:
            _write_late(env, begun.plan)
    return failures


def _write_late(env: Environment, plan: DeletionPlan) -> None:
    """Without a journal a case whose objects are gone would be listed no more, and not be gone on
    with.
    """
    if not attempt(lambda: journal.write(env, plan), False):
        attempt(lambda: journal.mark(env, plan.case_id), False)


def _prove_deletion(
    env: Environment, begun: _Begun, destroyed: Counts, verified: tuple[str, ...]
) -> Receipt:
    """Say in the audit log what is gone, and sign the receipt. Its numbers are what the steps
    counted; what the plan had found is beside them.
    """
    try:
        receipt = _made_receipt(env, begun.plan, destroyed, verified)
        if not begun.announced:
            _announce_start(env, begun.plan, "written after the key was destroyed")
        audit(
            env,
            "delete",
            case_id=receipt.case_id,
            reason=receipt.reason,
            objects=(receipt.key,),
            counts=dict(destroyed),
            checkpoint=True,
        )
        _store_receipt(env, receipt)
    except Exception as error:
        raise _Failed(f"receipt: {told(error)}") from error
    return receipt


def _made_receipt(
    env: Environment, plan: DeletionPlan, destroyed: Counts, verified: tuple[str, ...]
) -> Receipt:
    counted = attempt(lambda: shared(env, plan.case_id), None)
    unread = ("how often results were shared could not be read from the audit log",)
    facts = plan.facts.model_copy(update={"shared": counted or {}})
    key = object_key.receipt(plan.case_id, plan.begun_utc)
    if env.store.exists(object_key.AUDIT, key):  # not ours, or there would be nothing left to do
        key = object_key.receipt(plan.case_id, now_utc())
    return Receipt(
        key=key,
        purged_utc=now_utc(),
        destroyed=destroyed,
        verified=verified,
        remains=remains(env) + (() if counted is not None else unread),
        **{**plan.model_dump(exclude={"failed"}), "facts": facts},
    )


def _store_receipt(env: Environment, receipt: Receipt) -> None:
    token = load_signing_key(env.settings).sign(RECEIPT_TYPE, receipt.model_dump(mode="json"))
    locked = (
        now_utc() + timedelta(days=env.settings.audit.lock_days) if env.audit_log.locked else None
    )
    env.store.put_if_absent(
        object_key.AUDIT, receipt.key, token.encode(), "application/jose", locked
    )
    if own_receipt(env, receipt.key) != receipt:
        raise Unfinished(f"something else lies at {receipt.key}")


def _close_journal(env: Environment, case_id: str) -> None:
    """The plan itself goes last, with what the store still lists of it and the pages of the index
    that named it (where that fails, the next tidying of the store does it).
    """
    env.store.remove_all_versions(object_key.CASES, f"{case_id}/")
    env.store.remove_folders(object_key.CASES, f"{case_id}/")
    attempt(lambda: _rewrite_index(env), None)
    attempt(lambda: traces.overwrite_mentions(env.settings.paths, case_id), 0)


def _rewrite_index(env: Environment) -> None:
    record = local_store(env)
    if record is not None:
        store_index.rewrite(record)
