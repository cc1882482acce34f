"""Planning: where the subject could have been, and around which sightings to look densely."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from data_contracts.pointing import Pointing
from data_contracts.policy import SearchSettings
from data_contracts.review import Decision
from data_contracts.run import StageResult, TableRef
from data_contracts.tables.contracts import CANDIDATES, GAPS, LOOKS, SIGHTINGS, WINDOWS
from data_contracts.tables.table import TableContract
from flows.runtime.stage import Work, stage
from tasks.people.alike import seen_alike
from tasks.people.decided import confirmed_marks, rejected_marks
from tasks.people.marked import lying_on
from tasks.people.masked_candidates import added_up
from tasks.search.anchor import claimed_anchors, sighting_anchors
from tasks.search.plan import follow_windows, new_windows, plan

# Enough dense footage around a sighting for a track to begin and end in it; whole segments are read
# anyway.
FOLLOW_PAD_S = 15.0
# Planning ends when nothing new is reachable. What is planned beyond this bound is not looked at,
# and is a gap.
MAX_ROUNDS = 50

_TABLES_TAKEN: dict[str, TableContract] = {
    "known": WINDOWS,
    "candidates": CANDIDATES,
    "sightings": SIGHTINGS,
}
_TABLES_MADE = {"windows": WINDOWS, "fresh": WINDOWS, "gaps": GAPS}
Planned = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]


# Planning looks at whatever cameras lie near, and costs little: it is done anew each time, and what
# it gives decides what follows.
@stage(
    "plan search",
    takes=_TABLES_TAKEN,
    makes=_TABLES_MADE,
    settings=lambda case: (case.policy,),
    fresh=True,
)
def plan_search(
    work: Work,
    known: pd.DataFrame,
    candidates: pd.DataFrame,
    sightings: pd.DataFrame,
    round_no: int,
    points: Sequence[Pointing] = (),
    decisions: Sequence[Decision] = (),
) -> Planned:
    """Windows reachable from the claims, from where somebody pointed at the subject or two
    reviewers confirmed them, and from the sightings so far.
    """
    case = work.case
    claimed, claim_gaps = claimed_anchors(case.request, case.site)
    seen = _where_found(candidates, sightings, points, decisions, case.policy.search)
    anchors = [*claimed, *sighting_anchors(seen, case.policy.search.propose_probability)]
    cameras = set(known["camera_id"])
    planned = plan(case.authorised, case.site, case.policy, anchors, round_no, cameras)
    gaps = _under_one_another(GAPS.empty(), GAPS.shape(claim_gaps), planned.gaps)
    return *_all_and_fresh(known, planned.windows), gaps


@stage(
    "plan following",
    takes=_TABLES_TAKEN | {"alike": LOOKS},
    makes=_TABLES_MADE,
    settings=lambda case: (case.policy,),
    fresh=True,
)
def plan_follow(
    work: Work,
    known: pd.DataFrame,
    candidates: pd.DataFrame,
    sightings: pd.DataFrame,
    alike: pd.DataFrame,
    round_no: int,
    points: Sequence[Pointing] = (),
    decisions: Sequence[Decision] = (),
) -> Planned:
    """Dense windows around where somebody pointed at the subject or two reviewers confirmed them
    and the sightings so far, on the camera itself and those that overlap or adjoin it; and around
    who wears the subject's clothes, on the camera itself and those that overlap it.
    """
    case = work.case
    seen = _where_found(candidates, sightings, points, decisions, case.policy.search)
    windows = follow_windows(
        case.authorised,
        case.site,
        case.policy,
        seen,
        FOLLOW_PAD_S,
        round_no,
        known,
        alike=seen_alike(alike, case.policy.search),
    )
    return *_all_and_fresh(known, windows), GAPS.empty()


def is_open(planned: StageResult) -> bool:
    """Whether a round of planning found something new to look at."""
    return planned["fresh"].rows > 0 and planned.round_no <= MAX_ROUNDS


def next_round(planned: StageResult | None) -> dict[str, Any]:
    """What the next round of a plan is told of the one before."""
    if planned is None:
        return {"known": None, "round_no": 0}
    return {"known": planned["windows"], "round_no": planned.round_no + 1}


def sighted(scanned: StageResult, found: StageResult | None) -> dict[str, TableRef | None]:
    """What planning takes of looking: candidates of the scan, sightings of the following."""
    return {
        "candidates": scanned["candidates"],
        "sightings": found["sightings"] if found else None,
    }


def _where_found(
    candidates: pd.DataFrame,
    sightings: pd.DataFrame,
    points: Sequence[Pointing],
    decisions: Sequence[Decision],
    search: SearchSettings,
) -> pd.DataFrame:
    """Where the subject was found and how surely: candidates of the scan (but of people who were
    rejected), sightings of the following, and where people have said so.
    """
    columns = ["camera_id", "start_utc", "end_utc", "probability"]
    middle = {
        "x": (candidates["x0"] + candidates["x1"]) / 2,
        "y": (candidates["y0"] + candidates["y1"]) / 2,
    }
    left = candidates[~lying_on(candidates.assign(**middle), rejected_marks(decisions))]
    left = added_up(left, search)
    at = left["t_utc"]
    found = left.assign(start_utc=at, end_utc=at, probability=left["subject_p"])
    said = [(p.camera_id, p.t_utc, p.t_utc, 1.0) for p in points]
    said += [(m.camera_id, m.start_utc, m.end_utc, 1.0) for m in confirmed_marks(decisions)]
    told = pd.DataFrame(said, columns=columns)
    for column in ("start_utc", "end_utc"):
        told[column] = pd.to_datetime(told[column], utc=True)
    return _under_one_another(found[columns], sightings[columns], told)


def _all_and_fresh(known: pd.DataFrame, planned: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All windows so far, and the fresh ones, whose ids stay."""
    fresh = new_windows(known, planned)
    return _under_one_another(known, fresh), fresh


def _under_one_another(*frames: pd.DataFrame) -> pd.DataFrame:
    """Frames of like columns under one another; the first where all are empty."""
    return pd.concat([f for f in frames if len(f)] or [frames[0]], ignore_index=True)
