"""The journal of a purge: its plan, signed with the installation's key, beside the case until the
receipt is there.
"""

from __future__ import annotations

import hashlib

from data_contracts import object_key
from data_contracts.deletion import JOURNAL_TYPE, DeletionPlan
from data_contracts.errors import BadInput, NotAuthorised, NotFound
from flows.runtime.audit import audit, one_line
from flows.runtime.environment import Environment
from infra.signing import load_signing_key
from tasks.ending.journal import MAX_BYTES, read_journal

_UNSIGNED_NOTE = b"a purge was begun; its plan could not be signed"


def read(env: Environment, case_id: str, tell: bool = False) -> DeletionPlan | None:
    """The plan of a purge of this case that was begun here, or None. A journal that is not this
    installation's, or another case's, is set aside; with `tell` the audit log says so.
    """
    key = object_key.purge_journal(case_id)
    try:
        data = env.store.get(object_key.CASES, key, at_most=MAX_BYTES)
    except NotFound:
        return None
    except BadInput:
        data = b""
    try:
        return read_journal(data, case_id, (load_signing_key(env.settings).public,))
    except NotAuthorised as refusal:
        if tell and data != _UNSIGNED_NOTE:
            audit(
                env,
                "refuse",
                case_id=case_id,
                outcome="refused",
                reason=one_line(f"the purge's journal is set aside: {refusal}", 240),
                objects=(f"sha256:{hashlib.sha256(data).hexdigest()}",),
            )
        return None


def write(env: Environment, plan: DeletionPlan) -> bool:
    """Sign the plan and write it; True. Raises where key or store fail."""
    token = load_signing_key(env.settings).sign(JOURNAL_TYPE, plan.model_dump(mode="json"))
    _put_journal(env, plan.case_id, token.encode())
    return True


def mark(env: Environment, case_id: str) -> bool:
    """Write, where the plan cannot be signed, that a purge was begun; True. It keeps the case
    listed, so that the next pass goes on, and nothing else is believed of it. Raises where the
    store fails.
    """
    _put_journal(env, case_id, _UNSIGNED_NOTE)
    return True


def _put_journal(env: Environment, case_id: str, data: bytes) -> None:
    env.store.put(object_key.CASES, object_key.purge_journal(case_id), data, "application/jose")
