"""Withdrawing consent: running work is told, and the case is destroyed."""

from __future__ import annotations

import json

from data_contracts import object_key
from data_contracts.deletion import Receipt
from data_contracts.errors import NotFound
from data_contracts.time import now_utc
from flows.cases.attempt import attempt
from flows.cases.deletion_steps import there_is
from flows.cases.destroy import destroy_case
from flows.runtime.audit import audit
from flows.runtime.environment import Environment
from tasks.ending.purge import WITHDRAWN


def withdraw_case(env: Environment, case_id: str) -> Receipt:
    """Mark the case as withdrawn, say so in the audit log, and destroy it. Mark and entry are tried
    and waited for by nobody: the key goes, whatever is damaged. Raises like `destroy_case`.
    """
    if not there_is(env, case_id):
        raise NotFound(f"there is no case {case_id[:40]!r}: encounter case list")
    attempt(lambda: _mark(env, case_id), None)
    attempt(lambda: audit(env, "withdraw", case_id=case_id), None)
    return destroy_case(case_id, WITHDRAWN, env)


def _mark(env: Environment, case_id: str) -> None:
    mark = json.dumps({"withdrawn_utc": now_utc().isoformat()}).encode()
    env.cases.open(case_id).put(object_key.withdrawal(case_id), mark)
