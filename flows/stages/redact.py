"""Redacted stills and clips: planned here, made in the workers, stored under the run."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from data_contracts import object_key
from data_contracts.camera import Camera
from data_contracts.clock import true_time
from data_contracts.errors import (
    EncounterError,
    FootageChanged,
    FootageGone,
    VideoUnreadable,
)
from data_contracts.gap import FAILED_ADVICE, GapRow, gap_row
from data_contracts.record import Record
from data_contracts.run import Run, StageResult, TableRef
from data_contracts.tables.contracts import (
    CONTACTS,
    ENCOUNTER_POINTS,
    GAPS,
    MEMBERS,
    PERSONS,
    PICTURES,
    SEGMENT_REPORTS,
    SIGHTINGS,
    TRACKS,
)
from data_contracts.time import Interval, Utc, intervals_of, utc_of
from flows.runtime.environment import detector_scores, environment
from flows.runtime.fan_out import in_order
from flows.runtime.results import load
from flows.runtime.segment_job import one_camera, read_footage
from flows.runtime.stage import Work, stage
from flows.runtime.stats import write_unit_stat
from infra.store import LARGEST_BYTES
from models.geometry import ONE_PERSON_OVERLAP, suppress
from models.registry import Models
from tasks.redaction.hidden_people import SitePeople, with_unseen
from tasks.redaction.plan import PictureJob, plan_pictures, surely
from tasks.redaction.redact import Detectors, Found, RedactSettings
from tasks.redaction.render import CameraView, Segment, background_of, render_picture

# Segments read for a camera's empty scene: enough spread in time for people who stand still to have
# left.
BACKGROUND_SEGMENTS = 8
# The tables by which one camera's pictures are made.
_PEOPLE_TABLES = {"tracks": TRACKS, "persons": PERSONS, "members": MEMBERS, "sightings": SIGHTINGS}


class FootagePart(Record):
    """A segment that pictures are made from, as it was followed: see `Segment`."""

    key: str
    etag: str
    start_utc: Utc
    shares: tuple[tuple[Utc, Utc], ...]


Segments = tuple[FootagePart, ...]


class PictureUnit(Record):
    """All pictures of one camera, as they travel to a worker."""

    run: Run
    camera_id: str
    jobs: tuple[PictureJob, ...]
    segments: Segments
    people: dict[str, TableRef]


@stage(
    "redact pictures",
    takes={
        "reports": SEGMENT_REPORTS,
        **_PEOPLE_TABLES,
        "points": ENCOUNTER_POINTS,
        "contacts": CONTACTS,
    },
    makes={"pictures": PICTURES, "gaps": GAPS},
    settings=lambda _case: (RedactSettings.of(*detector_scores(environment())),),
    uses_models=True,
    fresh=True,
)
def make_pictures(
    work: Work,
    reports: pd.DataFrame,
    tracks: pd.DataFrame,
    persons: pd.DataFrame,
    members: pd.DataFrame,
    sightings: pd.DataFrame,
    points: pd.DataFrame,
    contacts: pd.DataFrame,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make the run's pictures. One that cannot be made is a gap, never shown unredacted."""
    jobs = plan_pictures(sightings, contacts, points, tracks, members)
    people = {name: ref for name in _PEOPLE_TABLES if (ref := work.refs[name]) is not None}
    units = [
        PictureUnit(
            run=work.run,
            camera_id=camera,
            jobs=tuple(job for job in jobs if job.camera_id == camera),
            segments=segments_for(reports, work.case.site.by_id[camera], jobs),
            people=people,
        )
        for camera in sorted({job.camera_id for job in jobs})
    ]
    # The camera with the most pictures first: its worker finishes last.
    units.sort(key=lambda unit: len(unit.jobs), reverse=True)
    made = [PICTURES.empty()]
    gaps: list[GapRow] = []
    for unit, result in in_order(render_unit, units, lambda _done, _total: None, work.allowed):
        if isinstance(result, EncounterError):
            gaps += [_not_made(job, type(result).__name__) for job in unit.jobs]
            continue
        made.append(load(work.vault, result["pictures"]))
        shown = set(made[-1]["name"])
        lost = [job for job in unit.jobs if f"{job.name}.jpg" not in shown]
        gaps += [_not_made(job, "no footage of it") for job in lost]
        write_unit_stat(work.vault, work.run, "pictures", result)
    return pd.concat(made, ignore_index=True).sort_values("name"), GAPS.shape(gaps)


def render_unit(unit: PictureUnit) -> StageResult:
    """Make and store one camera's pictures in a worker, unless they are there."""
    return camera_pictures(
        unit.run,
        camera_id=unit.camera_id,
        jobs=unit.jobs,
        segments=unit.segments,
        **unit.people,
    )


@stage(
    "pictures",
    takes=_PEOPLE_TABLES,
    makes={"pictures": PICTURES},
    settings=lambda _case: (RedactSettings.of(*detector_scores(environment())),),
    uses_models=True,
    unit=True,
    decides=one_camera,
)
def camera_pictures(
    work: Work,
    tracks: pd.DataFrame,
    persons: pd.DataFrame,
    members: pd.DataFrame,
    sightings: pd.DataFrame,
    camera_id: str,
    jobs: tuple[PictureJob, ...],
    segments: Segments,
) -> pd.DataFrame:
    """One camera's pictures: everyone but the subject hidden, also who only other cameras see."""
    people = SitePeople(tracks, persons, members, surely(sightings))
    made = rendered(work, people, camera_id, jobs, segments)
    return PICTURES.shape([_stored_picture(work, camera_id, name, data) for name, data in made])


def rendered(
    work: Work,
    people: SitePeople,
    camera_id: str,
    jobs: Sequence[PictureJob],
    segments: Segments,
) -> Iterator[tuple[str, bytes]]:
    """Names and bytes of one camera's clips and stills. Shown are the people's `subject` tracks."""
    settings = work[RedactSettings]
    camera = work.case.site.by_id[camera_id]
    footage = list(_footage_there(work, segments))
    view = CameraView(camera, footage, with_unseen(people, camera, settings))
    seen = detectors(work.models, settings)
    background = background_of(view, seen, settings)
    for job in jobs:
        made = render_picture(job, view, background, seen, settings)
        yield from made.items()


def _stored_picture(work: Work, camera_id: str, name: str, data: bytes) -> dict[str, object]:
    work.vault.put(object_key.picture(work.run.case_id, work.run.run_id, name), data)
    digest = hashlib.sha256(data).hexdigest()
    return {"name": name, "camera_id": camera_id, "size_bytes": len(data), "sha256": digest}


def _footage_there(work: Work, segments: Segments) -> Iterator[Segment]:
    """The segments that are still in the store as they were followed."""
    for part in segments:
        with contextlib.suppress(FootageGone, FootageChanged, VideoUnreadable):
            data = read_footage(work.env, part.key, part.etag)
            yield Segment(part.start_utc, data, tuple(Interval(*span) for span in part.shares))


def _not_made(job: PictureJob, why: str) -> GapRow:
    span = Interval(job.start_utc, job.end_utc)
    detail = f"picture and clip {job.name} could not be made ({why})"
    return gap_row("failed", job.camera_id, span, detail, FAILED_ADVICE)


def segments_for(reports: pd.DataFrame, camera: Camera, jobs: list[PictureJob]) -> Segments:
    """A camera's segments in which its jobs lie, and some spread over all for the empty scene."""
    own = reports[(reports["camera_id"] == camera.camera_id) & (reports["n_frames"] > 0)]
    own = own.sort_values("start_utc")
    wanted = [job for job in jobs if job.camera_id == camera.camera_id]
    spans = zip(own["start_utc"], own["end_utc"], strict=True)
    needed = own[[any(s < j.end_utc and e > j.start_utc for j in wanted) for s, e in spans]]
    at = np.unique(np.linspace(0, len(own) - 1, BACKGROUND_SEGMENTS).astype(int))
    keys = {*needed["key"], *own.iloc[at]["key"]}
    parts = [_part(str(key), rows, camera) for key, rows in own.groupby("key") if key in keys]
    return tuple(sorted(parts, key=lambda part: part.start_utc))


def _part(key: str, rows: pd.DataFrame, camera: Camera) -> FootagePart:
    """A segment by its rows of SEGMENT_REPORTS, which say what is taken from it."""
    name = object_key.read_segment(key)
    first = utc_of(rows["start_utc"].min())
    start = true_time(camera.clock, name.start_utc) if name else first
    shares = tuple(tuple(span) for span in intervals_of(rows))
    return FootagePart(key=key, etag=rows["etag"].iloc[0], start_utc=start, shares=shares)


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
            _with_unplaced(image, (b.xyxy[k].astype(float), b.score[k].astype(float)), b.unplaced)
            for image, b, k in zip(images, found, kept, strict=True)
        ]

    def faces(images: list[np.ndarray]) -> list[Found]:
        return [
            _with_unplaced(
                image, (np.asarray(f.xyxy, float), np.asarray(f.score, float)), f.unplaced
            )
            for image, f in zip(images, loaded.face.detect(images), strict=True)
        ]

    return Detectors(people=people, faces=faces)  # type: ignore[arg-type]


def _with_unplaced(image: np.ndarray, found: Found, unplaced: int) -> Found:
    """Somebody whose place the detector could not say may be anywhere in the picture."""
    if not unplaced:
        return found
    height, width = image.shape[:2]
    return np.vstack([found[0], [[0, 0, width, height]]]), np.append(found[1], 1.0)


@stage(
    "carry pictures over",
    takes={"pictures": PICTURES, "before": CONTACTS, "now": CONTACTS},
    makes={"pictures": PICTURES, "gaps": GAPS},
    fresh=True,
)
def carry_pictures(
    work: Work,
    pictures: pd.DataFrame,
    before: pd.DataFrame,
    now: pd.DataFrame,
    from_run: str,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Pictures of an earlier run for one under another policy: sightings as they are, contacts
    under their new numbers.
    """
    number = dict(zip(now["person_id"], now["contact_id"], strict=True))
    old = zip(before["person_id"], before["contact_id"], strict=True)
    renamed = {contact: number[person] for person, contact in old if person in number}
    rows = []
    for row in pictures.to_dict("records"):
        stem, _, kind = str(row["name"]).partition(".")
        target = stem if stem.startswith("S-") else renamed.get(stem)
        if target is None:
            continue
        key = object_key.picture(work.run.case_id, from_run, str(row["name"]))
        data = work.vault.get(key, LARGEST_BYTES)
        rows.append(_stored_picture(work, str(row["camera_id"]), f"{target}.{kind}", data))
    return PICTURES.shape(rows), GAPS.empty()
