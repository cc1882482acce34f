"""What a question's page shows beside its words: the clips of that moment on one clock, the way
before and after, and where who is asked about stood.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd

from data_contracts.review import Question
from data_contracts.run import Run, RunManifest
from data_contracts.time import Interval
from flows.cases.review import Asked
from flows.runtime.audit import audit
from flows.runtime.environment import Environment
from flows.runtime.open_case import OpenCase, open_case
from flows.runtime.results import load
from flows.stages.publish import load_manifest
from flows.stages.published import choose_run
from tasks.artefacts.exports import PICTURES
from tasks.people.marked import marked_tracks
from tasks.redaction.plan import PictureJob, plan_pictures, surely

# The way is drawn so long before and after what is asked about.
_AROUND = timedelta(minutes=10)
_MADE_HERE = "redact pictures"


@dataclass(frozen=True)
class Clip:
    """A clip of a run: of what (S-03), its camera, and when it begins and ends; None where pictures
    were carried over from another run, whose times they have.
    """

    name: str
    camera_id: str
    span: Interval | None
    has_still: bool

    @property
    def file(self) -> str:
        """The artefact's name below the run."""
        return f"{PICTURES}{self.name}.mp4"

    @property
    def still(self) -> str:
        """The still beside it; empty where there is none."""
        return f"{PICTURES}{self.name}.jpg" if self.has_still else ""


@dataclass(frozen=True)
class Evidence:
    """What speaks beside the reasons. `clips`: that of the question first, then what other cameras
    saw at the same moment. `way`: TRAJECTORY around it; `asked_way`: t_utc, x_m, y_m of who is
    asked about, on the ground. `contacts`: the question's own. `unsure`: a sighting whose
    picture shows nobody, so that the face can be looked at on demand.
    """

    run: Run
    clips: tuple[Clip, ...]
    way: pd.DataFrame
    asked_way: pd.DataFrame
    contacts: pd.DataFrame
    unsure: bool


def evidence_of(env: Environment, case_id: str, asked: Asked) -> Evidence:
    """The evidence of a question of the run that was published last.

    Raises NotAuthorised, NotFound where no run is published, StoreError when the audit log cannot
    be written.
    """
    case = open_case(case_id, env)
    run = choose_run(case.vault).run
    question = asked.question
    audit(env, "view", case=case.authorised, run_id=run.run_id, objects=(question.question_id,))
    manifest = load_manifest(case.vault, run)
    tracks = load(case.vault, manifest.result.people["tracks"])
    sightings = load(case.vault, manifest.result.people["sightings"])
    contacts = load(case.vault, manifest.result.contacts["contacts"])
    way = load(case.vault, manifest.result.trace["trajectory"])
    near = way["t_utc"].between(question.start_utc - _AROUND, question.end_utc + _AROUND)
    sure = set(surely(sightings)["sighting_id"])
    return Evidence(
        run=run,
        clips=_beside(asked, clips_of_run(case, manifest)),
        way=way[near],
        asked_way=_placed(tracks, question),
        contacts=contacts[contacts["contact_id"] == asked.name],
        unsure=question.kind == "sighting" and bool(asked.name) and asked.name not in sure,
    )


def clips_of_run(case: OpenCase, manifest: RunManifest) -> dict[str, Clip]:
    """All clips of a published run by what they are of (S-03, C-01), with their times as
    `plan_pictures` planned them.
    """
    names = {a.name for a in manifest.artefacts}
    made = {n.removeprefix(PICTURES).removesuffix(".mp4") for n in names if n.endswith(".mp4")}
    if not made:
        return {}
    jobs = {job.name: job for job in _planned(case, manifest)}
    own_times = manifest.result.pictures.stage == _MADE_HERE
    cameras = load(case.vault, manifest.result.pictures["pictures"])
    camera_of = dict(zip(cameras["name"], cameras["camera_id"], strict=True))
    return {
        name: Clip(
            name,
            str(camera_of.get(f"{name}.mp4", "")),
            _span(name, jobs.get(name), own_times),
            f"{PICTURES}{name}.jpg" in names,
        )
        for name in sorted(made)
    }


def _span(name: str, job: PictureJob | None, own_times: bool) -> Interval | None:
    """Clips of contacts that were carried over keep the times of the run that made them."""
    if job is None or not (own_times or name.startswith("S-")):
        return None
    return Interval(job.start_utc, job.end_utc)


def _planned(case: OpenCase, manifest: RunManifest) -> list[PictureJob]:
    result = manifest.result
    return plan_pictures(
        load(case.vault, result.people["sightings"]),
        load(case.vault, result.contacts["contacts"]),
        load(case.vault, result.meetings["points"]),
        load(case.vault, result.people["tracks"]),
        load(case.vault, result.people["members"]),
    )


def _beside(asked: Asked, clips: dict[str, Clip]) -> tuple[Clip, ...]:
    """The question's own clip, and of each other camera the one that shares most of its time."""
    own = clips.get(asked.name)
    if own is None:
        return ()
    if own.span is None:
        return (own,)
    best: dict[str, tuple[float, Clip]] = {}
    for clip in clips.values():
        shared = clip.span.intersect(own.span) if clip.span else None
        if clip.camera_id == own.camera_id or shared is None:
            continue
        if clip.camera_id not in best or shared.seconds > best[clip.camera_id][0]:
            best[clip.camera_id] = (shared.seconds, clip)
    return (own, *(clip for _, (_, clip) in sorted(best.items())))


def _placed(tracks: pd.DataFrame, question: Question) -> pd.DataFrame:
    """Where on the ground who is asked about was, in their time: a place a second, as cameras that
    see them at once differ by decimetres.
    """
    keys = marked_tracks(tracks, question.marks)
    during = tracks[tracks["t_utc"].between(question.start_utc, question.end_utc)]
    own = [k in keys for k in zip(during["camera_id"], during["track_id"], strict=True)]
    placed = during[own].dropna(subset=["x_m", "y_m"])
    by_second = placed.groupby(placed["t_utc"].dt.floor("s"))[["x_m", "y_m"]].mean()
    return by_second.reset_index()


def boxes_on(question: Question, camera_id: str, since: datetime) -> list[list[float]]:
    """Where who is asked about stood in a camera's picture: seconds since `since`, x0, y0, x1, y1
    in pixels, a row a glimpse.
    """
    return [
        [round((g.t_utc - since).total_seconds(), 3), g.x0, g.y0, g.x1, g.y1]
        for mark in question.marks
        if mark.camera_id == camera_id
        for g in mark.glimpses
    ]
