"""trace-case: from a filed, consented case to a contact list. One line a stage."""

from __future__ import annotations

from prefect import flow
from prefect.runtime import flow_run
from prefect.states import Completed, State

from flows.runtime.audit import acting, service
from flows.runtime.environment import environment, models
from flows.runtime.fan_out import fan_out
from flows.runtime.open_case import stopping_when_unauthorised
from flows.runtime.results import Run
from flows.runtime.stage import plain, stage
from flows.stages import claim, exposure, observe, people, plan, publish
from flows.stages.operators import progress, show
from flows.stages.redact import make_pictures


def _begin(case_id: str, again: bool) -> Run | None:
    """Check consent and approval; claim the case."""
    return claim.begin(case_id, str(flow_run.id or ""), again)


def _template(run: Run) -> str:
    """The subject's template, under the case's key."""
    return claim.make_template(run, models(environment()))


def _scan(
    run: Run, windows: plan.Windows, template: str, before: observe.Observations | None
) -> observe.Observations:
    """Key frames of fresh windows."""
    return observe.look("scan", run, windows.fresh, template, before, progress("scan", run.case_id))


def _dense(
    run: Run, windows: plan.Windows, template: str, before: observe.Observations | None
) -> observe.Observations:
    """Everyone, frame by frame, around sightings."""
    return observe.look(
        "follow", run, windows.fresh, template, before, progress("follow", run.case_id)
    )


begin_case = plain("authorise and claim", _begin)
build_template = stage("build template", _template)
scan = stage("scan footage", _scan)
follow = stage("follow around sightings", _dense)
plan_search = stage("plan search", plan.plan_search)
plan_follow = stage("plan following", plan.plan_follow)
find_people = stage("track, join, sight", people.find_people)
trace_subject = stage("trajectory", people.trace_subject)
find_encounters = stage("encounters", exposure.find_encounters)
assess_contacts = stage("assess", exposure.assess_contacts)
collect_gaps = stage("collect gaps", exposure.collect_gaps)
redact_pictures = stage("redact pictures", make_pictures)
publish_run = stage("report and publish", publish.publish)
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


def _trace(run: Run) -> str:
    template = build_template(run)
    scanned = followed = found = dense = None
    windows = plan_search(run)
    while scanned is None or windows.open:
        scanned = scan(run, windows, template, scanned)
        dense = plan_follow(run, scanned, found, dense)
        while followed is None or dense.open:
            followed = follow(run, dense, template, followed)
            found = find_people(run, followed)
            dense = plan_follow(run, scanned, found, dense)
        windows = plan_search(run, windows, scanned, found)
    assert followed is not None
    assert found is not None
    return _conclude(run, windows, scanned, followed, found)


def _conclude(
    run: Run,
    windows: plan.Windows,
    scanned: observe.Observations,
    followed: observe.Observations,
    found: people.People,
) -> str:
    trace = trace_subject(run, found)
    meetings = find_encounters(run, found, trace)
    contacts = assess_contacts(run, meetings)
    pictures = redact_pictures(run, followed, found, meetings, contacts)
    gaps = collect_gaps(run, windows, scanned, followed, trace, pictures.gaps)
    result = publish.Result(
        run=run,
        windows=windows,
        scanned=scanned,
        followed=followed,
        people=found,
        trace=trace,
        meetings=meetings,
        contacts=contacts,
        gaps=gaps,
        pictures=pictures.names,
    )
    publish_run(run, result)
    tell_operators(result)
    return run.run_id
