"""The result as a page that can be asked: where the subject was found, who was near, what was not
looked at, what another policy would say; each thing with its clip.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from starlette.responses import Response

from data_contracts.errors import BadInput
from data_contracts.policies import load_policy, policy_names
from flows.cases.result import Result, read_result, under_policies
from flows.desk.page import page
from flows.desk.visit import Visit
from flows.runtime.audit import audit
from flows.runtime.decisions import check_people, decisions_of
from flows.runtime.open_case import open_case
from flows.runtime.prefect_api import start_reassessment
from flows.stages.publish import load_manifest
from flows.stages.published import choose_run
from tasks.artefacts.exports import PICTURES, REPORT
from tasks.artefacts.formats import stays
from tasks.artefacts.joined_gaps import joined_gaps
from tasks.artefacts.report.floor_plan import draw_plan
from tasks.artefacts.report.timeline import draw_timelines
from tasks.artefacts.visits import told_visits
from tasks.exposure.compared import changes, near_misses


class Place(NamedTuple):
    """Where something was: what the itinerary calls it at that time, and the cameras' names."""

    said: tuple[str, ...]
    cameras: tuple[str, ...]


@page("GET", "/cases/{case_id}/result", "read report")
def last_result(visit: Visit) -> Response:
    """On to the run that was published last."""
    run = choose_run(open_case(visit.case_id, visit.env).vault).run
    return visit.go(f"/cases/{visit.case_id}/result/{run.run_id}")


@page("GET", "/cases/{case_id}/result/{run_id}", "read report")
def show_result(visit: Visit) -> Response:
    """A run's result; with `?policy=` what another policy would change."""
    result = read_result(visit.env, visit.case_id, _run_id(visit))
    wanted = visit.asked("policy")
    if wanted and wanted not in policy_names():
        raise BadInput("there is no such policy: choose one of the list")
    applied = result.case.policy.name
    asked = "" if wanted == applied else wanted
    contacts = _standing(result.contacts)
    would = changes(contacts, under_policies(result, [asked])[asked]) if asked else []
    return visit.show(
        "result.html",
        result=result,
        run=result.published.run,
        visits=told_visits(result.request, result.case.site, result.sightings, result.gaps),
        contacts=_by_start(contacts),
        sightings=_by_start(_standing(result.sightings)),
        stays=stays(result.trajectory),
        gaps=joined_gaps(result.gaps),
        policies=[load_policy(name) for name in policy_names()],
        asked=load_policy(asked) if asked else None,
        would=would,
        place=lambda row: _place(result, row),
        beside=[n for n in result.files if n != REPORT and not n.startswith(PICTURES)],
        confirmed=int((contacts["review"] == "confirmed").sum()),
        **_drawings(visit, result),
    )


@page("GET", "/cases/{case_id}/result/{run_id}/near", "read report")
def show_near_misses(visit: Visit) -> Response:
    """Who came near and is no contact, with the policies that would count them: a part of the
    result's page, which asks for it, as all policies take a while; else a page of its own.
    """
    result = read_result(visit.env, visit.case_id, _run_id(visit))
    others = under_policies(result)
    applied = result.case.policy.name
    counts = {name: len(_standing(table)) for name, table in others.items()}
    missed = near_misses(result.encounters, result.contacts, others)
    titles = {name: load_policy(name).title for name in others}
    part = bool(visit.request.headers.get("hx-request"))
    return visit.show(
        "near_misses.html" if part else "near_page.html",
        missed=missed,
        counts=counts,
        titles=titles,
        applied=applied,
        place=lambda row: _place(result, row),
    )


@page("GET", "/cases/{case_id}/print.css", "read report")
def print_style(visit: Visit) -> Response:
    """What stands on each printed page of the case: its id, and which page of how many."""
    audit(visit.env, "view", case_id=visit.case_id, objects=("print style",))
    told = f"{visit.case_id} · {visit.text('confidential')}".replace('"', "")
    style = (
        '@page { @top-left { content: "' + told + '"; } '
        '@bottom-right { content: counter(page) " / " counter(pages); } }\n'
    )
    return Response(style, media_type="text/css; charset=utf-8")


@page("POST", "/cases/{case_id}/assess", "run case")
def assess_again(visit: Visit) -> Response:
    """Publish the result under another policy, as `encounter case assess` does."""
    policy = load_policy(visit.sent("policy")) if visit.sent("policy") in policy_names() else None
    if policy is None:
        raise BadInput("there is no such policy: choose one of the list")
    case = open_case(visit.case_id, visit.env)
    before = load_manifest(case.vault, choose_run(case.vault).run).result
    check_people(before, decisions_of(case.vault))
    audit(visit.env, "start", case=case.authorised, policy=policy.label)
    start_reassessment(visit.case_id, policy.name)
    return visit.go(f"/cases/{visit.case_id}")


def _run_id(visit: Visit) -> str:
    return str(visit.request.path_params["run_id"])


def _standing(table: Any) -> Any:
    """Rows that two reviewers did not reject."""
    return table[table["review"] != "rejected"]


def _by_start(table: Any) -> list[dict[Any, Any]]:
    rows: list[dict[Any, Any]] = table.sort_values("start_utc").to_dict("records")
    return rows


def _place(result: Result, row: dict[Any, Any]) -> Place:
    """Where an encounter or contact was."""
    said = tuple(
        v.place
        for v in result.request.itinerary
        if v.from_utc <= row["end_utc"] and v.to_utc >= row["start_utc"]
    )
    known = result.case.site.by_id
    ids = [c.strip() for c in str(row["cameras"]).split(",") if c.strip()]
    names = tuple(known[c].name or c if c in known else c for c in ids)
    return Place(said, names)


def _drawings(visit: Visit, result: Result) -> dict[str, Any]:
    """Plan and timelines in the reader's language; none where the site's zone is not known."""
    if visit.clock is None:
        return {"plan": "", "timelines": []}
    sightings = _standing(result.sightings)
    contacts = _standing(result.contacts)
    return {
        "plan": draw_plan(
            result.case.site, result.trajectory, contacts, visit.clock, text=visit.text
        ),
        "timelines": draw_timelines(
            result.request,
            result.windows,
            sightings,
            contacts,
            result.gaps,
            visit.clock,
            text=visit.text,
        ),
    }
