"""From the trajectory and the anonymous persons to encounters, contacts and the list of gaps."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from data_contracts.exposure import MeetSettings
from data_contracts.review import Decision
from data_contracts.tables.contracts import (
    CONTACTS,
    ENCOUNTER_POINTS,
    ENCOUNTERS,
    GAPS,
    MEMBERS,
    PERSONS,
    SEGMENT_REPORTS,
    TRACKS,
    TRAJECTORY,
    WINDOWS,
)
from flows.runtime.stage import Work, stage
from flows.stages.plan import MAX_ROUNDS
from tasks.calibration.clock import clock_differences, clock_gaps
from tasks.consent.authorise import require
from tasks.exposure.assess import assess
from tasks.exposure.double import DoubleSettings, People, with_doubts
from tasks.exposure.meet import meet
from tasks.exposure.reviewed import as_reviewed
from tasks.people.trajectory import subject_ids
from tasks.search.coverage_gaps import (
    beyond_rounds,
    coverage_gaps,
    not_told_yet,
    uncalibrated_gaps,
)

# What each earlier stage could not do: the stages' own tables of gaps.
_GAPS_OF = ("planned", "scanned", "followed", "trace", "pictures")


@stage(
    "encounters",
    takes={"tracks": TRACKS, "persons": PERSONS, "members": MEMBERS, "trajectory": TRAJECTORY},
    makes={"points": ENCOUNTER_POINTS, "encounters": ENCOUNTERS},
    settings=lambda case: (MeetSettings(), DoubleSettings(), case.policy.search),
)
def find_encounters(
    work: Work,
    tracks: pd.DataFrame,
    persons: pd.DataFrame,
    members: pd.DataFrame,
    trajectory: pd.DataFrame,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Encounters on the ground plane, each distance a distribution, and whether it may be with the
    subject's own double.
    """
    subject = subject_ids(members, work.case.policy.search)
    site = work.case.site
    points, encounters = meet(
        trajectory, persons, subject, settings=work[MeetSettings], clocks=site.clocks
    )
    people = People(tracks, members, subject, site)
    return points, with_doubts(encounters, points, people, work[DoubleSettings])


@stage(
    "apply decisions",
    takes={
        "points": ENCOUNTER_POINTS,
        "encounters": ENCOUNTERS,
        "tracks": TRACKS,
        "members": MEMBERS,
    },
    makes={"points": ENCOUNTER_POINTS, "encounters": ENCOUNTERS},
)
def apply_decisions(
    work: Work,
    points: pd.DataFrame,
    encounters: pd.DataFrame,
    tracks: pd.DataFrame,
    members: pd.DataFrame,
    decisions: Sequence[Decision] = (),
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Encounters as two reviewers decided about them."""
    require(work.case.authorised)
    met, at = as_reviewed(encounters, points, tracks, members, decisions)
    return at, met


@stage(
    "assess",
    takes={"points": ENCOUNTER_POINTS, "encounters": ENCOUNTERS},
    makes={"contacts": CONTACTS},
    settings=lambda case: (MeetSettings(), case.policy),
)
def assess_contacts(work: Work, points: pd.DataFrame, encounters: pd.DataFrame) -> pd.DataFrame:
    """Contacts by the run's policy, from stored encounters alone."""
    return assess(points, encounters, work.case.policy, work.rng(), work[MeetSettings])


@stage(
    "collect gaps",
    takes={
        "windows": WINDOWS,
        "reports": SEGMENT_REPORTS,
        "dense": WINDOWS,
        "followed_reports": SEGMENT_REPORTS,
        "tracks": TRACKS,
        **dict.fromkeys(_GAPS_OF, GAPS),
    },
    makes={"gaps": GAPS},
)
def collect_gaps(
    work: Work,
    windows: pd.DataFrame,
    reports: pd.DataFrame,
    dense: pd.DataFrame,
    followed_reports: pd.DataFrame,
    tracks: pd.DataFrame,
    **gaps_of: pd.DataFrame,
) -> pd.DataFrame:
    """Everything that could not be looked at, one row a stretch."""
    beyond = beyond_rounds(pd.concat([windows, dense], ignore_index=True), MAX_ROUNDS)
    scanned = coverage_gaps(windows[windows["round"] <= MAX_ROUNDS], reports)
    followed = coverage_gaps(dense[dense["round"] <= MAX_ROUNDS], followed_reports)
    frames = [
        gaps_of["planned"],
        beyond,
        scanned,
        not_told_yet(followed, scanned),
        uncalibrated_gaps(windows, work.case.site),
        clock_gaps(clock_differences(tracks, work.case.site), work.case.site),
        *(gaps_of[name] for name in _GAPS_OF[1:]),
    ]
    gaps = pd.concat([f for f in frames if len(f)] or [GAPS.empty()], ignore_index=True)
    gaps = gaps.drop_duplicates(["kind", "camera_id", "start_utc", "end_utc"])
    return gaps.sort_values(["start_utc", "camera_id"])
