"""A case on real footage, traced, decided about by reviewers, traced again, and destroyed: one
answer changes nothing, two that agree change the contact list, and no segment is searched again.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from closing import nothing_of
from flow_stages import SEARCH
from reviewed_run import as_reviewer, with_signing_key

from data_contracts import object_key
from data_contracts.case import Visit
from data_contracts.review import Given
from data_contracts.run import Run, StageResult
from data_contracts.tables.contracts import CONTACTS, ENCOUNTERS, SIGHTINGS
from flows import trace_case
from flows.cases import deletion_steps
from flows.cases.destroy import destroy_case
from flows.cases.filing import store_case
from flows.cases.review import answer, decided, questions
from flows.cases.throwaway import papers
from flows.cli.request import read_references
from flows.runtime import segment_job
from flows.runtime.acting import acting
from flows.runtime.decisions import decisions_of_run
from flows.runtime.environment import Environment
from flows.runtime.open_case import open_case
from flows.runtime.pointings import pointings_of
from flows.stages import exposure, people, publish, redact, template
from infra.case_store import CaseVault

pytestmark = pytest.mark.stack
DEMO = Path(__file__).parents[2] / "demo"
# The object store is shared with other tests: an hour of its own.
FOOTAGE = {
    "entrance/2026-11-16/00/00.00.mp4": "entrance/2026-11-16/15/00.00.mp4",
    "lobby-a/2026-11-16/00/00.00.mp4": "lobby-a/2026-11-16/15/00.00.mp4",
    "lobby-a/2026-11-16/00/00.30.mp4": "lobby-a/2026-11-16/15/00.30.mp4",
}
ENTERED = Visit(
    place="entrance",
    cameras=("entrance", "lobby-a"),
    from_utc=datetime(2026, 11, 16, 15, 0, tzinfo=UTC),
    to_utc=datetime(2026, 11, 16, 15, 1, tzinfo=UTC),
    tolerance_s=0,
)
STAGES = SEARCH | {
    "build_template": template.make_template,
    "read_pointings": pointings_of,
    "read_decisions": decisions_of_run,
    "trace_subject": people.trace_subject,
    "find_encounters": exposure.find_encounters,
    "apply_decisions": exposure.apply_decisions,
    "assess_contacts": exposure.assess_contacts,
    "redact_pictures": redact.make_pictures,
    "collect_gaps": exposure.collect_gaps,
    "publish_run": publish.publish,
    "tell_operators": lambda _result: None,
}
_numbers = itertools.count(1)


@pytest.fixture
def site(env: Environment, monkeypatch: pytest.MonkeyPatch) -> Iterator[Environment]:
    """A minute of two cameras, and the flow's stages without an orchestrator."""
    found = with_signing_key(env)
    for kept, key in FOOTAGE.items():
        found.store.put(object_key.FOOTAGE, key, (DEMO / "footage" / kept).read_bytes())
    for name, stage in STAGES.items():
        monkeypatch.setattr(trace_case, name, stage)
    monkeypatch.setattr(deletion_steps, "_DELETED_AFTER_S", 0.0)
    yield found
    for key in FOOTAGE.values():
        found.store.remove_all_versions(object_key.FOOTAGE, key)


@pytest.fixture
def case_id(site: Environment) -> str:
    """A filed case, of the face alone."""
    case_id = f"K-DECIDED-{next(_numbers):03d}"
    references = read_references([DEMO / "reference"])
    given = papers(site, case_id, (ENTERED,), references, "demo-short", "test", scopes=("face",))
    store_case(site, given)
    return case_id


@pytest.fixture
def read_keys(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which segments were read to search in them, as it happens."""
    keys: list[str] = []
    read = segment_job.read_footage

    def noted(env: Environment, key: str, etag: str) -> bytes:
        keys.append(key)
        return read(env, key, etag)

    monkeypatch.setattr(segment_job, "read_footage", noted)
    return keys


def traced(case_id: str, number: int) -> tuple[CaseVault, Callable[..., pd.DataFrame]]:
    """Trace the case; its vault, and reads a table of this run."""
    run = Run(case_id=case_id, run_id=f"R-{number}", salt=f"{number}" * 32, policy="demo-short")
    trace_case._trace(run)
    vault = open_case(case_id).vault
    return vault, lambda contract: publish.read_table(vault, run, contract)


def say(env: Environment, case_id: str, names: Iterable[str], verdict: str, *accounts: str) -> None:
    """Reviewers answer alike."""
    given = Given.model_validate({"verdict": verdict, "reason": "seen"})
    for name in names:
        for account in accounts:
            with acting(as_reviewer(account)):
                answer(env, case_id, name, given)


def no_pictures(run: Run, **_given: object) -> StageResult:
    """A run that makes none: they take the longest."""
    nothing = dict.fromkeys(("pictures", "before", "now"))
    return redact.carry_pictures(run, from_run="", **nothing)


@pytest.mark.usefixtures("workers")
def test_decisions_change_the_contact_list(
    site: Environment, case_id: str, read_keys: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The subject talks with A for half a minute in the lobby. Confirmed by two, the contact says
    so and the sighting at the entrance stands; one who rejects the sighting in the lobby changes
    nothing, a second one does: the contact is gone. Then the case goes, answers and all.
    """
    monkeypatch.setattr(trace_case, "redact_pictures", no_pictures)
    _, table = traced(case_id, 1)
    assert set(read_keys) == set(FOOTAGE.values())
    read_keys.clear()
    found = table(SIGHTINGS)
    at = {c: list(rows["sighting_id"]) for c, rows in found.groupby("camera_id")}
    assert set(at) == {"entrance", "lobby-a"}
    (contact,) = table(CONTACTS)["contact_id"]
    asked = {q.name: q for q in questions(site, case_id)}
    assert set(asked) == {*found["sighting_id"], contact}
    rejected = [asked[name].question.question_id for name in at["lobby-a"]]
    say(site, case_id, (contact, *at["entrance"]), "confirm", "kim", "lee")
    say(site, case_id, rejected, "reject", "kim")
    _, table = traced(case_id, 2)
    assert list(table(CONTACTS)["review"]) == ["confirmed"]
    assert "confirmed" in set(table(ENCOUNTERS)["review"])
    now = table(SIGHTINGS)
    stands = now["camera_id"] == "entrance"
    assert set(now.loc[stands, "basis"]) == set(now.loc[stands, "review"]) == {"confirmed"}
    assert set(now.loc[~stands, "review"]) == {"unreviewed"}, "one answer changes nothing"

    say(site, case_id, rejected, "reject", "lee")
    vault, table = traced(case_id, 3)
    assert read_keys == [], "no segment was searched again"
    assert set(table(SIGHTINGS)["camera_id"]) == {"entrance"}
    assert table(CONTACTS).empty
    assert {d.state for d in decided(site, case_id)} == {"confirmed", "rejected"}

    assert len(vault.list(f"{object_key.review(case_id)}/")) >= 3 * len(rejected)
    destroy_case(case_id, "the test is over", site)
    assert nothing_of(site.store, case_id)
