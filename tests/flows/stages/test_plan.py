"""Planning in rounds: windows keep their names, whatever is planned after them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from data_contracts.tables.contracts import CANDIDATES
from flows.runtime.open_case import open_case
from flows.runtime.results import Run, load, save
from flows.stages import plan
from flows.stages.observe import Observations

pytestmark = pytest.mark.stack
SEEN = datetime(2026, 11, 16, 0, 0, 10, tzinfo=UTC)


def scanned(run: Run, *seconds: float) -> Observations:
    """A scan that found the subject at the entrance at these seconds after SEEN."""
    head = {"x0": 0.0, "y0": 0.0, "x1": 40.0, "y1": 50.0, "face_px": 30.0, "subject_p": 0.97}
    rows = [{"camera_id": "entrance", "t_utc": SEEN + timedelta(seconds=s)} | head for s in seconds]
    vault = open_case(run.case_id).vault
    ref = save(vault, "scan-all", f"at-{len(seconds)}", CANDIDATES.shape(rows), CANDIDATES)
    return Observations(kind="scan", table=ref, reports=ref, segments=ref, gaps=ref)


def windows(run: Run, planned: plan.Windows) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All windows so far and the fresh ones, by their ids."""
    vault = open_case(run.case_id).vault
    return tuple(
        load(vault, ref).set_index("window_id") for ref in (planned.windows, planned.fresh)
    )


@pytest.mark.parametrize("what", ["search", "follow"])
def test_windows_keep_their_names_from_round_to_round(run: Run, what: str) -> None:
    """What is fresh in a round is among all windows under the same id and with the round's number;
    later rounds change nothing of it.
    """
    early = scanned(run, 0)
    late = scanned(run, 0, 3600)
    if what == "search":
        first = plan.plan_search(run)
        second = plan.plan_search(run, first, late, None)
    else:
        first = plan.plan_follow(run, early, None)
        second = plan.plan_follow(run, late, None, first)
    known, fresh = windows(run, first)
    after, fresher = windows(run, second)
    assert len(known)
    assert len(fresher), "the second round found something new"
    pd.testing.assert_frame_equal(known, fresh)
    pd.testing.assert_frame_equal(after.loc[known.index], known)
    pd.testing.assert_frame_equal(after.loc[fresher.index], fresher)
    assert set(known["round"]) == {0}
    assert set(fresher["round"]) == {1}
