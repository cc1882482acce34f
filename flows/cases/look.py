"""A reviewer looks at a question: whom a sighting of low probability is about, in a picture that is
made for this look and kept nowhere.

A run's own pictures show nobody there, for it may be a stranger (`tasks.redaction.plan`). So the
footage is decoded again, under the consent as it is now, after the audit log has the look;
everybody else in the picture stays hidden.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from data_contracts.errors import BadInput
from data_contracts.run import Run
from flows.runtime.audit import audit
from flows.runtime.environment import Environment
from flows.runtime.open_case import OpenCase, open_case
from flows.runtime.results import load
from flows.runtime.stage import Work
from flows.stages.publish import load_manifest
from flows.stages.published import choose_run
from flows.stages.redact import rendered, segments_for
from tasks.redaction.hidden_people import SitePeople
from tasks.redaction.plan import question_job, surely
from tasks.redaction.redact import RedactSettings


def look_at_question(
    env: Environment, case_id: str, sighting_id: str, run_id: str | None = None
) -> bytes:
    """The still (JPEG) of one question of the case's last published run, or of another; stores
    nothing.

    Raises NotAuthorised, BadInput where there is no such question or no footage of it any more,
    StoreError when the audit log cannot be written: then nothing is decoded.
    """
    case = open_case(case_id, env)
    run = choose_run(case.vault, run_id).run
    people = load_manifest(case.vault, run).result.people
    sightings = load(case.vault, people["sightings"])
    row = _question_row(sightings, sighting_id)
    tracks = load(case.vault, people["tracks"])
    audit(env, "look", case=case.authorised, run_id=run.run_id, objects=(sighting_id,))
    asked = sightings[sightings["sighting_id"] == sighting_id]
    persons = load(case.vault, people["persons"])
    members = load(case.vault, people["members"])
    still = _question_still(env, case, run, row, SitePeople(tracks, persons, members, asked))
    if still is None:
        raise BadInput(
            f"{sighting_id}: no footage of it can be decoded any more, or nobody was tracked in it"
        )
    return still


def _question_row(sightings: pd.DataFrame, sighting_id: str) -> dict[Any, Any]:
    """The row of a question. Raises BadInput with the questions that there are."""
    sure = set(surely(sightings)["sighting_id"])
    asked = sightings[~sightings["sighting_id"].isin(sure) & (sightings["review"] != "rejected")]
    found = asked[asked["sighting_id"] == sighting_id]
    if found.empty:
        there = ", ".join(asked["sighting_id"]) or "none"
        raise BadInput(
            f"{sighting_id}: expected a sighting that is a question (here: {there}); a likely or "
            "confirmed one is in the report, a rejected one is shown to no one"
        )
    return dict(found.to_dict("records")[0])


def _question_still(
    env: Environment,
    case: OpenCase,
    run: Run,
    row: dict[Any, Any],
    people: SitePeople,
) -> bytes | None:
    job = question_job(row, people.tracks)
    if job is None:
        return None
    work = Work(run, case, env, (RedactSettings(),), {})
    followed = load_manifest(case.vault, run).result.followed
    reports = load(case.vault, followed["reports"])
    segments = segments_for(reports, case.site.by_id[job.camera_id], [job])
    made = dict(rendered(work, people, job.camera_id, [job], segments))
    return made.get(f"{job.name}.jpg")
