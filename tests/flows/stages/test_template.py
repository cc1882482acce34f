"""Building the subject's template as a stage."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from demo_frames import PICTURES
from subject_case import derive, subject_case

from data_contracts.errors import ModelUnavailable
from data_contracts.run import Run
from flows.runtime.open_case import OpenCase
from flows.runtime.stage import Work
from flows.stages.template import make_template
from models.registry import load


class Vault:
    """A case's objects in memory, counting how often each is read."""

    case_id = "K-2026-0042"

    def __init__(self) -> None:
        self.read: list[str] = []
        self.stored: dict[str, bytes] = {}

    def get(self, key: str, _at_most: int) -> bytes:
        """A reference picture of the demo."""
        self.read.append(key)
        return PICTURES[key.rpartition("/")[2]]

    def put(self, key: str, data: bytes) -> None:
        """Keep it."""
        self.stored[key] = data

    def derive(self, _purpose: str, salt: bytes) -> bytes:
        """As the case's key would."""
        return derive(salt)


def test_each_reference_picture_is_read_once() -> None:
    """For the stage's digest and for the template together."""
    try:
        models = load()
    except ModelUnavailable as error:
        pytest.skip(str(error))
    vault = Vault()
    authorised = subject_case(vault.case_id)
    case = OpenCase(authorised, vault, None, None)
    run = Run(case_id=vault.case_id, run_id="r-1", salt="00", policy="who")
    work = Work(run, case, SimpleNamespace(), (), {})
    work.__dict__["models"] = models
    decided = make_template.decides(case, {})
    make_template.function(work)
    assert set(decided["pictures"]) == set(authorised.request.reference_images)
    assert len(vault.read) == len(set(vault.read)) == len(authorised.request.reference_images)
    assert len(vault.stored) == 1
