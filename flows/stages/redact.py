"""Redacted stills and clips: planned here, made in the workers, stored under the run."""

from __future__ import annotations

import contextlib
from datetime import datetime

import numpy as np
import pandas as pd

from data_contracts import object_key
from data_contracts.errors import EncounterError, FootageGone
from data_contracts.gap import FAILED_ADVICE, GapRow, gap_row
from data_contracts.record import Record
from data_contracts.tables.contracts import GAPS
from data_contracts.time import Interval, Utc
from flows.runtime.environment import Environment, environment, models
from flows.runtime.fan_out import each
from flows.runtime.open_case import OpenCase, open_case
from flows.runtime.results import Run, TableRef, digest, load, save
from flows.runtime.segment_job import read_footage
from flows.runtime.still_allowed import StillAllowed, looking_only_while
from flows.stages.exposure import Meetings
from flows.stages.observe import Observations
from flows.stages.people import People
from models.geometry import ONE_PERSON_OVERLAP, suppress
from models.registry import Models
from tasks.redaction.hidden_people import with_unseen
from tasks.redaction.plan import PictureJob, plan_pictures, surely
from tasks.redaction.redact import Detectors, Found, RedactSettings
from tasks.redaction.render import Segment, background_of, render_picture

# Segments read for a camera's empty scene: enough spread in time for people who stand still to have
# left.
BACKGROUND_SEGMENTS = 8


class PictureUnit(Record):
    """All pictures of one camera."""

    run: Run
    camera_id: str
    jobs: tuple[PictureJob, ...]
    people: People
    segments: tuple[tuple[str, Utc], ...]


class Pictures(Record):
    """Names of the pictures made, and a gap for each that could not be."""

    names: tuple[str, ...]
    gaps: TableRef


def make_pictures(
    run: Run, followed: Observations, people: People, meetings: Meetings, contacts: TableRef
) -> Pictures:
    """Make the run's pictures. One that cannot be made is a gap, never shown unredacted."""
    case = open_case(run.case_id, policy=run.policy)
    tracks = load(case.vault, people.tracks)
    jobs = plan_pictures(
        load(case.vault, people.sightings),
        load(case.vault, contacts),
        load(case.vault, meetings.points),
        tracks,
        load(case.vault, people.members),
    )
    units = [
        _unit(run, camera, jobs, people, _segments(case, followed, camera))
        for camera in _cameras(jobs)
    ]
    # The camera with the most pictures first: its worker finishes last.
    units.sort(key=lambda unit: len(unit.jobs), reverse=True)
    names: list[str] = []
    gaps: list[GapRow] = []
    allowed = StillAllowed(environment(), run.case_id)
    for unit, made in each(render_unit, units, lambda _done, _total: None, allowed):
        shown = [] if isinstance(made, EncounterError) else made
        names += shown
        why = type(made).__name__ if isinstance(made, EncounterError) else "no footage of it"
        gaps += [_not_made(job, why) for job in unit.jobs if f"{job.name}.jpg" not in shown]
    key = digest(run=run.run_id, names=sorted(names), gaps=gaps)
    return Pictures(
        names=tuple(sorted(names)),
        gaps=save(case.vault, "picture-gaps", key, GAPS.shape(gaps), GAPS),
    )


def _not_made(job: PictureJob, why: str) -> GapRow:
    span = Interval(job.start_utc, job.end_utc)
    detail = f"picture and clip {job.name} could not be made ({why})"
    return gap_row("failed", job.camera_id, span, detail, FAILED_ADVICE)


def _cameras(jobs: list[PictureJob]) -> list[str]:
    return sorted({job.camera_id for job in jobs})


def _segments(case: OpenCase, followed: Observations, camera: str) -> pd.DataFrame:
    reports = load(case.vault, followed.reports)
    return reports[(reports["camera_id"] == camera) & (reports["n_frames"] > 0)].sort_values(
        "start_utc"
    )


def _unit(
    run: Run, camera: str, jobs: list[PictureJob], people: People, segments: pd.DataFrame
) -> PictureUnit:
    own = tuple(job for job in jobs if job.camera_id == camera)
    needed = segments[
        [any(s < j.end_utc and e > j.start_utc for j in own) for s, e in _spans(segments)]
    ]
    spread = segments.iloc[
        np.unique(np.linspace(0, len(segments) - 1, BACKGROUND_SEGMENTS).astype(int))
    ]
    wanted = pd.concat([needed, spread]).drop_duplicates("key").sort_values("start_utc")
    rows = tuple(
        (str(k), pd.Timestamp(s).to_pydatetime())
        for k, s in zip(wanted["key"], wanted["start_utc"], strict=True)
    )
    return PictureUnit(run=run, camera_id=camera, jobs=own, people=people, segments=rows)


def _spans(segments: pd.DataFrame) -> list[tuple[datetime, datetime]]:
    return list(zip(segments["start_utc"], segments["end_utc"], strict=True))


def render_unit(unit: PictureUnit) -> list[str]:
    """Make and store one camera's pictures in a worker; returns their names. What is stored already
    is not made again.
    """
    env = environment()
    case = open_case(unit.run.case_id, env, unit.run.policy)
    missing = [job for job in unit.jobs if not case.vault.exists(_key(unit.run, f"{job.name}.jpg"))]
    if missing:
        _render(case, unit, missing)
    names = [f"{job.name}.{kind}" for job in unit.jobs for kind in ("jpg", "mp4")]
    return [name for name in names if case.vault.exists(_key(unit.run, name))]


def _render(case: OpenCase, unit: PictureUnit, jobs: list[PictureJob]) -> None:
    env = environment()
    settings = RedactSettings()
    allowed = StillAllowed(env, unit.run.case_id)
    seen = detectors(looking_only_while(allowed, models(env)), settings)
    segments = _footage(env, unit)
    camera = case.site.by_id[unit.camera_id]
    tracks = _everybody(case, unit, settings)
    background = background_of(segments, camera, seen, settings, tracks)
    for job in jobs:
        made = render_picture(job, camera, segments, tracks, background, seen, settings)
        # The still is written last: its presence says that the clip is there.
        for name in sorted(made, reverse=True):
            case.vault.put(_key(unit.run, name), made[name])


def _footage(env: Environment, unit: PictureUnit) -> list[Segment]:
    """Starts and bytes of the unit's segments that are still in the store."""
    out = []
    for key, start in unit.segments:
        with contextlib.suppress(FootageGone):
            out.append((start, read_footage(env, key)))
    return out


def _everybody(case: OpenCase, unit: PictureUnit, settings: RedactSettings) -> pd.DataFrame:
    """Tracks of the unit's camera, and who other cameras place in its view."""
    people = unit.people
    tracks, persons, members, sightings = (
        load(case.vault, ref)
        for ref in (people.tracks, people.persons, people.members, people.sightings)
    )
    return with_unseen(
        tracks, case.site.by_id[unit.camera_id], persons, members, surely(sightings), settings
    )


def _key(run: Run, name: str) -> str:
    return object_key.picture(run.case_id, run.run_id, name)


def detectors(loaded: Models, settings: RedactSettings) -> Detectors:
    """The independent look of redaction, by the run's own models."""

    def people(images: list[np.ndarray]) -> list[Found]:
        # A sure box on another is a second person to hide (three in ten are, on real footage); an
        # unsure one is the first again.
        found = loaded.person.detect(images)
        kept = [
            suppress(b.xyxy, b.score, ONE_PERSON_OVERLAP, b.score >= settings.sure_score)
            for b in found
        ]
        return [
            (b.xyxy[k].astype(float), b.score[k].astype(float))
            for b, k in zip(found, kept, strict=True)
        ]

    def faces(images: list[np.ndarray]) -> list[Found]:
        return [
            (np.asarray(f.xyxy, float), np.asarray(f.score, float))
            for f in loaded.face.detect(images)
        ]

    return Detectors(people=people, faces=faces)  # type: ignore[arg-type]


def carry_pictures(
    before: Run, old_contacts: TableRef, run: Run, new_contacts: TableRef
) -> tuple[str, ...]:
    """Pictures of an earlier run for one under another policy: sightings as they are, contacts
    under their new numbers.
    """
    case = open_case(run.case_id, policy=run.policy)
    old = load(case.vault, old_contacts)
    new = load(case.vault, new_contacts)
    number = dict(zip(new["person_id"], new["contact_id"], strict=True))
    renamed = {
        c: number[p]
        for p, c in zip(old["person_id"], old["contact_id"], strict=True)
        if p in number
    }
    names = []
    for item in case.vault.list(object_key.picture(before.case_id, before.run_id)):
        stem, _, kind = item.key.rsplit("/", 1)[-1].partition(".")
        target = stem if stem.startswith("S-") else renamed.get(stem)
        if target is not None:
            case.vault.put(_key(run, f"{target}.{kind}"), case.vault.get(item.key))
            names.append(f"{target}.{kind}")
    return tuple(sorted(names))
