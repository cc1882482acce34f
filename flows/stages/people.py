"""From detections to anonymous persons, the subject's sightings and the trajectory."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from data_contracts.pointing import Pointing
from data_contracts.review import Decision
from data_contracts.tables.contracts import (
    DETECTIONS,
    GAPS,
    LOOKS,
    MEMBERS,
    PERSONS,
    SIGHTINGS,
    TRACKS,
    TRAJECTORY,
)
from flows.runtime.environment import detector_scores, environment
from flows.runtime.stage import Work, stage
from tasks.people.decided import decision_gaps
from tasks.people.everybody import Known, PeopleSettings, everybody
from tasks.people.pointed import pointing_gaps
from tasks.people.site_tracks import SiteTrackSettings
from tasks.people.track import TrackSettings
from tasks.people.trajectory import TrajectorySettings, not_seen_gaps, trajectory


@stage(
    "track, join, sight",
    takes={"detections": DETECTIONS, "looks": LOOKS},
    makes={"tracks": TRACKS, "persons": PERSONS, "members": MEMBERS, "sightings": SIGHTINGS},
    settings=lambda case: (
        PeopleSettings(
            tracks=SiteTrackSettings(track=TrackSettings.of(detector_scores(environment())[0]))
        ),
        case.policy.search,
    ),
)
def find_people(
    work: Work,
    detections: pd.DataFrame,
    looks: pd.DataFrame,
    points: Sequence[Pointing] = (),
    decisions: Sequence[Decision] = (),
) -> tuple[pd.DataFrame, ...]:
    """Track each camera's detections, join overlapping cameras on the ground, and say which tracks
    are the subject's.
    """
    case = work.case
    search = case.policy.search
    known = Known(looks, points, decisions)
    settings = work[PeopleSettings]
    return everybody(case.authorised, detections, case.site, search, work.rng, known, settings)


@stage(
    "trajectory",
    takes={"persons": PERSONS, "members": MEMBERS, "sightings": SIGHTINGS},
    makes={"trajectory": TRAJECTORY, "gaps": GAPS},
    settings=lambda _case: (TrajectorySettings(),),
)
def trace_subject(
    work: Work,
    persons: pd.DataFrame,
    members: pd.DataFrame,
    sightings: pd.DataFrame,
    points: Sequence[Pointing] = (),
    decisions: Sequence[Decision] = (),
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The subject's trajectory, with the gaps between what was seen."""
    settings = work[TrajectorySettings]
    found = trajectory(persons, members, sightings, settings)
    missed = not_seen_gaps(found, work.case.request.itinerary, settings)
    unmet = pointing_gaps(work.case.authorised, sightings, points)
    lost = decision_gaps(work.case.authorised, sightings, decisions)
    gaps = [g for g in (missed, unmet, lost) if len(g)]
    return found, pd.concat(gaps or [missed], ignore_index=True)
