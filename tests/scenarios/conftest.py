"""A whole site on real servers: object store, Prefect server and worker, a short cut of the demo footage."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from data_contracts import object_key
from flows.cli import stack as stack_command
from flows.cli.cases import read_references
from flows.context import Environment, environment
from flows.filing import Papers
from flows.server import use_server
from flows.throwaway import papers
from infra.stack import StackInfo
from tasks.itinerary import read_itinerary

DEMO = Path(__file__).parents[2] / "demo"
# The subject comes in and talks with A; one file is cut in half, and one camera has only its first half minute.
CUT = (
    "entrance/2026-11-16/00/00.00.mp4",
    "lobby-a/2026-11-16/00/00.00.mp4",
    "lobby-a/2026-11-16/00/00.30.mp4",
    "lobby-b/2026-11-16/00/00.00.mp4",
    "lobby-b/2026-11-16/00/00.30.mp4",
    "corridor/2026-11-16/00/00.30.mp4",
)
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def site(stack: StackInfo) -> Iterator[Environment]:
    """The environment of a site that has cameras, footage and deployments."""
    os.environ["ENCOUNTER_HOME"] = str(stack.settings.home)
    use_server(stack.settings)
    environment.cache_clear()
    env = environment()
    stack_command.register(env.settings)
    env.store.put(object_key.SITE, object_key.CAMERAS, (DEMO / "cameras.geojson").read_bytes())
    for key in CUT:
        env.store.put_file(object_key.FOOTAGE, key, DEMO / "footage" / key, "video/mp4")
    yield env
    environment.cache_clear()
    os.environ.pop("ENCOUNTER_HOME", None)


@pytest.fixture
def new_papers(site: Environment) -> Callable[..., Papers]:
    """Signed papers of a fresh case."""

    def make(policy: str = "demo-short") -> Papers:
        visits = read_itinerary((DEMO / "itinerary.csv").read_text())
        case_id = f"K-SCENARIO-{next(_numbers):03d}"
        return papers(site, case_id, visits, read_references([DEMO / "reference"]), policy, "test on synthetic people")

    return make
