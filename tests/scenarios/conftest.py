"""A whole site on real servers: object store, Prefect server and worker, a short cut of the demo
footage.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from data_contracts import object_key
from data_contracts.run import Run
from flows.cases import deletion_steps
from flows.cases.filing import Papers, file_case
from flows.cases.throwaway import papers
from flows.cli import stack as stack_command
from flows.cli.request import read_references
from flows.cli.waiting import wait_for
from flows.runtime.environment import Environment, environment
from flows.runtime.open_case import open_case
from flows.runtime.prefect_api import client, use_server
from flows.stages.published import last_run
from infra.case_store import CaseVault
from infra.local.stack import StackInfo
from infra.settings import HOME_VARIABLE, Settings
from tasks.search.itinerary import read_itinerary

DEMO = Path(__file__).parents[2] / "demo"
# The subject comes in and talks with A; one file is cut in half, and one camera has only its first
# half minute.
CUT = (
    "entrance/2026-11-16/00/00.00.mp4",
    "lobby-a/2026-11-16/00/00.00.mp4",
    "lobby-a/2026-11-16/00/00.30.mp4",
    "lobby-b/2026-11-16/00/00.00.mp4",
    "lobby-b/2026-11-16/00/00.30.mp4",
    "corridor/2026-11-16/00/00.30.mp4",
)
HOUSEKEEPING = ("reconcile", "purge-expired", "rerun-exposure")
_numbers = itertools.count(1)


@contextmanager
def _at_home(settings: Settings) -> Iterator[None]:
    """This process works in the stack's home."""
    with pytest.MonkeyPatch.context() as changed:
        changed.setenv(HOME_VARIABLE, str(settings.home))
        # The store's disk has a test of its own.
        changed.setattr(deletion_steps, "_DELETED_AFTER_S", 0.0)
        environment.cache_clear()
        yield
    environment.cache_clear()


@pytest.fixture(autouse=True)
def _at_the_site(request: pytest.FixtureRequest) -> Iterator[None]:
    if "site" not in request.fixturenames:
        yield
        return
    with _at_home(request.getfixturevalue("site").settings):
        yield


@pytest.fixture(scope="session")
def site(stack: StackInfo) -> Environment:
    """The environment of a site that has cameras, footage and deployments."""
    use_server(stack.settings)
    with _at_home(stack.settings):
        env = environment()
    # What other tests filed stays theirs: reconcile starts every case that can be opened.
    for case_id in env.cases.case_ids():
        env.cases.destroy_key(case_id)
    stack_command.register(env.settings)
    _pause_housekeeping()
    env.store.put(object_key.SITE, object_key.CAMERAS, (DEMO / "cameras.geojson").read_bytes())
    for key in CUT:
        env.store.put_file(object_key.FOOTAGE, key, DEMO / "footage" / key, "video/mp4")
    return env


def _pause_housekeeping() -> None:
    """Tests call the passes themselves: the stack's own would start, or end, their cases in
    between. That they come unasked is shown on a stack of its own, in `test_power_cut.py`.
    """
    with client() as api:
        for flow in HOUSEKEEPING:
            api.pause_deployment(api.read_deployment_by_name(f"{flow}/{flow}").id)


@pytest.fixture
def new_papers(site: Environment) -> Callable[..., Papers]:
    """Signed papers of a fresh case."""

    def make(
        policy: str = "demo-short",
        references: dict[str, bytes] | None = None,
        expires_in_s: float | None = None,
    ) -> Papers:
        visits = read_itinerary((DEMO / "itinerary.csv").read_text())
        case_id = f"K-SCENARIO-{next(_numbers):03d}"
        pictures = references or read_references([DEMO / "reference"])
        basis = "test on synthetic people"
        expires = timedelta(seconds=expires_in_s) if expires_in_s else timedelta(days=1)
        return papers(site, case_id, visits, pictures, policy, basis, expires)

    return make


@pytest.fixture(scope="session")
def traced(site: Environment) -> tuple[Environment, Papers, CaseVault, Run]:
    """A case traced once through the worker, as `encounter case file` does it."""
    visits = read_itinerary((DEMO / "itinerary.csv").read_text())
    signed = papers(
        site, "K-TRACED-001", visits, read_references([DEMO / "reference"]), "demo-short", "test"
    )
    with _at_home(site.settings):
        started = file_case(site, signed)
        assert started is not None
        wait_for(started, limit_s=900)
        vault = open_case("K-TRACED-001", site).vault
    run = last_run(vault)
    assert run is not None
    return site, signed, vault, run
