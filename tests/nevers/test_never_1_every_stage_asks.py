"""Never 1, all the time: every stage, every Dask task and every look of a model asks again whether
it is still allowed.
"""

from __future__ import annotations

import inspect
import itertools
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from prefect import Task
from stored_run import empty_outcome
from typer.testing import CliRunner

from data_contracts.authorisation import TrustedKeys
from data_contracts.errors import (
    BadInput,
    KeyMissing,
    NotAuthorised,
    NotFound,
    StackError,
    StoreError,
    may_pass,
)
from data_contracts.run import Run
from data_contracts.time import now_utc
from flows import rerun_exposure, trace_case
from flows.cases.filing import store_case
from flows.cases.key_changes import ensure_demo_root, listed_keys, proposal, publish_list
from flows.cases.throwaway import papers
from flows.cases.withdraw import mark_withdrawn
from flows.cli.main import app
from flows.runtime import segment_job, still_allowed
from flows.runtime.environment import Environment, trusted_keys
from flows.runtime.open_case import open_case
from flows.runtime.still_allowed import StillAllowed, looking_only_while
from flows.stages import redact
from models.registry import Models
from tasks.consent.grant_token import generate_key, revoked
from tasks.search.itinerary import read_itinerary

pytestmark = pytest.mark.stack
DEMO = Path(__file__).parents[2] / "demo"
STAGES = sorted(
    {
        t.name: t
        for m in (trace_case, rerun_exposure)
        for t in vars(m).values()
        if isinstance(t, Task)
    }.items()
)
# Observations at all cases and leaves out those that it may not open.
_OF_NO_CASE = {"cases with news"}
_numbers = itertools.count(1)


def filed(env: Environment) -> str:
    """A filed case, with papers of a day; returns its id."""
    case_id = f"K-ASKS-{next(_numbers):03d}"
    visits = read_itinerary((DEMO / "itinerary.csv").read_text())
    store_case(env, papers(env, case_id, visits, {"a.jpg": b"picture"}, "demo-short", "test"))
    return case_id


def withdraw(env: Environment, case_id: str) -> None:
    """Leave the mark of a withdrawal; nothing is destroyed yet."""
    mark_withdrawn(env, case_id)


def arguments(function: object, case_id: str) -> list[object]:
    """What names the case, and None for everything that a stage must not have touched by then."""
    run = Run(case_id=case_id, run_id="R", salt="0" * 32, policy="demo-short")
    known = {"Run": run, "str": case_id, "Outcome": empty_outcome(run), "bool": False}
    return [
        known.get(str(p.annotation))
        for p in inspect.signature(function).parameters.values()
        if p.kind != p.VAR_KEYWORD
    ]


@pytest.mark.parametrize(("name", "task"), STAGES, ids=[name for name, _ in STAGES])
def test_no_stage_begins_for_a_withdrawn_case(env: Environment, name: str, task: Task) -> None:
    """Each stage of each flow on a case, called by itself after the withdrawal, is refused before
    it does anything.
    """
    case_id = filed(env)
    withdraw(env, case_id)
    stage = inspect.unwrap(task.fn)
    if name in _OF_NO_CASE:
        assert case_id not in stage()
        return
    with pytest.raises(NotAuthorised, match="withdrawn"):
        stage(*arguments(stage, case_id))


@pytest.mark.parametrize("task", [segment_job.run_unit, redact.render_unit])
def test_no_dask_task_begins_for_a_withdrawn_case(env: Environment, task: object) -> None:
    """What runs in a worker asks for itself: a job that was queued before the withdrawal is
    refused.
    """
    case_id = filed(env)
    withdraw(env, case_id)
    run = Run(case_id=case_id, run_id="R", salt="0" * 32, policy="demo-short")
    anything = dict.fromkeys(("camera_id", "key", "etag", "start_utc", "part", "template", "looks"))
    anything |= {"kind": "scan", "jobs": (), "segments": (), "people": {}}
    job = SimpleNamespace(run=run, **anything)
    with pytest.raises(NotAuthorised, match="withdrawn"):
        task(job)


class Detector:
    """Counts how often it looked."""

    looks = 0

    def detect(self, frames: list) -> list:
        """Nothing found."""
        self.looks += 1
        return [None for _ in frames]


def models_of(person: Detector, face: Detector) -> Models:
    """Models of which only the detectors are used."""
    return Models(person=person, face=face, embedder=None, mask=None, calibration=None)


@pytest.mark.parametrize("ends", ["withdrawn", "expired", "revoked", "destroyed"])
def test_within_a_segment_no_model_looks_any_more(
    env: Environment, ends: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of a segment the consent ends: within the interval of asking the detectors
    refuse to look.
    """
    monkeypatch.setattr(still_allowed, "CHECK_EVERY_S", 0.2)
    case_id = filed(env)
    person = Detector()
    face = Detector()
    loaded = looking_only_while(StillAllowed(env, case_id), models_of(person, face))
    time.sleep(0.3)
    assert loaded.person.detect([0]) == loaded.face.detect([0]) == [None]
    if ends == "withdrawn":
        withdraw(env, case_id)
    elif ends == "expired":
        later = now_utc() + timedelta(days=2)
        monkeypatch.setattr("flows.runtime.open_case.now_utc", lambda: later)
    elif ends == "destroyed":
        env.cases.destroy_key(case_id)
    else:
        signer = open_case(case_id, env).authorised.consent.key_id
        assert CliRunner().invoke(app, ["keys", "revoke", signer]).exit_code == 0
    time.sleep(0.3)
    for detector in (loaded.person, loaded.face):
        with pytest.raises((NotAuthorised, KeyMissing)):
            detector.detect([0])
    assert person.looks == face.looks == 1


def test_a_revoked_key_keeps_its_entry_and_counts_until_then(env: Environment) -> None:
    """Revoking marks one key with the time and keeps all others; from then on, not before, its
    tokens are refused.
    """
    case_id = filed(env)
    before = trusted_keys(env)
    signer = open_case(case_id, env).authorised.approval.key_id
    later = datetime.now(UTC) + timedelta(hours=1)
    assert (
        CliRunner()
        .invoke(app, ["keys", "revoke", signer[:12], "--at", later.isoformat()])
        .exit_code
        == 0
    )
    open_case(case_id, env)
    after = trusted_keys(env)
    assert [k.key_id for k in after.keys] == [k.key_id for k in before.keys]
    assert [k.key_id for k in after.keys if k.revoked_utc] == [
        *(k.key_id for k in before.keys if k.revoked_utc),
        signer,
    ]
    assert CliRunner().invoke(app, ["keys", "revoke", signer]).exit_code == 0
    with pytest.raises(NotAuthorised, match="revoked"):
        open_case(case_id, env)


@pytest.mark.parametrize("letter", ["h", "v", "_"])
def test_a_key_whose_id_begins_with_a_hyphen_is_revoked_like_any(
    env: Environment, letter: str
) -> None:
    """One thumbprint in 64 begins as an option does; whatever letters follow, it is no option."""
    key = next(
        k
        for _ in range(20_000)
        if (k := generate_key("person", ("consent",))[1]).key_id.startswith("-")
        and letter in k.key_id
    )
    filed(env)
    root = ensure_demo_root(env.settings)
    publish_list(env, proposal(env, (*listed_keys(env), key), [root]))
    assert CliRunner().invoke(app, ["keys", "revoke", key.key_id]).exit_code == 0
    assert next(k for k in trusted_keys(env).keys if k.key_id == key.key_id).revoked_utc is not None


def test_revocation_moves_only_forward_and_names_one_key() -> None:
    """A later revocation does not undo an earlier one; a short or unknown id revokes nothing."""
    keys = TrustedKeys(keys=tuple(generate_key(f"person {i}", ("consent",))[1] for i in range(3)))
    early = datetime(2026, 1, 1, tzinfo=UTC)
    late = datetime(2026, 6, 1, tzinfo=UTC)
    once = revoked(keys, keys.keys[1].key_id, early)
    assert revoked(once, keys.keys[1].key_id, late).keys[1].revoked_utc == early
    assert [k.revoked_utc for k in once.keys] == [None, early, None]
    for wrong in ("", keys.keys[0].key_id[:4], "nobody-has-this-key"):
        with pytest.raises(BadInput):
            revoked(keys, wrong, early)


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (NotAuthorised("withdrawn"), False),
        (KeyMissing("destroyed"), False),
        (BadInput("no face"), False),
        (NotFound("gone"), False),
        (StoreError("busy"), True),
        (StackError("a worker died"), True),
        (ValueError("a fault of the program"), True),
        (KeyboardInterrupt(), False),
    ],
)
def test_a_refused_stage_is_not_tried_again(error: BaseException, again: bool) -> None:
    """A stage that was refused ends its run at once, not after two more tries; passing faults are
    retried.
    """
    assert may_pass(error) is again
