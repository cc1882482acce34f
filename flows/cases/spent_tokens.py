"""The two tokens of a case that ends: what was once destroyed is not searched again, whoever puts
it back.
"""

from __future__ import annotations

from data_contracts import object_key
from flows.runtime.environment import Environment
from infra.token_list import TokenId
from tasks.consent.grant_token import claimed_id


def spend_tokens(env: Environment, case_id: str) -> None:
    """Write down that the case of its two tokens has ended: what somebody kept of it and puts back
    later, its key too, is not searched again.

    Raises KeyMissing or NotFound where they cannot be read, StoreError.
    """
    vault = env.cases.open(case_id)
    for key in (object_key.consent(case_id), object_key.approval(case_id)):
        found = claimed_id(vault.get(key).decode())
        if found is not None:
            env.tokens.end(TokenId(*found))


def has_ended(env: Environment, consent: str | None) -> bool:
    """Whether the case of a consent has ended before; None is one that cannot be read."""
    found = claimed_id(consent or "")
    return found is not None and env.tokens.has_ended(TokenId(*found))
