"""Pointing: somebody says of a person in a picture that this is the subject."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from data_contracts.audit import Actor
from data_contracts.record import Record
from data_contracts.time import Utc


class Pointing(Record):
    """Who stands at (`x_px`, `y_px`) of a camera's picture, in pixels of its calibrated size, at
    `t_utc` is the subject, says `pointed_by` (a pseudonym of the audit log).
    """

    camera_id: str
    t_utc: Utc
    x_px: float
    y_px: float
    pointed_by: Actor


class Pointings(Record):
    """All that a case's subject was pointed at by, as it is stored."""

    version: Literal[1] = 1
    points: Annotated[tuple[Pointing, ...], Field(max_length=1000)] = ()
