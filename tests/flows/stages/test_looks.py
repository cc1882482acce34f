"""The search by looks: cameras that no face and no claim leads to are followed because somebody
there wears the subject's clothes.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from flow_stages import SEARCH

from data_contracts import object_key
from data_contracts.case import Visit
from data_contracts.run import Run
from flows import trace_case
from flows.cases.filing import store_case
from flows.cases.throwaway import papers
from flows.cli.request import read_references
from flows.runtime.environment import Environment
from flows.runtime.open_case import open_case
from flows.runtime.results import load
from flows.stages import template

pytestmark = pytest.mark.stack
DEMO = Path(__file__).parents[3] / "demo"
# The object store is shared with other tests: an hour of its own.
FOOTAGE = {
    "entrance/2026-11-16/00/00.00.mp4": "entrance/2026-11-16/14/00.00.mp4",
    "lobby-b/2026-11-16/00/00.30.mp4": "lobby-b/2026-11-16/14/00.40.mp4",
}
ENTERED = Visit(
    place="entrance",
    cameras=("entrance",),
    from_utc=datetime(2026, 11, 16, 14, 0, 5, tzinfo=UTC),
    to_utc=datetime(2026, 11, 16, 14, 0, 13, tzinfo=UTC),
)
# Later than following from the entrance goes: 15 s.
LATER = pd.Timestamp("2026-11-16T14:00:30Z")
_numbers = itertools.count(1)


@pytest.fixture
def site(env: Environment) -> Iterator[Environment]:
    """The subject's face at the entrance; half a minute later they stand in the lobby, where no
    face is large enough.
    """
    for kept, key in FOOTAGE.items():
        env.store.put(object_key.FOOTAGE, key, (DEMO / "footage" / kept).read_bytes())
    yield env
    for key in FOOTAGE.values():
        env.store.remove_all_versions(object_key.FOOTAGE, key)


def followed_windows(env: Environment, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """Windows that were followed in the search of the flow: by faces, then by the looks that were
    learnt. The stages run in this process, without an orchestrator.
    """
    for name, stage in SEARCH.items():
        monkeypatch.setattr(trace_case, name, stage)
    case_id = f"K-LOOKS-{next(_numbers):03d}"
    pictures = read_references([DEMO / "reference"])
    store_case(env, papers(env, case_id, (ENTERED,), pictures, "demo-short", "test"))
    run = Run(case_id=case_id, run_id="R-1", salt="5" * 32, policy="demo-short")
    start = trace_case._Start(template.make_template(run).digest, ())
    seen = trace_case._searched(run, start)
    return load(open_case(case_id).vault, seen.dense["windows"])


@pytest.mark.usefixtures("workers")
def test_who_is_reached_by_looks_alone_is_followed(
    site: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a minute after the face at the entrance no face can be told in the lobby: it is followed
    for the clothes. Following from the face alone ends before.
    """
    windows = followed_windows(site, monkeypatch)
    clothes = windows["reason"].str.contains("somebody in the subject's clothes")
    opened = windows[clothes & (windows["camera_id"] == "lobby-b")]
    assert opened["reason"].str.contains("subject's clothes seen on lobby-b").all()
    assert len(opened) == 1
    assert (windows.loc[~clothes, "end_utc"] < LATER).all()
