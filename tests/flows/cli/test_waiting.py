"""`case run --wait` says that a case is traced when it is."""

from __future__ import annotations

import pytest

from data_contracts import object_key
from data_contracts.errors import EncounterError
from data_contracts.run import Claim
from data_contracts.time import now_utc
from flows.cli import waiting
from infra.case_store import CaseVault

pytestmark = pytest.mark.stack


def _claim(vault: CaseVault, flow_run_id: str, state: str) -> None:
    made = Claim(
        run_id="R-1",
        salt="5",
        policy="who",
        flow_run_id=flow_run_id,
        state=state,
        started_utc=now_utc(),
    )
    vault.put(object_key.claim(vault.case_id), made.model_dump_json().encode())


def test_it_waits_for_the_run_that_has_the_case(
    vault: CaseVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run that was started completes at once, because another one has the case: that one is
    waited for.
    """
    waited = []

    def wait_for(flow_run_id: str) -> None:
        waited.append(flow_run_id)
        _claim(vault, "other", "published" if flow_run_id == "other" else "running")

    monkeypatch.setattr(waiting, "wait_for", wait_for)
    waiting.wait_for_trace(vault, "mine")
    assert waited == ["mine", "other"]


def test_a_run_that_died_is_an_error(vault: CaseVault, monkeypatch: pytest.MonkeyPatch) -> None:
    """Be it the one that has the case, or one that ended and published nothing."""

    def wait_for(flow_run_id: str) -> None:
        if flow_run_id == "other":
            raise EncounterError("the run ended as Interrupted: its process is gone")

    monkeypatch.setattr(waiting, "wait_for", wait_for)
    _claim(vault, "other", "running")
    with pytest.raises(EncounterError, match="Interrupted"):
        waiting.wait_for_trace(vault, "mine")
    _claim(vault, "mine", "running")
    with pytest.raises(EncounterError, match="nothing of it is published"):
        waiting.wait_for_trace(vault, "mine")
