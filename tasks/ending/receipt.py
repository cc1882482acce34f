"""Checking a deletion receipt: needs the file and the installation's public key, and nothing
else.
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import ValidationError

from data_contracts.deletion import KINDS, RECEIPT_TYPE, Receipt
from data_contracts.errors import NotAuthorised
from data_contracts.signature import PublicKey
from tasks.consent.jws import verify_signed

# A receipt has no lists that grow with the case; a longer text is not one.
MAX_CHARS = 100_000


def verify_receipt(text: str, keys: Iterable[PublicKey]) -> Receipt:
    """The receipt whose signature was checked. Raises NotAuthorised where it was changed or is
    another's.
    """
    text = text.strip()
    if len(text) > MAX_CHARS:
        raise NotAuthorised("receipt refused: too long to be one")
    try:
        payload = verify_signed(text, RECEIPT_TYPE, keys)
        return Receipt.model_validate(payload)
    except NotAuthorised as error:
        raise NotAuthorised(f"receipt refused: {error}") from None
    except ValidationError:
        raise NotAuthorised(
            "receipt refused: signed, but its content is not that of a receipt"
        ) from None


def receipt_lines(receipt: Receipt) -> list[str]:
    """The receipt for a person, one line a fact."""
    lines = [
        f"case {receipt.case_id}: {receipt.reason}",
        f"asked for by {receipt.asked_by}; begun {receipt.begun_utc:%Y-%m-%d %H:%M:%S} UTC, "
        f"finished {receipt.purged_utc:%Y-%m-%d %H:%M:%S} UTC"
        + (f", in {receipt.passes} passes" if receipt.passes > 1 else ""),
    ]
    for kind, meaning in KINDS.items():
        found = receipt.found.get(kind, 0)
        gone = receipt.destroyed.get(kind, 0)
        if found or gone:
            lines.append(f"destroyed: {max(found, gone)} {meaning}")
    lines += [f"verified: {line}" for line in receipt.verified]
    lines += [f"remains: {line}" for line in receipt.remains]
    return lines
