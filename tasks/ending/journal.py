"""Reading the journal of a purge that was begun. It lies in the case's folder, where anyone who may
write to the bucket can put one: only what this installation signed, about this case, counts.
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import ValidationError

from data_contracts.deletion import JOURNAL_TYPE, DeletionPlan
from data_contracts.errors import NotAuthorised
from data_contracts.signature import PublicKey
from tasks.consent.jws import verify_signed

# Counts, kinds and two lines of text; longer is not a journal of ours.
MAX_BYTES = 100_000


def read_journal(data: bytes, case_id: str, keys: Iterable[PublicKey]) -> DeletionPlan:
    """The plan of a purge of this case that was begun here. Raises NotAuthorised where it is
    unsigned, another's, another case's, or not a journal at all.
    """
    if len(data) > MAX_BYTES:
        raise NotAuthorised("journal refused: too long to be one")
    try:
        text = data.decode("ascii").strip()
        plan = DeletionPlan.model_validate(verify_signed(text, JOURNAL_TYPE, keys))
    except NotAuthorised as error:
        raise NotAuthorised(f"journal refused: {error}") from None
    except (UnicodeDecodeError, ValidationError):
        raise NotAuthorised("journal refused: its content is not that of a journal") from None
    if plan.case_id != case_id:
        raise NotAuthorised("journal refused: it is another case's")
    return plan
