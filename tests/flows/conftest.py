"""A filed case on the object store alone, and a Dask worker that is a thread of this process: a
network runs in one thread at a time.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import Client, LocalCluster

from data_contracts.run import Run
from flows.cases.filing import store_case
from flows.cases.throwaway import papers
from flows.runtime import fan_out
from flows.runtime.environment import Environment
from tasks.search.itinerary import read_itinerary

DEMO = Path(__file__).parents[2] / "demo"
_numbers = itertools.count(1)


@pytest.fixture
def run(env: Environment) -> Run:
    """A run of a filed case."""
    case_id = f"K-STAGES-{next(_numbers):03d}"
    visits = read_itinerary((DEMO / "itinerary.csv").read_text())
    store_case(env, papers(env, case_id, visits, {"a.jpg": b"picture"}, "demo-short", "test"))
    return Run(case_id=case_id, run_id="R-1", salt="5" * 32, policy="demo-short")


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Where stages send their units."""
    with (
        LocalCluster(
            processes=False, n_workers=1, threads_per_worker=1, dashboard_address=None
        ) as cluster,
        Client(cluster) as client,
    ):
        monkeypatch.setattr(fan_out, "_current_client", [client])
        yield
