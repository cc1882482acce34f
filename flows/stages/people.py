"""From detections to anonymous persons, the subject's sightings and the trajectory."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from data_contracts.pointing import Pointing
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
from tasks.people.face_evidence import SightSettings
from tasks.people.join import JoinSettings, join
from tasks.people.other_view import OtherViewSettings
from tasks.people.pointed import pointing_gaps
from tasks.people.site_tracks import track_site
from tasks.people.subject import sight
from tasks.people.switched import SwitchSettings
from tasks.people.track import TrackSettings
from tasks.people.trajectory import TrajectorySettings, not_seen_gaps, trajectory


@stage(
    "track, join, sight",
    takes={"detections": DETECTIONS, "looks": LOOKS},
    makes={"tracks": TRACKS, "persons": PERSONS, "members": MEMBERS, "sightings": SIGHTINGS},
    settings=lambda case: (
        TrackSettings.of(detector_scores(environment())[0]),
        OtherViewSettings(),
        SwitchSettings(),
        JoinSettings(),
        SightSettings(),
        case.policy.search,
    ),
)
def find_people(
    work: Work, detections: pd.DataFrame, looks: pd.DataFrame, points: Sequence[Pointing] = ()
) -> tuple[pd.DataFrame, ...]:
    """Track each camera's detections, join overlapping cameras on the ground, and say which tracks
    are the subject's.
    """
    case = work.case
    tracks = track_site(
        detections, case.site, work[TrackSettings], work[OtherViewSettings], work[SwitchSettings]
    )
    persons, members = join(tracks, case.site, work.rng(), work[JoinSettings])
    search = case.policy.search
    sightings, members = sight(
        case.authorised, tracks, members, search, work[SightSettings], looks, points
    )
    return tracks, persons, members, sightings


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
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The subject's trajectory, with the gaps between what was seen."""
    settings = work[TrajectorySettings]
    found = trajectory(persons, members, sightings, settings)
    missed = not_seen_gaps(found, work.case.request.itinerary, settings)
    unmet = pointing_gaps(work.case.authorised, sightings, points)
    return found, pd.concat([g for g in (missed, unmet) if len(g)] or [missed], ignore_index=True)
