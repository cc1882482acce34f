"""A case that is being filed: what was typed so far, the pictures, and what was signed.

A draft has an id and a key of its own, like a case, so that it is destroyed like one: key first,
with a receipt. It is never searched: it has no request.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from data_contracts.account import NAME_PATTERN
from data_contracts.authorisation import Role
from data_contracts.record import Record
from data_contracts.time import Utc

MOST_ROWS = 60
MOST_PICTURES = 8
Typed = Field(default="", max_length=200)

# With whom the draft is: who writes it, then each of the two who sign.
Stage = Literal["open", "consent", "approval"]


class TypedVisit(Record):
    """A row of the itinerary as it was typed: local times of the site, minutes. `repeated`: which
    one is meant where a time comes twice in the night in which clocks go back.
    """

    place: str = Typed
    start: str = Typed
    end: str = Typed
    tolerance_min: str = Field(default="5", max_length=200)
    repeated: Literal["", "first", "second"] = ""


class DraftPicture(Record):
    """A reference picture that was looked at and taken: its file name in the draft, its face's
    width in px (None where no model was at hand), and whether the face is turned away.
    """

    name: str = Field(max_length=120)
    width_px: float | None = None
    turned: bool = False


class Offer(Record):
    """What one of the two was shown to sign: the token but for its signature, for the draft as it
    was at `revision`.
    """

    role: Role
    revision: int
    unsigned: str = Field(max_length=65_536)


class FilingDraft(Record):
    """One case that is being filed. `author`, `officer` and `approver` are accounts; `revision`
    counts what is filed being changed: what is signed is signed for one of them. `note` is what
    somebody who sent it back said.
    """

    version: Literal[1] = 1
    draft_id: str = Field(pattern=r"^DRAFT-[0-9A-Z]{20}$")
    author: str = Field(pattern=NAME_PATTERN)
    begun_utc: Utc
    revision: int = 0
    stage: Stage = "open"
    case_id: str = Typed
    subject: str = Typed
    onset: str = Typed
    sample: str = Typed
    policy: str = "who"
    visits: tuple[TypedVisit, ...] = Field(default=(), max_length=MOST_ROWS)
    pictures: tuple[DraftPicture, ...] = Field(default=(), max_length=MOST_PICTURES)
    officer: str = Typed
    approver: str = Typed
    note: str = Field(default="", max_length=500)
    offer: Offer | None = None
    consent: str = Field(default="", max_length=65_536)

    def seen_by(self, account: str) -> bool:
        """Whether an account may see it: its author; and each of the two when it is their turn."""
        turn = {"open": (), "consent": (self.officer,), "approval": (self.officer, self.approver)}
        return account in (self.author, *turn[self.stage])
