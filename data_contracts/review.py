"""Review: what reviewers are asked, what each answers, and what two who agree have decided.

A question refers to people by where they stood in pictures, never by a run's own numbers: those
change when a case is run again.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from data_contracts.audit import Actor
from data_contracts.record import Record
from data_contracts.time import Utc

# Is this the subject? Is the person near the subject nobody but the subject again? Was this one
# person, as near as it is said?
QuestionKind = Literal["sighting", "same", "contact"]
Verdict = Literal["confirm", "reject", "cannot-say"]
State = Literal["open", "confirmed", "rejected"]
MaskSeen = Literal["masked", "bare"]
_QUESTION_ID = r"^Q-[0-9a-f]{12}$"
# The longest reason that a reviewer gives.
REASON_CHARACTERS = 500
_Px = Annotated[float, Field(ge=-1e5, le=1e5, allow_inf_nan=False)]


def _readable(text: str) -> str:
    if not all(c.isprintable() or c == "\n" for c in text):
        raise ValueError("printable text is expected")
    return text


class Glimpse(Record):
    """Where somebody stood in a camera's picture at an instant: a box in pixels."""

    t_utc: Utc
    x0: _Px
    y0: _Px
    x1: _Px
    y1: _Px


class Mark(Record):
    """Somebody through a stretch of one camera's pictures: glimpses of them in order of time."""

    camera_id: str
    glimpses: tuple[Glimpse, ...] = Field(min_length=1, max_length=64)

    @property
    def start_utc(self) -> datetime:
        """The first glimpse's time."""
        return self.glimpses[0].t_utc

    @property
    def end_utc(self) -> datetime:
        """The last glimpse's time."""
        return self.glimpses[-1].t_utc


class Question(Record):
    """Who and when is asked about. `question_id` follows from the content, so that whoever changes
    it asks another question.
    """

    version: Literal[1] = 1
    case_id: str
    kind: QuestionKind
    start_utc: Utc
    end_utc: Utc
    marks: tuple[Mark, ...] = Field(min_length=1, max_length=256)

    @property
    def question_id(self) -> str:
        """`Q-` and 12 hex digits of the content's SHA-256."""
        said = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return f"Q-{hashlib.sha256(said.encode()).hexdigest()[:12]}"


class Given(Record):
    """What a reviewer says. Of a contact they may say in which respect it is not one, and what
    they see of the person's mask.
    """

    verdict: Verdict
    reason: Annotated[str, Field(max_length=REASON_CHARACTERS), AfterValidator(_readable)] = ""
    person_mask: MaskSeen | None = None

    @model_validator(mode="after")
    def _with_a_reason(self) -> Given:
        if self.verdict != "confirm" and not self.reason.strip():
            raise ValueError("a reason is expected with reject and cannot-say")
        return self


class Answer(Record):
    """One reviewer's answer, as it is stored: once, and never changed. `reviewer`: a pseudonym."""

    version: Literal[1] = 1
    case_id: str
    question_id: str = Field(pattern=_QUESTION_ID)
    reviewer: Actor
    answered_utc: Utc
    given: Given


class Decision(Record):
    """What two reviewers agree on. Only `tasks.review.agreement` makes one."""

    question: Question
    state: Literal["confirmed", "rejected"]
    reviewers: tuple[Actor, ...] = Field(min_length=2)
    person_mask: MaskSeen | None = None
