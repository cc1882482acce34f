"""Planning in rounds: windows keep their names, whatever is planned after them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from decisions import decision_on
from reviewed_run import track
from stored_run import store_table

from data_contracts.run import Run, StageResult
from data_contracts.tables.contracts import CANDIDATES
from flows.runtime.open_case import open_case
from flows.runtime.results import load
from flows.stages import plan

pytestmark = pytest.mark.stack
SEEN = datetime(2026, 11, 16, 0, 0, 10, tzinfo=UTC)


def scanned(run: Run, *seconds: float) -> StageResult:
    """A scan that found the subject at the entrance at these seconds after SEEN."""
    head = {"x0": 0.0, "y0": 0.0, "x1": 40.0, "y1": 50.0, "face_px": 30.0, "subject_p": 0.97}
    rows = [{"camera_id": "entrance", "t_utc": SEEN + timedelta(seconds=s)} | head for s in seconds]
    ref = store_table(open_case(run.case_id).vault, CANDIDATES, rows, f"scan-{len(seconds)}")
    return StageResult(stage="scan", digest="d", tables={"candidates": ref})


def windows(run: Run, planned: StageResult) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All windows so far and the fresh ones, by their ids."""
    vault = open_case(run.case_id).vault
    both = (planned["windows"], planned["fresh"])
    return tuple(load(vault, ref).set_index("window_id") for ref in both)


@pytest.mark.parametrize("what", ["search", "follow"])
def test_windows_keep_their_names_from_round_to_round(run: Run, what: str) -> None:
    """What is fresh in a round is among all windows under the same id and with the round's number;
    later rounds change nothing of it.
    """
    early = scanned(run, 0)
    late = scanned(run, 0, 3600)
    if what == "search":
        first = plan.plan_search(run, **plan.next_round(None))
        second = plan.plan_search(run, **plan.next_round(first), **plan.sighted(late, None))
    else:
        first = plan.plan_follow(run, **plan.next_round(None), **plan.sighted(early, None))
        second = plan.plan_follow(run, **plan.next_round(first), **plan.sighted(late, None))
    known, fresh = windows(run, first)
    after, fresher = windows(run, second)
    assert len(known)
    assert len(fresher), "the second round found something new"
    pd.testing.assert_frame_equal(known, fresh)
    pd.testing.assert_frame_equal(after.loc[known.index], known)
    pd.testing.assert_frame_equal(after.loc[fresher.index], fresher)
    assert set(known["round"]) == {0}
    assert set(fresher["round"]) == {1}


def test_decisions_are_anchors_and_what_is_rejected_is_none(run: Run) -> None:
    """The face of somebody who was rejected moves nothing; where two reviewers confirmed the
    subject it is looked at closely, as where a face was found.
    """
    head = {"x0": 120.0, "y0": 110.0, "x1": 150.0, "y1": 140.0, "face_px": 30.0, "subject_p": 0.97}
    row = {"camera_id": "entrance", "t_utc": SEEN} | head
    ref = store_table(open_case(run.case_id).vault, CANDIDATES, [row], "scan-rejected")
    scan = StageResult(stage="scan", digest="d", tables={"candidates": ref})
    none = store_table(open_case(run.case_id).vault, CANDIDATES, (), "scan-empty")
    nobody = StageResult(stage="scan", digest="d", tables={"candidates": none})
    start = (pd.Timestamp(SEEN) - pd.Timestamp("2026-11-16T00:00:00Z")).total_seconds()
    whom = track(1, 100, start=start - 2, seconds=10)

    def looked_at(scanned: StageResult, *decisions: object) -> pd.DataFrame:
        given = {**plan.next_round(None), **plan.sighted(scanned, None)}
        return windows(run, plan.plan_follow(run, decisions=decisions, **given))[0]

    by_face = looked_at(scan)
    assert len(by_face)
    assert looked_at(scan, decision_on(whom, verdict="reject")).empty
    elsewhere = track(1, 900, start=start - 2, seconds=10)
    assert len(looked_at(scan, decision_on(elsewhere, verdict="reject"))) == len(by_face)
    confirmed = looked_at(nobody, decision_on(whom))
    assert set(confirmed["camera_id"]) == set(by_face["camera_id"])
