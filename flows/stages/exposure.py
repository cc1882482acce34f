"""From the trajectory and the anonymous persons to encounters, contacts and the list of gaps."""

from __future__ import annotations

import numpy as np
import pandas as pd

from data_contracts.exposure import MeetSettings
from data_contracts.record import Record
from data_contracts.tables.contracts import CONTACTS, ENCOUNTER_POINTS, ENCOUNTERS, GAPS
from flows.runtime.open_case import OpenCase, open_case
from flows.runtime.results import Run, TableRef, digest, load, once, save
from flows.stages.observe import Observations
from flows.stages.people import People, Trace, the_subject
from flows.stages.plan import Windows
from tasks.exposure.assess import assess
from tasks.exposure.meet import meet
from tasks.search.find_segments import coverage_gaps, uncalibrated_gaps


class Meetings(Record):
    """Encounters between the subject and anonymous persons: all that an exposure policy needs."""

    points: TableRef
    encounters: TableRef


def find_encounters(run: Run, people: People, trace: Trace) -> Meetings:
    """Encounters on the ground plane, each distance a distribution."""
    case = open_case(run.case_id, policy=run.policy)
    refs = once(
        case.vault,
        "meet",
        {
            "people": people.persons.digest,
            "trajectory": trace.trajectory.digest,
            "settings": MeetSettings().model_dump(),
        },
        (ENCOUNTER_POINTS, ENCOUNTERS),
        lambda: meet(
            load(case.vault, trace.trajectory),
            load(case.vault, people.persons),
            the_subject(case, people),
        ),
    )
    return Meetings(points=refs[0], encounters=refs[1])


def assess_contacts(run: Run, meetings: Meetings) -> TableRef:
    """Contacts by the run's policy, from stored encounters alone."""
    case = open_case(run.case_id, policy=run.policy)
    policy = case.policy
    (contacts,) = once(
        case.vault,
        "assess",
        {
            "encounters": meetings.points.digest,
            "policy": policy.model_dump(mode="json"),
            "salt": run.salt,
        },
        (CONTACTS,),
        lambda: (
            assess(
                load(case.vault, meetings.points),
                load(case.vault, meetings.encounters),
                policy,
                np.random.default_rng(int(run.salt, 16)),
            ),
        ),
    )
    return contacts


def collect_gaps(
    run: Run,
    search: Windows,
    scanned: Observations,
    followed: Observations,
    trace: Trace,
    not_pictured: TableRef,
) -> TableRef:
    """Everything that could not be looked at, one row a stretch."""
    case = open_case(run.case_id, policy=run.policy)
    frames = [
        load(case.vault, search.gaps),
        _uncovered(case, search.windows, scanned),
        uncalibrated_gaps(load(case.vault, search.windows), case.site),
        load(case.vault, scanned.gaps),
        load(case.vault, followed.gaps),
        load(case.vault, trace.gaps),
        load(case.vault, not_pictured),
    ]
    gaps = pd.concat([f for f in frames if len(f)] or [GAPS.empty()], ignore_index=True)
    gaps = gaps.drop_duplicates(["kind", "camera_id", "start_utc", "end_utc"]).sort_values(
        ["start_utc", "camera_id"]
    )
    made_of = (
        search.gaps,
        scanned.reports,
        scanned.gaps,
        followed.gaps,
        trace.gaps,
        not_pictured,
    )
    refs = [r.digest for r in made_of]
    return save(case.vault, "gaps", digest(refs=refs, run=run.run_id), gaps, GAPS)


def _uncovered(case: OpenCase, windows: TableRef, scanned: Observations) -> pd.DataFrame:
    return coverage_gaps(load(case.vault, windows), load(case.vault, scanned.reports))
