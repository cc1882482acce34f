"""From detections to anonymous persons, the subject's sightings and the trajectory."""

from __future__ import annotations

import numpy as np
import pandas as pd

from data_contracts.record import Record
from data_contracts.tables.contracts import GAPS, MEMBERS, PERSONS, SIGHTINGS, TRACKS, TRAJECTORY
from flows.runtime.open_case import OpenCase, open_case
from flows.runtime.results import Run, TableRef, load, once
from flows.stages.observe import Observations
from tasks.people.join import join
from tasks.people.sight import sight
from tasks.people.track import track
from tasks.people.trajectory import not_seen_gaps, subject_ids, trajectory


class People(Record):
    """Everyone followed, anonymous, and which of them is the subject."""

    tracks: TableRef
    persons: TableRef
    members: TableRef
    sightings: TableRef


class Trace(Record):
    """The subject's way and the stretches in which they were not seen."""

    trajectory: TableRef
    gaps: TableRef


def find_people(run: Run, followed: Observations) -> People:
    """Track each camera's detections, join overlapping cameras on the ground, and say which tracks
    are the subject's.
    """
    case = open_case(run.case_id, policy=run.policy)
    refs = once(
        case.vault,
        "people",
        {
            "detections": followed.table.digest,
            "salt": run.salt,
            "search": case.policy.search.model_dump(),
        },
        (TRACKS, PERSONS, MEMBERS, SIGHTINGS),
        lambda: _people(case, run, load(case.vault, followed.table)),
    )
    return People(tracks=refs[0], persons=refs[1], members=refs[2], sightings=refs[3])


def _people(case: OpenCase, run: Run, detections: pd.DataFrame) -> tuple[pd.DataFrame, ...]:
    by_camera = [
        track(rows.reset_index(drop=True), case.site.by_id[str(camera)])
        for camera, rows in detections.groupby("camera_id")
    ]
    tracks = pd.concat([t for t in by_camera if len(t)] or [TRACKS.empty()], ignore_index=True)
    rng = np.random.default_rng(int(run.salt, 16))
    persons, members = join(tracks, case.site, rng)
    sightings, members = sight(case.authorised, tracks, members, case.policy.search)
    return tracks, persons, members, sightings


def trace_subject(run: Run, people: People) -> Trace:
    """The subject's trajectory, with the gaps between what was seen."""
    case = open_case(run.case_id, policy=run.policy)
    refs = once(
        case.vault,
        "trajectory",
        {"people": people.sightings.digest, "salt": run.salt},
        (TRAJECTORY, GAPS),
        lambda: _trace(case, people),
    )
    return Trace(trajectory=refs[0], gaps=refs[1])


def _trace(case: OpenCase, people: People) -> tuple[pd.DataFrame, pd.DataFrame]:
    found = trajectory(
        load(case.vault, people.persons),
        load(case.vault, people.members),
        load(case.vault, people.sightings),
    )
    return found, not_seen_gaps(found, case.request.itinerary)


def the_subject(case: OpenCase, people: People) -> set[str]:
    """Person ids that are the subject."""
    return subject_ids(load(case.vault, people.members), case.policy.search)
