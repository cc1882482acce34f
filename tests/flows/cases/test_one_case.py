"""One case's fault is that case's: the others are started, listed and purged."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from flaky_proxy import FlakyProxy, flaky_proxy

from data_contracts import object_key
from data_contracts.errors import BadInput
from data_contracts.run import Claim, Run
from data_contracts.time import now_utc
from flows import reconcile, rerun_exposure
from flows.cases import expiry
from flows.cases.case_state import case_state
from flows.cases.unfinished import unfinished_ends
from flows.runtime.environment import Environment, environment
from flows.stages.claim import read_claim
from infra.audit_log import open_audit_log
from infra.case_store import CaseStore
from infra.key_source import ensure_master_keys
from infra.settings import load_settings
from infra.store import ObjectStore

pytestmark = pytest.mark.stack
CASE = "K-FAULTY-001"
CLAIM = Claim(
    run_id="R-1", salt="5", policy="who", flow_run_id="", state="running", started_utc=now_utc()
)


@pytest.fixture
def own(env: Environment, tmp_path: Path, proxy: FlakyProxy) -> Environment:
    """The environment with the store behind a proxy."""
    store = ObjectStore(env.settings.s3.model_copy(update={"endpoint": proxy.endpoint}))
    cases = CaseStore(store, env.cases.keys)
    return Environment(env.settings, store, cases, open_audit_log(store, env.settings))


@pytest.fixture
def proxy(env: Environment) -> Iterator[FlakyProxy]:
    """Between the environment and the store."""
    with flaky_proxy(env.store.endpoint) as found:
        yield found


@pytest.fixture(autouse=True)
def _gone_again(env: Environment) -> Iterator[None]:
    yield
    env.store.remove_all_versions(object_key.CASES, f"{CASE}/")


def _foreign_key(env: Environment, tmp_path: Path, _: FlakyProxy) -> None:
    other = load_settings(home=tmp_path / "other", s3=env.settings.s3.model_dump())
    ensure_master_keys(other)
    from infra.key_source import load_master_keys

    foreign = CaseStore(env.store, load_master_keys(other)).create_key(CASE)
    foreign.put(object_key.request(CASE), b"{}")


def _newer(name: str) -> Callable[[Environment, Path, FlakyProxy], None]:
    def write(env: Environment, _: Path, __: FlakyProxy) -> None:
        vault = env.cases.create_key(CASE)
        vault.put(object_key.request(CASE), b"{}")
        newer = json.loads(CLAIM.model_dump_json()) | {"version": 2, "priority": 1}
        vault.put(f"{CASE}/{name}", json.dumps(newer).encode())

    return write


def _other_script(env: Environment, _: Path, __: FlakyProxy) -> None:
    vault = env.cases.create_key(CASE)
    vault.put(object_key.request(CASE), b"\xff\xfe")
    vault.put(object_key.consent(CASE), b"\xff\xfe")


def _refused_by_the_store(env: Environment, _: Path, proxy: FlakyProxy) -> None:
    env.cases.create_key(CASE).put(object_key.request(CASE), b"{}")
    proxy.fault = lambda request: (
        "refuse" if f"{CASE}%2F" in request.path or f"/{CASE}/" in (request.path) else None
    )


FAULTS = {
    "a foreign key": _foreign_key,
    "a newer claim": _newer("claim.json"),
    "a newer request": _newer("request.json"),
    "a damaged publication": _newer("published/R-1.json"),
    "another script": _other_script,
    "refused by the store": _refused_by_the_store,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_others_go_on(
    env: Environment,
    own: Environment,
    run: Run,
    tmp_path: Path,
    proxy: FlakyProxy,
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
) -> None:
    """Reconcile starts the good case, `case list` has both, and the purge plans the good one."""
    FAULTS[fault](env, tmp_path, proxy)
    started: list[str] = []
    for module in (reconcile, rerun_exposure, expiry):
        if hasattr(module, "environment"):
            monkeypatch.setattr(module, "environment", lambda: own)
    monkeypatch.setattr(reconcile, "runs_by_case", dict)
    monkeypatch.setattr(reconcile, "start_trace", lambda case_id, _attempt: started.append(case_id))
    reconcile.start_missing.fn()
    assert run.case_id in started
    assert CASE not in started
    states = {case_id: case_state(own, case_id) for case_id in reconcile.filed_cases(own)}
    assert states[run.case_id].state == "filed"
    assert fault == "another script" or states[CASE].state == "unreadable"
    assert CASE not in {end.case_id for end in unfinished_ends(own)}
    word = expiry.Word(despite_clock=True, despite_number=True)
    planned = expiry.plan_pass(own, now_utc() + timedelta(days=400), word)
    assert run.case_id in {doomed.case_id for doomed in planned.doomed}
    rerun_exposure.cases_with_new_footage.fn()


def test_what_a_newer_version_wrote_says_so(env: Environment) -> None:
    """Not that it is damaged."""
    FAULTS["a newer claim"](env, Path(), None)
    with pytest.raises(BadInput, match=r"claim\.json: a newer version of this program.*update"):
        read_claim(env.cases.open(CASE))
    environment.cache_clear()
