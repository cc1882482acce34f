"""Never 1, for the auditor: no search, view or export goes on that is not in the audit log, and
every refusal is in it.
"""

from __future__ import annotations

import dataclasses
import io
import itertools
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from stored_run import empty_outcome

from data_contracts import object_key
from data_contracts.audit import AuditEntry, AuditEvent, read_link
from data_contracts.errors import NotAuthorised, StoreError
from data_contracts.run import Run, RunManifest
from flows.cases.filing import Papers, store_case
from flows.cases.site_files import publish_site_file
from flows.cases.throwaway import papers
from flows.cases.withdraw import mark_withdrawn
from flows.desk.pages.artefacts import read_artefact
from flows.desk.wrong_passwords import WrongPasswords
from flows.runtime.acting import Acting, acting, service
from flows.runtime.audit import audit, failures_written, refusals_written
from flows.runtime.environment import Environment, environment
from flows.runtime.open_case import open_case
from flows.stages import claim, publish
from flows.stages.published import put_published
from infra.audit_log import AuditLog
from infra.dask_map import _Attempt
from infra.settings import Settings
from infra.store import ObjectStore
from tasks.audit.chain import verify
from tasks.search.itinerary import read_itinerary

pytestmark = pytest.mark.stack
DEMO = Path(__file__).parents[2] / "demo"
NAME = "Kim Min-su"
_numbers = itertools.count(1)


def picture() -> bytes:
    """A picture of noise: stands for a reference picture, which filing only stores."""
    out = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (48, 48, 3), np.uint8)).save(
        out, "PNG"
    )
    return out.getvalue()


@pytest.fixture
def env(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Environment]:
    """The environment of the shared store, with cameras."""
    monkeypatch.setenv("ENCOUNTER_HOME", str(settings.home))
    environment.cache_clear()
    made = environment()
    publish_site_file(
        made, object_key.CAMERAS, (DEMO / "cameras.geojson").read_bytes(), "application/geo+json"
    )
    yield made
    environment.cache_clear()


@pytest.fixture
def signed(env: Environment) -> Callable[[], Papers]:
    """Signed papers of a fresh case."""

    def make() -> Papers:
        case_id = f"K-AUDITED-{next(_numbers):03d}"
        visits = read_itinerary((DEMO / "itinerary.csv").read_text())
        return papers(env, case_id, visits, {"a.png": picture()}, "demo-short", "GDPR 9(2)(a)")

    return make


@pytest.fixture
def mute(env: Environment, monkeypatch: pytest.MonkeyPatch) -> Environment:
    """The environment with an audit log that cannot be written."""
    nowhere = ObjectStore(
        env.settings.s3.model_copy(update={"endpoint": "127.0.0.1:9", "retries": 0})
    )
    broken = dataclasses.replace(env, audit_log=AuditLog(nowhere, env.settings, env.audit_log.key))
    for module in (publish, claim):
        monkeypatch.setattr(module, "environment", lambda: broken)
    return broken


def entries(env: Environment, case_id: str | None = None) -> list[AuditEntry]:
    """The audit log's entries, of one case."""
    found = [read_link(stored.data).entry for stored in env.audit_log.read() if stored.data]
    return [e for e in found if case_id in (None, e.case_id)]


def open_elsewhere(case_id: str, env: Environment) -> None:
    """Open a case as work in a Dask worker, whose error comes to the flow pickled."""
    try:
        _Attempt(lambda job: open_case(job, env), retries=1)(case_id)
    except NotAuthorised as refusal:
        raise pickle.loads(pickle.dumps(refusal)) from None


def finished(env: Environment, signed: Papers) -> Run:
    """A filed case with a finished run of one artefact."""
    store_case(env, signed)
    case_id = signed.request.case_id
    vault = env.cases.open(case_id)
    run = Run(case_id=case_id, run_id="20261116T090000Z-ab12cd", salt="00", policy="demo-short")
    result = empty_outcome(run)
    artefact = publish._write_artefact(vault, run, "report.html", b"<html>report</html>")
    manifest = RunManifest(
        run_id=run.run_id,
        policy="demo-short@1",
        created_utc=signed.request.filed_utc,
        artefacts=(artefact,),
        result=result,
    )
    vault.put(publish.manifest_key(run), manifest.model_dump_json().encode())
    put_published(vault, run, manifest.policy)
    return run


def test_filing_is_written_with_its_grounds(env: Environment, signed: Callable[[], Papers]) -> None:
    """Who, role, case, purpose, legal basis, period, cameras, policy, papers and the keys that
    signed.
    """
    made = signed()
    with acting(Acting("user", NAME, "operator")):
        store_case(env, made)
    (entry,) = entries(env, made.request.case_id)
    assert (entry.action, entry.outcome, entry.role) == ("authorise", "success", "intake")
    assert entry.actor == f"user:{env.audit_log.key.pseudonym(f'user {NAME}')}"
    assert (entry.purpose, entry.legal_basis) == (made.request.purpose, ("GDPR 9(2)(a)",))
    assert entry.from_utc is not None
    assert entry.from_utc <= made.request.itinerary[0].from_utc
    assert (entry.cameras, entry.scopes) == (("*",), ("appearance", "face"))
    assert entry.policy.startswith("demo-short@")
    assert len(entry.papers) == len(set(entry.verified_by)) == 2


def test_a_refused_filing_is_written(env: Environment, signed: Callable[[], Papers]) -> None:
    """A case whose approval is its consent is refused, and the refusal is in the log with its
    reason.
    """
    made = signed()
    with pytest.raises(NotAuthorised):
        store_case(env, dataclasses.replace(made, approval=made.consent))
    (entry,) = entries(env, made.request.case_id)
    assert (entry.action, entry.outcome) == ("refuse", "refused")
    assert "approval refused" in entry.reason


def test_a_refusal_in_a_run_is_written_once(env: Environment, signed: Callable[[], Papers]) -> None:
    """A withdrawn case is refused at a stage; the error goes up through the flow, and one refusal
    is in the log.
    """
    made = signed()
    store_case(env, made)
    case_id = made.request.case_id
    mark_withdrawn(env, case_id)
    with (
        pytest.raises(NotAuthorised, match="withdrawn"),
        failures_written(env, case_id),
        refusals_written(env, case_id),
        refusals_written(env, case_id),
    ):
        open_elsewhere(case_id, env)
    assert [e.action for e in entries(env, case_id)] == ["authorise", "refuse", "run-finished"]
    assert entries(env, case_id)[-1].outcome == "failed"


def test_a_refusal_repeated_by_schedule_is_written_once_a_day(
    env: Environment, signed: Callable[[], Papers]
) -> None:
    """What asks every minute writes the same refusal once; what a person asks is written every
    time.
    """
    made = signed()
    store_case(env, made)
    case_id = made.request.case_id
    mark_withdrawn(env, case_id)
    for who, times in (
        (service("reconcile", repeats=True), 3),
        (Acting("user", NAME, "operator"), 2),
    ):
        for _ in range(times):
            with acting(who), pytest.raises(NotAuthorised):
                open_case(case_id, env)
    actors = [e.actor.partition(":")[0] for e in entries(env, case_id) if e.action == "refuse"]
    assert actors == ["service", "user", "user"]


def test_views_and_exports_are_written(
    env: Environment, signed: Callable[[], Papers], tmp_path: Path
) -> None:
    """A reviewer's view and an operator's export are in the log with what was seen, under a
    pseudonym.
    """
    run = finished(env, signed())
    with acting(Acting("account", NAME, "reviewer")):
        read_artefact(env, run.case_id, run.run_id, "report.html")
    publish.fetch(env.cases.open(run.case_id), run, tmp_path / "out")
    _, view, export = entries(env, run.case_id)
    assert (view.action, view.role, view.objects, view.run_id) == (
        "view",
        "reviewer",
        ("report.html",),
        run.run_id,
    )
    assert (export.action, export.objects, export.counts) == (
        "export",
        ("report.html",),
        {"artefacts": 1},
    )


def test_nothing_goes_on_unwritten(
    mute: Environment, signed: Callable[[], Papers], env: Environment, tmp_path: Path
) -> None:
    """With an audit log that cannot be written no case is stored, nothing is shown, exported or
    begun.
    """
    new = signed()
    old = signed()
    with pytest.raises(StoreError):
        store_case(mute, new)
    assert not env.store.list_versions(object_key.CASES, f"{new.request.case_id}/")
    run = finished(env, old)
    with pytest.raises(StoreError):
        read_artefact(mute, run.case_id, run.run_id, "report.html")
    with pytest.raises(StoreError):
        publish.fetch(env.cases.open(run.case_id), run, tmp_path / "out")
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]
    with pytest.raises(StoreError):
        claim.begin(run.case_id, "a-flow-run", again=True)
    with (
        pytest.raises(NotAuthorised, match="could not be written"),
        refusals_written(mute, run.case_id),
    ):
        raise NotAuthorised("refused")


def test_wrong_passwords_are_counted_not_flooding(env: Environment) -> None:
    """The first wrong password is written at once, a hundred more make no hundred entries."""

    def refusals(after: int) -> list[AuditEntry]:
        # A checkpoint may fall due in between, and other runs may be refused.
        return [e for e in entries(env)[after:] if e.action == "refuse" and "attempts" in e.counts]

    before = len(entries(env))
    tries = WrongPasswords()
    for _ in range(101):
        tries.count(env, NAME)
    (entry,) = refusals(before)
    assert entry.counts == {"attempts": 1}
    tries._written_s = float("-inf")
    tries.count(env, NAME)
    assert [e.counts["attempts"] for e in refusals(before)] == [1, 101]


def test_the_log_names_no_one_and_holds_no_measure(
    env: Environment, signed: Callable[[], Papers], tmp_path: Path
) -> None:
    """After filing, view and export nothing in the audit bucket names anyone or holds a picture;
    and the log is sound.
    """
    made = signed()
    run = finished(env, made)
    with acting(Acting("account", NAME, "reviewer")):
        read_artefact(env, run.case_id, run.run_id, "report.html")
    stored = b"\n".join(e.data or b"" for e in env.audit_log.read())
    place = made.request.itinerary[0].place
    for secret in (
        NAME,
        made.request.subject,
        "throw-away consent signer",
        made.consent.split(".")[1],
        place,
    ):
        assert secret.encode() not in stored, secret
    assert not any(magic in stored for magic in (b"\xff\xd8\xff", b"\x89PNG", b"data:image"))
    key = env.audit_log.key
    assert key is not None
    assert not verify(((e.sequence, e.data) for e in env.audit_log.read()), [key.public]).findings


def test_an_entry_has_no_room_for_a_feature() -> None:
    """Fractions are refused in every field, and a list of numbers written as text is longer than a
    line may be.
    """
    feature = np.random.default_rng(0).normal(size=128)
    given = {"action": "view", "actor": "service:x", "role": "service"}
    for fields in (
        {"counts": {"v": float(feature[0])}},
        {"reason": str(feature.tolist())},
        {"objects": (str(feature),)},
    ):
        with pytest.raises(ValueError):
            AuditEvent(**given, **fields)
    with pytest.raises(ValueError):
        AuditEvent(**{**given, "actor": f"user:{NAME}"})


def test_what_a_signer_typed_becomes_one_line(env: Environment) -> None:
    """Control characters and length in what people typed cannot stop or split an entry."""
    long = "x" * 500 + "\n\x00"
    with refusals_written(env), pytest.raises(NotAuthorised), refusals_written(env):
        raise NotAuthorised(long)
    written = [e for e in entries(env) if e.action == "refuse"]
    assert len(written[-1].reason) == 240
    audit(env, "configure", role="administrator", objects=("cameras",))
