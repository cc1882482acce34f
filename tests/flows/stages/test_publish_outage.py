"""The store goes away while a run is published: nothing half is visible, and publishing again ends
it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from flaky_proxy import FlakyProxy, Request, flaky_proxy
from stored_run import empty_outcome, store_table

from data_contracts import object_key
from data_contracts.errors import StoreError
from data_contracts.run import Outcome, Run, StageResult
from data_contracts.tables import contracts
from flows.runtime.environment import Environment, environment
from flows.stages import publish
from flows.stages.claim import begin, read_claim
from flows.stages.published import published_runs
from infra.case_store import CaseVault

pytestmark = pytest.mark.stack
_TABLES = {
    "windows": contracts.WINDOWS,
    "segments": contracts.SEGMENTS,
    "sightings": contracts.SIGHTINGS,
    "trajectory": contracts.TRAJECTORY,
    "encounters": contracts.ENCOUNTERS,
    "contacts": contracts.CONTACTS,
    "gaps": contracts.GAPS,
    "pictures": contracts.PICTURES,
}


@pytest.fixture
def proxy(env: Environment, monkeypatch: pytest.MonkeyPatch) -> Iterator[FlakyProxy]:
    """Between everything in this process and the store."""
    s3 = env.settings.s3
    with flaky_proxy(env.store.endpoint) as found:
        for name, value in {
            "ENDPOINT": found.endpoint,
            "ACCESS_KEY": s3.access_key,
            "SECRET_KEY": s3.secret_key.get_secret_value(),
            "RETRIES": "0",
        }.items():
            monkeypatch.setenv(f"ENCOUNTER_S3__{name}", value)
        environment.cache_clear()
        yield found
    environment.cache_clear()


def _outcome(vault: CaseVault, run: Run) -> Outcome:
    """A run that found nobody, its tables stored."""
    refs = {name: store_table(vault, contract) for name, contract in _TABLES.items()}
    empty = empty_outcome(run)
    made = {}
    for stage, result in empty:
        if isinstance(result, StageResult):
            tables = {name: refs.get(name, ref) for name, ref in result.tables.items()}
            made[stage] = result.model_copy(update={"tables": tables})
    return empty.model_copy(update=made)


def _is_whole(vault: CaseVault, run: Run) -> bool:
    found = publish.load_manifest(vault, run).artefacts
    read = [vault.get(object_key.run(run.case_id, run.run_id, a.name)) for a in found]
    return bool(found) and all(
        hashlib.sha256(data).hexdigest() == a.sha256 for data, a in zip(read, found, strict=True)
    )


def test_an_outage_at_publishing(
    env: Environment, run: Run, proxy: FlakyProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever write the outage begins with: the run is not visible, or it is whole."""
    nothing = SimpleNamespace(digests={}, runtimes={})
    for module in ("flows.stages.publish", "flows.stages.claim"):
        monkeypatch.setattr(f"{module}.models", lambda _env: nothing)
    vault = env.cases.open(run.case_id)
    run = begin(run.case_id, "") or run
    result = _outcome(vault, run)
    outages = 0
    for first in range(1, 100):
        left = iter(range(1, first))

        def away(request: Request, left: Iterator[int] = left) -> str | None:
            return "busy" if request.method == "PUT" and next(left, None) is None else None

        proxy.fault = away
        try:
            publish.publish(run, result)
        except StoreError:
            outages += 1
            assert not published_runs(vault) or _is_whole(vault, run)
            claim = read_claim(vault)
            assert claim is not None
            assert claim.state == "running"
        else:
            break
    assert outages > 5
    assert _is_whole(vault, run)
    assert [found.run.run_id for found in published_runs(vault)] == [run.run_id]
    claim = read_claim(vault)
    assert claim is not None
    assert claim.state == "published"
