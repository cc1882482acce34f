"""Planning in rounds: windows to scan from claims and sightings, windows to follow around
sightings.
"""

from __future__ import annotations

import pandas as pd

from data_contracts.record import Record
from data_contracts.tables.contracts import GAPS, WINDOWS
from flows.runtime.open_case import OpenCase, open_case
from flows.runtime.results import Run, TableRef, digest, load, save
from flows.stages.observe import Observations
from flows.stages.people import People
from tasks.search.anchor import claimed_anchors, sighting_anchors
from tasks.search.plan import follow_windows, new_windows, plan

# Enough dense footage around a sighting for a track to begin and end in it; whole segments are read
# anyway.
FOLLOW_PAD_S = 15.0
# Planning ends when nothing new is reachable; this bound only guards against a fault in it.
MAX_ROUNDS = 50


class Windows(Record):
    """Windows planned so far, those of them not looked at yet, and what cannot be looked at."""

    round: int
    windows: TableRef
    fresh: TableRef
    gaps: TableRef

    @property
    def open(self) -> bool:
        """Whether there is something new to look at."""
        return self.fresh.rows > 0 and self.round <= MAX_ROUNDS


def plan_search(
    run: Run,
    before: Windows | None = None,
    scanned: Observations | None = None,
    people: People | None = None,
) -> Windows:
    """Windows reachable from the claims and from the sightings so far."""
    case = open_case(run.case_id, policy=run.policy)
    claimed, claim_gaps = claimed_anchors(case.request, case.site)
    seen = _sighted(case, scanned, people)
    round_no = before.round + 1 if before else 0
    anchors = [*claimed, *sighting_anchors(seen, case.policy.search.propose_probability)]
    planned = plan(case.authorised, case.site, case.policy, anchors, round_no)
    gaps = pd.concat(
        [f for f in (GAPS.shape(claim_gaps), planned.gaps) if len(f)] or [GAPS.empty()],
        ignore_index=True,
    )
    return _windows(case, run, "search", before, planned.windows, gaps, round_no)


def plan_follow(
    run: Run, scanned: Observations, people: People | None, before: Windows | None = None
) -> Windows:
    """Dense windows around the sightings so far, on the camera itself and those that overlap or
    adjoin it.
    """
    case = open_case(run.case_id, policy=run.policy)
    seen = _sighted(case, scanned, people)
    round_no = before.round + 1 if before else 0
    windows = follow_windows(case.authorised, case.site, case.policy, seen, FOLLOW_PAD_S, round_no)
    return _windows(case, run, "follow", before, windows, GAPS.empty(), round_no)


def _sighted(case: OpenCase, scanned: Observations | None, people: People | None) -> pd.DataFrame:
    """Where the subject was found and how surely: candidates of the scan and sightings of the
    following.
    """
    columns = ["camera_id", "start_utc", "end_utc", "probability"]
    rows = [pd.DataFrame({name: [] for name in columns})]
    if scanned is not None:
        found = load(case.vault, scanned.table)
        rows.append(
            found.assign(
                start_utc=found["t_utc"], end_utc=found["t_utc"], probability=found["subject_p"]
            )[columns]
        )
    if people is not None:
        rows.append(load(case.vault, people.sightings)[columns])
    return pd.concat([r for r in rows if len(r)] or rows[:1], ignore_index=True)


def _windows(
    case: OpenCase,
    run: Run,
    name: str,
    before: Windows | None,
    windows: pd.DataFrame,
    gaps: pd.DataFrame,
    round_no: int,
) -> Windows:
    known = load(case.vault, before.windows) if before else WINDOWS.empty()
    fresh = new_windows(known, windows)
    merged = pd.concat(
        [f for f in (known, fresh) if len(f)] or [WINDOWS.empty()], ignore_index=True
    )
    key = digest(
        name=name, round=round_no, run=run.run_id, windows=merged.astype(str).to_dict("list")
    )
    return Windows(
        round=round_no,
        windows=save(case.vault, f"{name}-windows", key, merged, WINDOWS),
        fresh=save(case.vault, f"{name}-fresh", key, fresh, WINDOWS),
        gaps=save(case.vault, f"{name}-gaps", key, gaps, GAPS),
    )
