"""What is published stays to be seen: while a new run works, when it fails, and when somebody
assesses under another policy.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from closing import finished_run
from typer.testing import CliRunner

from data_contracts import object_key
from data_contracts.errors import EncounterError, NotFound
from data_contracts.run import Run
from data_contracts.tables.contracts import CONTACTS
from data_contracts.tables.parquet import table_to_bytes
from data_contracts.time import now_utc, parse_utc
from flows.cases.filing import store_case
from flows.cases.throwaway import papers
from flows.cli.main import app
from flows.cli.request import read_references
from flows.desk.pages.artefacts import read_artefact
from flows.runtime.environment import Environment, environment
from flows.runtime.open_case import open_case
from flows.stages import publish
from flows.stages.claim import begin, close_claim, next_run, read_claim
from flows.stages.published import choose_run, last_run, published_runs, put_published
from infra.case_store import CaseVault
from infra.settings import Settings
from infra.signing import ensure_signing_key, publish_public_key
from tasks.search.itinerary import read_itinerary

pytestmark = pytest.mark.stack
DEMO = Path(__file__).parents[3] / "demo"


@pytest.fixture
def env(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Environment]:
    """A site without a Prefect server."""
    monkeypatch.setenv("ENCOUNTER_HOME", str(settings.home))
    monkeypatch.setenv("ENCOUNTER_PREFECT__API_URL", "http://127.0.0.1:9/api")
    environment.cache_clear()
    made = environment()
    publish_public_key(made.store, ensure_signing_key(settings))
    made.store.put(object_key.SITE, object_key.CAMERAS, (DEMO / "cameras.geojson").read_bytes())
    yield made
    environment.cache_clear()


@pytest.fixture
def filed(env: Environment, request: pytest.FixtureRequest) -> CaseVault:
    """A filed case."""
    visits = read_itinerary((DEMO / "itinerary.csv").read_text())
    case_id = f"K-SEEN-{abs(hash(request.node.name)) % 10**6:06d}"
    pictures = read_references([DEMO / "reference"])
    store_case(env, papers(env, case_id, visits, pictures, "who", "test"))
    return open_case(case_id, env).vault


def finish(vault: CaseVault, run: Run) -> None:
    """Write a run's artefacts and publish it, as `publish` does at its end."""
    _, manifest = finished_run(vault, now_utc(), ())
    artefacts = {
        "contacts.parquet": table_to_bytes(CONTACTS.empty(), CONTACTS),
        "report.html": run.run_id.encode(),
    }
    written = tuple(
        publish._write_artefact(vault, run, name, data) for name, data in artefacts.items()
    )
    policy = f"{run.policy}@1"
    changes = {"run_id": run.run_id, "policy": policy, "artefacts": written}
    made = manifest.model_copy(update=changes)
    vault.put(publish.manifest_key(run), made.model_dump_json().encode())
    put_published(vault, run, policy)
    close_claim(vault, run)


def told(*words: str, fails: type[EncounterError] | None = None) -> str:
    """What a command prints on standard output, or the message that it ends with."""
    result = CliRunner().invoke(app, list(words))
    if fails is None:
        assert result.exit_code == 0, f"{result.output}{result.exception!r}"
        return result.stdout
    assert isinstance(result.exception, fails), result.output
    return str(result.exception)


def test_a_new_run_hides_nothing(filed: CaseVault, tmp_path: Path) -> None:
    """While a second run is under way, and when it has died, show, fetch and the desk answer from
    the first; show says since when, with the offset of the site.
    """
    case_id = filed.case_id
    first = begin(case_id, "11111111-0000-0000-0000-000000000000")
    assert first is not None
    assert "has no finished run yet" in told("case", "show", case_id)
    finish(filed, first)
    second = begin(case_id, "22222222-0000-0000-0000-000000000000", again=True)
    assert second is not None
    assert second.run_id != first.run_id
    said = told("case", "show", case_id)
    assert f"run {first.run_id}, policy who@1" in said
    claim = read_claim(filed)
    assert claim is not None
    korea = claim.started_utc + timedelta(hours=9)
    assert f"a new run was begun {korea:%H:%M} +09:00" in said
    told("case", "fetch", case_id, "--out", str(tmp_path))
    assert (tmp_path / case_id / "report.html").read_text() == first.run_id
    assert (
        read_artefact(environment(), case_id, first.run_id, "report.html")[0].decode()
        == first.run_id
    )
    with pytest.raises(NotFound):
        read_artefact(environment(), case_id, second.run_id, "report.html")
    assert publish.load_published(case_id).run.case_id == case_id
    finish(filed, second)
    said = told("case", "show", case_id)
    assert f"run {second.run_id}, policy who@1" in said
    assert "begun" not in said
    assert (
        read_artefact(environment(), case_id, first.run_id, "report.html")[0].decode()
        == first.run_id
    )


def test_an_assessment_stays_beside_a_new_trace(filed: CaseVault, tmp_path: Path) -> None:
    """An assessment under another policy that ends while a new trace works leaves that trace its
    claim; both are listed, and --policy and --run choose.
    """
    case_id = filed.case_id
    first = begin(case_id, "33333333-0000-0000-0000-000000000000")
    assert first is not None
    finish(filed, first)
    second = begin(case_id, "44444444-0000-0000-0000-000000000000", again=True)
    other = next_run(first, "cdc-2021-08")
    finish(filed, other)
    claim = read_claim(filed)
    assert claim is not None
    assert (claim.run_id, claim.state) == (second.run_id, "running")
    assert second is not None
    finish(filed, second)
    assert [found.run.run_id for found in published_runs(filed)] == [
        first.run_id,
        other.run_id,
        second.run_id,
    ]
    assert last_run(filed) == second
    said = told("case", "show", case_id)
    assert f"run {second.run_id}" in said
    assert "also published: policy cdc-2021-08@1: --policy cdc-2021-08" in said
    assert f"run {other.run_id}" in told("case", "show", case_id, "--policy", "cdc-2021-08")
    told("case", "fetch", case_id, "--run", first.run_id, "--out", str(tmp_path))
    assert (tmp_path / case_id / "report.html").read_text() == first.run_id
    message = told("case", "show", case_id, "--policy", "ecdc", fails=NotFound)
    assert "no published run with policy ecdc" in message
    assert other.run_id in message


def test_as_json(filed: CaseVault) -> None:
    """`case show --json` before, and after a run was published; `case list --json` counts."""
    case_id = filed.case_id
    nothing = {"run": None, "policy": None, "published_utc": None, "contacts": None}
    assert json.loads(told("case", "show", case_id, "--json")) == {
        "case": case_id,
        **nothing,
        "published": [],
        "under_way": None,
    }
    first = begin(case_id, "55555555-0000-0000-0000-000000000000")
    assert first is not None
    assert json.loads(told("case", "show", case_id, "--json"))["under_way"]["state"] == "unknown"
    finish(filed, first)
    shown = json.loads(told("case", "show", case_id, "--json"))
    assert (shown["run"], shown["policy"], shown["contacts"]) == (first.run_id, "who@1", [])
    assert parse_utc(shown["published_utc"]) <= now_utc()
    (row,) = [r for r in json.loads(told("case", "list", "--json")) if r["case"] == case_id]
    assert (row["state"], row["published_runs"]) == ("published", 1)


def test_the_key_dies_with_the_case(filed: CaseVault) -> None:
    """What is published is sealed: without the case's key nobody learns of a run."""
    run = Run(case_id=filed.case_id, run_id="r-1", salt="secret-salt", policy="who")
    put_published(filed, run, "who@1")
    stored = filed.store.list(object_key.CASES, f"{filed.case_id}/")
    assert not any(b"secret-salt" in filed.store.get(object_key.CASES, item.key) for item in stored)
    assert choose_run(filed, "r-1").run == run
