"""Withdrawing consent: running work is told, and the case is destroyed."""

from __future__ import annotations

from data_contracts import object_key
from data_contracts.deletion import Receipt
from data_contracts.errors import NotFound
from flows.cases.attempt import attempt
from flows.cases.deletion_steps import there_is
from flows.cases.destroy import destroy_case
from flows.runtime.audit import audit, one_line
from flows.runtime.environment import Environment
from infra.token_list import TokenId
from tasks.consent.grant_token import claimed_id
from tasks.ending.purge import WITHDRAWN


def withdraw_case(env: Environment, case_id: str) -> Receipt:
    """Mark the case as withdrawn, say so in the audit log, and destroy it. Where the mark or the
    entry cannot be written the key goes all the same. Raises like `destroy_case`.
    """
    if not there_is(env, case_id):
        raise NotFound(f"there is no case {case_id[:40]!r}: encounter case list")
    token = attempt(lambda: mark_withdrawn(env, case_id), None)
    papers = (one_line(f"consent:{token.token_id}"),) if token else ()
    attempt(lambda: audit(env, "withdraw", case_id=case_id, papers=papers), None)
    return destroy_case(case_id, WITHDRAWN, env)


def mark_withdrawn(env: Environment, case_id: str) -> TokenId | None:
    """Write the consent's id to the locked list of tokens: everything that asks stops from now on,
    and nobody can take it back. Returns it; None where the consent does not say one.

    Raises KeyMissing or NotFound where the consent cannot be read, StoreError.
    """
    found = claimed_id(env.cases.open(case_id).get(object_key.consent(case_id)).decode())
    if found is None:
        return None
    token = TokenId(*found)
    env.tokens.withdraw(token)
    return token


def is_withdrawn(env: Environment, consent: str | None) -> bool:
    """Whether a consent was withdrawn; None is one that cannot be read."""
    found = claimed_id(consent or "")
    return found is not None and env.tokens.before_filing(TokenId(*found)) == "withdrawn"
