"""A case: one confirmed patient's tracing request."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Literal

from pydantic import Field, field_validator, model_validator

from data_contracts.record import Record
from data_contracts.time import Utc

# A case that is being filed (data_contracts/filing_draft.py) has such an id, and no request.
DRAFT_ID = re.compile(r"^DRAFT-[0-9A-Z]{20}\Z")
CASE_ID = re.compile(r"^[A-Z0-9][A-Z0-9-]{2,39}\Z")

Scope = Literal["face", "appearance"]


class Visit(Record):
    """One line of the itinerary: where the subject says they were."""

    place: str
    from_utc: Utc
    to_utc: Utc
    tolerance_s: float = Field(default=300.0, ge=0, le=6 * 3600)
    source: str = "interview"
    cameras: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _ordered(self) -> Visit:
        if self.to_utc <= self.from_utc:
            raise ValueError("a visit must end after it starts")
        return self


class CaseRequest(Record):
    """What intake files for a confirmed case. Names no one: the subject is a pseudonym.

    `onset_utc` or `sample_utc` fixes the infectious window together with the policy.
    """

    version: Literal[1] = 1
    case_id: str
    subject: str
    onset_utc: Utc | None = None
    sample_utc: Utc | None = None
    itinerary: tuple[Visit, ...]
    policy: str
    reference_images: tuple[str, ...]
    filed_utc: Utc
    purpose: str = "contact tracing of a confirmed case"

    @field_validator("case_id")
    @classmethod
    def _case_id(cls, value: str) -> str:
        if not CASE_ID.match(value):
            raise ValueError(
                "a case id has 3 to 40 capital letters, digits and hyphens, such as K-2026-0042"
            )
        if DRAFT_ID.match(value):
            raise ValueError("this is the id of a draft: a case needs another, such as K-2026-0042")
        return value

    @model_validator(mode="after")
    def _dated(self) -> CaseRequest:
        if self.onset_utc is None and self.sample_utc is None:
            raise ValueError("a case needs an onset or a sample date")
        return self

    @property
    def anchor_utc(self) -> datetime:
        """Onset where known, else the sample date."""
        anchor = self.onset_utc or self.sample_utc
        assert anchor is not None
        return anchor
