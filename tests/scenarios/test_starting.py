"""However a case comes in, it is traced once; and however it ends, it is gone."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from typer.testing import CliRunner

from data_contracts import object_key
from data_contracts.errors import KeyMissing, NotAuthorised, NotFound
from flows.cases.destroy import destroy_case
from flows.cases.filing import Papers, file_case, store_case
from flows.cases.withdraw import mark_withdrawn
from flows.cli.main import app
from flows.reconcile import needs_run, start_missing
from flows.runtime.environment import Environment
from flows.runtime.open_case import open_case
from flows.runtime.prefect_api import client, runs_of, use_server
from infra.settings import load_settings

pytestmark = [pytest.mark.stack, pytest.mark.scenario]


def test_filed_while_the_server_is_down_runs_once(
    site: Environment, new_papers: Callable[..., Papers]
) -> None:
    """The start is lost, the case is not: reconcile starts it, and a second reconcile does not
    start it again.
    """
    papers = new_papers()
    use_server(
        load_settings(home=site.settings.home, prefect={"api_url": "http://127.0.0.1:9/api"})
    )
    try:
        assert file_case(site, papers) is None
    finally:
        use_server(site.settings)
    case_id = papers.request.case_id
    assert not runs_of(case_id)
    start_missing.fn()
    start_missing.fn()
    assert len(runs_of(case_id)) == 1
    destroy_case(case_id, "test")


def test_an_event_starts_a_run(site: Environment, new_papers: Callable[..., Papers]) -> None:
    """An outside system's case.confirmed event triggers trace-case with the case id of its
    payload. Reconcile knows the run, though it has no tag of its case, and starts no second one.
    """
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterName
    from prefect.events import emit_event

    papers = new_papers()
    store_case(site, papers)
    case_id = papers.request.case_id
    emit_event(
        "case.confirmed",
        resource={"prefect.resource.id": f"case.{case_id}"},
        payload={"case_id": case_id},
    )
    wanted = DeploymentFilter(name=DeploymentFilterName(any_=["trace-case"]))
    deadline = time.monotonic() + 120
    found = []
    while time.monotonic() < deadline and not found:
        time.sleep(1)
        with client() as api:
            found = [
                r
                for r in api.read_flow_runs(deployment_filter=wanted)
                if r.parameters.get("case_id") == case_id
            ]
    assert len(found) == 1
    assert [r.id for r in runs_of(case_id)] == [found[0].id]
    start_missing.fn()
    assert len(runs_of(case_id)) == 1
    assert destroy_case(case_id, "test").destroyed["runs"] == 1, (
        "a run without a tag is the case's all the same"
    )


def test_withdrawal_stops_and_destroys(
    site: Environment, new_papers: Callable[..., Papers]
) -> None:
    """A withdrawn case is refused at once; after its destruction no version of any object is left
    and it cannot be opened.
    """
    papers = new_papers()
    store_case(site, papers)
    case_id = papers.request.case_id
    mark_withdrawn(site, case_id)
    with pytest.raises(NotAuthorised):
        open_case(case_id, site)
    receipt = destroy_case(case_id, "withdrawn")
    assert receipt.destroyed["object_versions"] > 0
    assert not site.store.list_versions(object_key.CASES, f"{case_id}/")
    with pytest.raises(KeyMissing):
        site.cases.open(case_id)
    assert site.store.exists(object_key.AUDIT, receipt.key)
    assert destroy_case(case_id, "again") == receipt, "deleting what is gone is a success"


def test_the_command_withdraws_and_knows_what_there_is(
    site: Environment, new_papers: Callable[..., Papers]
) -> None:
    """`encounter consent withdraw` leaves neither key nor run of a case; of a case that is not
    there it says so.
    """
    papers = new_papers()
    assert file_case(site, papers) is not None
    case_id = papers.request.case_id
    asked = CliRunner().invoke(app, ["consent", "withdraw", case_id])
    assert "nothing was changed; repeat with --yes" in asked.output
    assert open_case(case_id, site).vault.case_id == case_id, "it is not withdrawn by asking"
    assert CliRunner().invoke(app, ["consent", "withdraw", case_id, "--yes"]).exit_code == 0
    assert not site.cases.has_key(case_id)
    assert not runs_of(case_id)
    for command in (
        ["consent", "withdraw", "K-NOT-THERE"],
        ["case", "close", "K-NOT-THERE", "--yes"],
    ):
        assert isinstance(CliRunner().invoke(app, command).exception, NotFound)
    assert not site.store.list(object_key.AUDIT, "receipts/K-NOT-THERE/")


@pytest.mark.parametrize(
    ("published", "states", "attempt"),
    [
        (False, [], 0),
        (False, ["RUNNING"], None),
        (False, ["CRASHED"], 1),
        (False, ["FAILED", "CRASHED"], 2),
        (False, ["FAILED", "FAILED", "CRASHED"], None),
        (True, [], None),
        (False, ["CRASHED", "COMPLETED"], 2),
        (False, ["CANCELLED"], None),
        (False, ["Interrupted"] * 5, 5),
        (False, ["Interrupted", "FAILED", "CRASHED", "FAILED"], None),
        (False, ["Interrupted"] * 20, None),
    ],
)
def test_what_needs_a_run(published: bool, states: list[str], attempt: int | None) -> None:
    """Reconcile starts what has no run, tries dead runs again a few times and interrupted ones more
    often, and leaves the rest alone.
    """
    assert needs_run(published, states) == attempt
