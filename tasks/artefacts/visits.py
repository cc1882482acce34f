"""The itinerary against what was seen: found, asked about, not found, not to be seen."""

from __future__ import annotations

from functools import reduce
from typing import Literal, NamedTuple

import pandas as pd

from data_contracts.camera import Site
from data_contracts.case import CaseRequest, Visit
from data_contracts.time import Interval, intervals_of, merge
from tasks.search.anchor import claimed_anchors

VisitState = Literal["found", "asked", "not found", "not to be seen"]
# Chosen: where at least half of a visit could not be looked at, "not found" would say too much.
_UNSEEN = 0.5
# Who was expected here and not seen was looked for.
_LOOKED = "not_seen"


class ToldVisit(NamedTuple):
    """A visit of the itinerary with what became of it.

    `cameras`: those at its place. `sightings`: on these cameras at that time, those that count
    first. `elsewhere`: sure sightings on other cameras at that time. `unseen`: the share of its
    time in which none of its cameras could be looked at; 1 where it has no camera.
    """

    visit: Visit
    state: VisitState
    cameras: tuple[str, ...]
    sightings: tuple[str, ...]
    elsewhere: tuple[str, ...]
    unseen: float


def told_visits(
    request: CaseRequest, site: Site, sightings: pd.DataFrame, gaps: pd.DataFrame
) -> list[ToldVisit]:
    """Each visit of the itinerary, by the run's SIGHTINGS and GAPS."""
    at = {anchor.anchor_id: anchor.camera_ids for anchor in claimed_anchors(request, site)[0]}
    standing = sightings[sightings["review"] != "rejected"].sort_values("start_utc")
    return [
        _told(visit, at.get(f"visit-{number}", ()), standing, gaps)
        for number, visit in enumerate(request.itinerary, start=1)
    ]


def _told(
    visit: Visit, cameras: tuple[str, ...], sightings: pd.DataFrame, gaps: pd.DataFrame
) -> ToldVisit:
    slack = pd.Timedelta(seconds=visit.tolerance_s)
    near = sightings[
        (sightings["start_utc"] <= visit.to_utc + slack)
        & (sightings["end_utc"] >= visit.from_utc - slack)
    ]
    sure = (near["band"] == "high") | (near["review"] == "confirmed")
    here = near["camera_id"].isin(cameras)
    during = (near["start_utc"] < visit.to_utc) & (near["end_utc"] > visit.from_utc)
    unseen = _unseen(Interval(visit.from_utc, visit.to_utc), cameras, gaps)
    state: VisitState = "not to be seen" if unseen >= _UNSEEN else "not found"
    if (here & sure).any():
        state = "found"
    elif here.any():
        state = "asked"
    return ToldVisit(
        visit=visit,
        state=state,
        cameras=cameras,
        sightings=(*near["sighting_id"][here & sure], *near["sighting_id"][here & ~sure]),
        elsewhere=tuple(near["sighting_id"][~here & sure & during]),
        unseen=unseen,
    )


def _unseen(span: Interval, cameras: tuple[str, ...], gaps: pd.DataFrame) -> float:
    """The share of a time in which every camera has a gap."""
    if not cameras:
        return 1.0
    missed = gaps[gaps["kind"] != _LOOKED]
    of_each = [
        merge(intervals_of(missed[missed["camera_id"].isin([camera, ""])])) for camera in cameras
    ]
    parts = reduce(_common, of_each, [span])
    return sum(part.seconds for part in parts) / span.seconds


def _common(some: list[Interval], others: list[Interval]) -> list[Interval]:
    found = [one.intersect(other) for one in some for other in others]
    return merge([part for part in found if part is not None])
