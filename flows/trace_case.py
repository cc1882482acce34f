"""trace-case: from a filed, consented case to a contact list. One line a stage."""

from __future__ import annotations

from typing import Any, NamedTuple

from prefect import flow
from prefect.runtime import flow_run
from prefect.states import Completed, State

from data_contracts.pointing import Pointing
from data_contracts.review import Decision
from data_contracts.run import Outcome, Run, StageResult, TableRef, only, so_far
from flows.runtime.acting import acting, service
from flows.runtime.decisions import about_people, decisions_of_run
from flows.runtime.fan_out import fan_out
from flows.runtime.open_case import stopping_when_unauthorised
from flows.runtime.pointings import pointings_of
from flows.runtime.prefect_task import plain, task_of
from flows.stages import claim, exposure, looks, observe, people, plan, publish, redact, template
from flows.stages.operators import progress, show
from flows.stages.plan import is_open, next_round, sighted


def _begin(case_id: str, again: bool) -> Run | None:
    """Check consent and approval; claim the case."""
    return claim.begin(case_id, str(flow_run.id or ""), again)


begin_case = plain("authorise and claim", _begin)
read_pointings = plain("read pointings", pointings_of)
read_decisions = plain("read decisions", decisions_of_run)
build_template = task_of(template.make_template)
plan_search = task_of(plan.plan_search)
scan = task_of(observe.scan_footage)
plan_follow = task_of(plan.plan_follow)
follow = task_of(observe.follow_sightings)
learn_looks = task_of(looks.learn_looks)
compare_looks = task_of(looks.compare_all)
scan_for_looks = task_of(looks.scan_for_looks)
find_people = task_of(people.find_people)
trace_subject = task_of(people.trace_subject)
find_encounters = task_of(exposure.find_encounters)
apply_decisions = task_of(exposure.apply_decisions)
assess_contacts = task_of(exposure.assess_contacts)
redact_pictures = task_of(redact.make_pictures)
collect_gaps = task_of(exposure.collect_gaps)
publish_run = plain("report and publish", publish.publish)
tell_operators = plain("tell the operators", show)


@flow(name="trace-case", flow_run_name="{case_id}", persist_result=False, validate_parameters=True)
def trace_case(case_id: str, again: bool = False) -> State | str:
    """Trace one case. The same case runs once, however often it is asked for, unless `again`."""
    with acting(service("trace-case")), stopping_when_unauthorised(case_id):
        run = begin_case(case_id, again)
        if run is None:
            return Completed(message=f"case {case_id} is traced by another run")
        with fan_out():
            return _trace(run)


class _Start(NamedTuple):
    """What a search starts from: the digest of the subject's template, where somebody pointed at
    the subject, and what two reviewers decided.
    """

    subject: str
    points: tuple[Pointing, ...]
    decisions: tuple[Decision, ...] = ()

    @property
    def said(self) -> dict[str, Any]:
        """What people have said, as stages take it."""
        return {"points": self.points, "decisions": self.decisions}


class _Seen(NamedTuple):
    """What a search gave: its plans, what was looked at, and who was found."""

    windows: StageResult
    scanned: StageResult
    dense: StageResult
    followed: StageResult
    found: StageResult


def _trace(run: Run) -> str:
    start = _Start(build_template(run).digest, read_pointings(run), read_decisions(run))
    return _conclude(run, start, _searched(run, start))


def _searched(run: Run, start: _Start) -> _Seen:
    """The search by faces, and where it gave the subject's looks the search by these."""
    seen = _search(run, start)
    learnt = learn_looks(
        run,
        points=start.points,
        template=start.subject,
        segments=seen.followed["segments"],
        **only(seen.found.tables, "sightings", "tracks"),
    )
    if learnt["learnt"].rows:
        seen = _search(run, start, learnt.digest, seen)
    return seen


def _search(run: Run, start: _Start, learnt: str = "", seen: _Seen | None = None) -> _Seen:
    """Plan, scan and follow until nothing new is reachable: by faces, and by looks where they were
    learnt. A search by looks goes on from the one by faces, `seen`.
    """
    subject = start.subject
    said = start.said
    alike: dict[str, TableRef] = {}
    scanned, dense, followed, found = seen[1:] if seen else (None, None, None, None)
    windows = seen.windows if seen else plan_search(run, **said, **next_round(None))
    if followed is not None:
        found = _find(run, start, learnt, followed)
    while True:
        told = progress("scan", run.case_id)
        fresh = windows["fresh"]
        scanned = scan(run, windows=fresh, template=subject, progress=told, **so_far(scanned))
        if learnt:
            alike = _alike(run, start, learnt, scanned, followed)
        known = {**said, **alike}
        dense = plan_follow(run, **known, **next_round(dense), **sighted(scanned, found))
        while followed is None or is_open(dense):
            told = progress("follow", run.case_id)
            fresh = dense["fresh"]
            followed = follow(
                run, windows=fresh, template=subject, progress=told, **so_far(followed)
            )
            found = _find(run, start, learnt, followed)
            dense = plan_follow(run, **known, **next_round(dense), **sighted(scanned, found))
        windows = plan_search(run, **said, **next_round(windows), **sighted(scanned, found))
        if not is_open(windows):
            assert found is not None
            return _Seen(windows, scanned, dense, followed, found)


def _alike(
    run: Run, start: _Start, learnt: str, scanned: StageResult, followed: StageResult | None
) -> dict[str, TableRef]:
    """Who wears the subject's clothes where the scan looked and nobody was followed yet."""
    looked = {
        "segments": scanned["segments"],
        "followed": followed["segments"] if followed else None,
    }
    return scan_for_looks(run, template=start.subject, learnt=learnt, **looked).tables


def _find(run: Run, start: _Start, learnt: str, followed: StageResult) -> StageResult:
    """Who was found among those followed; by their looks too, where those were learnt."""
    given: dict[str, TableRef] = {"detections": followed["detections"]}
    if learnt:
        compared = compare_looks(
            run, segments=followed["segments"], template=start.subject, learnt=learnt
        )
        given |= compared.tables
    return find_people(run, **start.said, **given)


def _conclude(run: Run, start: _Start, seen: _Seen) -> str:
    windows, scanned, dense, followed, found = seen
    people = found.tables
    own = only(people, "persons", "members", "sightings")
    trace = trace_subject(run, **start.said, **own)
    way = trace["trajectory"]
    meetings = find_encounters(run, **only(people, "tracks", "persons", "members"), trajectory=way)
    seen_by = only(people, "tracks", "members")
    meetings = apply_decisions(run, decisions=start.decisions, **meetings.tables, **seen_by)
    contacts = assess_contacts(run, **meetings.tables)
    pictures = redact_pictures(
        run,
        reports=followed["reports"],
        points=meetings["points"],
        contacts=contacts["contacts"],
        **people,
    )
    gaps = collect_gaps(
        run,
        windows=windows["windows"],
        reports=scanned["reports"],
        dense=dense["windows"],
        followed_reports=followed["reports"],
        tracks=people["tracks"],
        planned=windows["gaps"],
        scanned=scanned["gaps"],
        followed=followed["gaps"],
        trace=trace["gaps"],
        pictures=pictures["gaps"],
    )
    result = Outcome(
        run=run,
        windows=windows,
        scanned=scanned,
        followed=followed,
        people=found,
        trace=trace,
        meetings=meetings,
        contacts=contacts,
        gaps=gaps,
        pictures=pictures,
        decided=about_people(start.decisions),
    )
    publish_run(run, result)
    tell_operators(result)
    return run.run_id
