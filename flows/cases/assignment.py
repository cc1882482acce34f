"""Which accounts see a case: written in the case, sealed under its key, and gone with it."""

from __future__ import annotations

from collections.abc import Iterable

from data_contracts import object_key
from data_contracts.account import Assignment
from data_contracts.case import CASE_ID
from data_contracts.errors import BadInput, KeyMissing, NotFound
from flows.runtime.acting import Acting
from flows.runtime.audit import audit, pseudonym
from flows.runtime.environment import Environment
from flows.runtime.open_case import read_request
from infra.case_store import CaseVault


def assigned(vault: CaseVault) -> tuple[str, ...]:
    """The accounts that see a case. Raises KeyMissing, and BadInput where the record is damaged."""
    key = object_key.assignment(vault.case_id)
    try:
        return Assignment.stored(vault.get(key), key).accounts
    except NotFound:
        return ()


def sees(env: Environment, case_id: str, account: str) -> bool:
    """Whether a filed case is assigned to an account. A case that is not there is nobody's."""
    if not CASE_ID.match(case_id):
        return False
    try:
        return account in assigned(env.cases.open(case_id))
    except (KeyMissing, NotFound, BadInput):
        return False


def assign(env: Environment, case_id: str, accounts: Iterable[str]) -> None:
    """Let these accounts see a case, and no others, after the audit log has it. Raises NotFound
    where no such case was filed, KeyMissing.
    """
    vault = env.cases.open(case_id)
    read_request(vault)
    names = tuple(sorted(set(accounts)))
    key = env.audit_log.key
    shown = tuple(pseudonym(Acting("account", name, "tracer"), key) for name in names)
    reason = "who sees the case"
    audit(env, "configure", case_id=case_id, objects=shown[:1000], reason=reason)
    record = Assignment(accounts=names)
    vault.put(object_key.assignment(case_id), record.model_dump_json().encode())
