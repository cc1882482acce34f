"""What a run must have known of decisions, so that it can be used further."""

from __future__ import annotations

import pytest
from decisions import decision_on
from reviewed_run import track
from stored_run import empty_outcome

from data_contracts.errors import BadInput
from data_contracts.run import Run
from flows.runtime.decisions import about_people, check_people

RUN = Run(case_id="K-2026-0042", run_id="R-1", salt="0" * 32, policy="demo-short")


def test_people_are_found_anew_after_a_decision() -> None:
    """A run that did not know who was rejected may show them: it is not assessed again under
    another policy. Decisions about contacts are applied to it.
    """
    before = empty_outcome(RUN)
    rejected = decision_on(track(1, 100), verdict="reject")
    check_people(before, ())
    check_people(before, (decision_on(track(1, 100), kind="contact"),))
    with pytest.raises(BadInput, match="run it again first: encounter case run K-2026-0042"):
        check_people(before, (rejected,))
    after = before.model_copy(update={"decided": about_people((rejected,))})
    check_people(after, (rejected,))
    with pytest.raises(BadInput, match="run it again first"):
        check_people(after, (rejected, decision_on(track(2, 500))))
