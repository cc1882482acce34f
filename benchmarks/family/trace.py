"""One scene through the project's own tasks, in this process: everyone on every camera is followed
over the whole footage, then tracks, persons, sightings, trajectory, encounters and contacts are
made as the stages make them. Searching is left out: it is measured by `benchmarks.site`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.family.looks import looked
from benchmarks.redaction.footage import Footage, authorised, look, read_footage
from benchmarks.site.run_tables import RunTables
from benchmarks.truth import Subject
from data_contracts.authorisation import AuthorisedCase
from data_contracts.camera import Site
from data_contracts.pointing import Pointing
from data_contracts.policies import load_policy
from data_contracts.review import Decision
from data_contracts.tables.contracts import DETECTIONS, GAPS
from models.registry import load
from tasks.exposure.assess import assess
from tasks.exposure.double import People, with_doubts
from tasks.exposure.meet import meet
from tasks.people.everybody import Known, everybody
from tasks.people.trajectory import subject_ids, trajectory


@dataclass(frozen=True)
class Traced:
    """What was made of a scene: the tables that are compared, TRACKS and MEMBERS."""

    run: RunTables
    tracks: pd.DataFrame
    members: pd.DataFrame


def trace(
    scene: Path,
    subject: Subject,
    policy: str,
    kept: Path,
    by_looks: bool = False,
    points: Sequence[Pointing] = (),
    decisions: Sequence[Decision] = (),
) -> Traced:
    """Trace a scene's subject; detections are read from the file `kept`, or written there. With
    `by_looks`, or with `points` at the subject, the consent names the appearance too. `decisions`
    are what reviewers said of an earlier trace.

    Raises EncounterError.
    """
    by_looks = by_looks or bool(points)
    footage = read_footage(scene)
    case = authorised(subject, ("face", "appearance") if by_looks else ("face",))
    if kept.is_file():
        found = DETECTIONS.shape(pd.read_parquet(kept))
    else:
        found = look(case, footage, subject, load(), lambda text: print(text, file=sys.stderr))
        kept.parent.mkdir(parents=True, exist_ok=True)
        found.to_parquet(kept)
    return conclude(
        case, footage.site, found, policy, footage if by_looks else None, points, decisions
    )


def conclude(
    case: AuthorisedCase,
    site: Site,
    found: pd.DataFrame,
    policy: str,
    footage: Footage | None = None,
    points: Sequence[Pointing] = (),
    decisions: Sequence[Decision] = (),
) -> Traced:
    """From DETECTIONS to contacts, as flows/stages/people.py and exposure.py do; by looks too where
    the footage is given.
    """
    rule = load_policy(policy)
    people = everybody(case, found, site, rule.search, _names, Known(None, points, decisions))
    if footage is not None:
        looks = looked(case, footage, found, people.tracks, people.sightings, points)
        people = everybody(case, found, site, rule.search, _names, Known(looks, points, decisions))
    tracks, persons, members, sightings = people
    way = trajectory(persons, members, sightings)
    subject = subject_ids(members, rule.search)
    near, encounters = meet(way, persons, subject)
    encounters = with_doubts(encounters, near, People(tracks, members, subject, site))
    contacts = assess(near, encounters, rule, np.random.default_rng(0))
    run = RunTables(way, sightings, encounters, near, contacts, GAPS.empty(), rule.label)
    return Traced(run, tracks, members)


def _names() -> np.random.Generator:
    return np.random.default_rng(0)
