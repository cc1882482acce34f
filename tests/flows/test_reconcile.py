"""One case that is damaged keeps no other from its start."""

from __future__ import annotations

import pytest

from data_contracts import object_key
from data_contracts.errors import BadInput
from data_contracts.run import Run
from flows import reconcile
from flows.runtime.environment import Environment
from flows.stages.claim import read_claim

pytestmark = pytest.mark.stack


def test_a_damaged_case_is_passed_over(
    env: Environment, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A claim that cannot be read is one clear error, and the other cases are started."""
    damaged = "K-RECONCILE-DAMAGED"
    vault = env.cases.create_key(damaged)
    for key in (object_key.request(damaged), object_key.claim(damaged)):
        vault.put(key, b"{")
    with pytest.raises(BadInput, match=r"claim\.json: expected a Claim.*damaged"):
        read_claim(vault)
    started: list[str] = []
    monkeypatch.setattr(reconcile, "filed_cases", lambda _env: [damaged, run.case_id])
    monkeypatch.setattr(reconcile, "runs_by_case", dict)
    monkeypatch.setattr(reconcile, "start_trace", lambda case_id, _attempt: started.append(case_id))
    assert reconcile.start_missing.fn() == {"filed": 2, "started": 1, "refused": 1}
    assert started == [run.case_id]
