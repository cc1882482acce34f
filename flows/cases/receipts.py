"""Receipts that this installation wrote: what else lies in the bucket does not count."""

from __future__ import annotations

from collections.abc import Iterator

from data_contracts import object_key
from data_contracts.case import CASE_ID
from data_contracts.deletion import Receipt
from data_contracts.errors import BadInput, NotAuthorised, NotFound
from flows.runtime.environment import Environment
from infra.signing import load_signing_key
from tasks.ending.receipt import MAX_CHARS, verify_receipt


def own_receipt(env: Environment, key: str) -> Receipt | None:
    """The receipt at a key of the audit bucket: signed here, complete, and lying where it says that
    it lies. None where there is no such receipt.
    """
    try:
        text = env.store.get(object_key.AUDIT, key, at_most=MAX_CHARS).decode(errors="replace")
        receipt = verify_receipt(text, (load_signing_key(env.settings).public,))
    except (BadInput, NotFound, NotAuthorised):
        return None
    whole = CASE_ID.match(receipt.case_id) and receipt.verified and receipt.passes
    placed = receipt.key == key and key.startswith(object_key.receipts(receipt.case_id))
    return receipt if whole and placed else None


def own_receipts(env: Environment, case_id: str) -> Iterator[Receipt]:
    """The case's receipts, the last first."""
    keys = [item.key for item in env.store.list(object_key.AUDIT, object_key.receipts(case_id))]
    yield from filter(None, (own_receipt(env, key) for key in sorted(keys, reverse=True)))


def earlier_receipt(env: Environment, case_id: str) -> Receipt:
    """The receipt of a case that is gone. Raises NotFound where there is none."""
    if CASE_ID.match(case_id):
        for receipt in own_receipts(env, case_id):
            return receipt
    raise NotFound(f"there is no case {case_id[:40]!r}: encounter case list")
