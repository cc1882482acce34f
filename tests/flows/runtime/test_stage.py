"""The stage runner: what decides a result is in its digest, and what is stored is whole."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from stored_run import store_table

from data_contracts import object_key
from data_contracts.errors import BadInput, ContractViolation, NotAuthorised
from data_contracts.record import Record
from data_contracts.run import Run, TableRef
from data_contracts.tables.contracts import GAPS, SEGMENTS, WINDOWS
from flows.cases.withdraw import mark_withdrawn
from flows.runtime import stage as runner
from flows.runtime.environment import Environment
from flows.runtime.open_case import open_case
from flows.runtime.results import load, table_key
from flows.runtime.stage import Stage, Work, stage
from flows.runtime.stats import read_stats
from models.registry import Models

DEMO = Path(__file__).parents[3] / "demo"
pytestmark = pytest.mark.stack
GAP = {
    "kind": "failed",
    "camera_id": "entrance",
    "start_utc": "2026-11-16T00:00:00Z",
    "end_utc": "2026-11-16T00:01:00Z",
    "detail": "it broke",
    "advice": "mend it",
}


class Width(Record):
    """A setting of the stage under test."""

    metres: float = 1.0


@pytest.fixture
def calls() -> list[str]:
    """Notes each time that the function of a stage ran."""
    return []


@pytest.fixture
def made(calls: list[str]) -> Stage:
    """A stage that takes windows and makes gaps."""

    @stage(
        "under test",
        takes={"windows": WINDOWS},
        makes={"gaps": GAPS},
        settings=lambda _case: (Width(),),
        uses_models=True,
    )
    def function(work: Work, windows: pd.DataFrame, note: str = "") -> pd.DataFrame:
        calls.append(f"{work[Width].metres} {len(windows)} {note}")
        return GAPS.shape([GAP])

    return function


@pytest.fixture(autouse=True)
def loaded(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Which models the stage finds; none is run."""
    found = {"digests": {"nanodet": "aa"}, "runtimes": {"nanodet": "openvino f32"}}
    nothing = dict.fromkeys(("person", "face", "embedder", "mask", "calibration"))
    monkeypatch.setattr(runner, "models", lambda _env: Models(**nothing, **found))
    return found


def test_what_is_there_is_not_made_again(run: Run, made: Stage, calls: list[str]) -> None:
    """The same inputs give the same references, and the function does not run a second time."""
    first = made(run)
    assert made(run).tables == first.tables
    assert calls == ["1.0 0 "]
    assert load(open_case(run.case_id).vault, first["gaps"])["detail"].tolist() == ["it broke"]


@pytest.mark.parametrize(
    "changed",
    ["settings", "models", "runtimes", "contract", "parameter", "table", "run", "program"],
)
def test_whatever_decides_a_result_is_in_its_digest(
    run: Run,
    made: Stage,
    calls: list[str],
    loaded: dict[str, Any],
    changed: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Change one thing that could change the result, and the stage is made anew under another
    digest.
    """
    given: dict[str, Any] = {}
    before = made(run)
    if changed == "settings":
        made = dataclasses.replace(made, settings=lambda _case: (Width(metres=2.0),))
    elif changed == "models":
        loaded["digests"]["nanodet"] = "bb"
    elif changed == "runtimes":
        loaded["runtimes"]["nanodet"] = "openvino bf16"
    elif changed == "contract":
        made = dataclasses.replace(made, makes={"gaps": dataclasses.replace(GAPS, version=99)})
    elif changed == "parameter":
        given = {"note": "another"}
    elif changed == "table":
        given = {"windows": store_table(open_case(run.case_id).vault, WINDOWS)}
    elif changed == "run":
        run = run.model_copy(update={"run_id": "R-2"})
    else:
        monkeypatch.setattr(runner.metadata, "version", lambda _name: "99")
    assert made(run, **given).digest != before.digest
    assert len(calls) == 2


def test_a_camera_elsewhere_decides_nothing(
    run: Run, env: Environment, made: Stage, calls: list[str]
) -> None:
    """Only what the camera file says of the cameras that the tables name is in the digest: another
    camera that is added makes nothing anew, a neighbour that is added to a named one does.
    """
    window = {
        "window_id": "W-1",
        "camera_id": "entrance",
        "start_utc": GAP["start_utc"],
        "end_utc": GAP["end_utc"],
        "reason": "",
        "anchor": "",
        "round": 0,
    }
    given = {"windows": store_table(open_case(run.case_id).vault, WINDOWS, [window])}
    before = made(run, **given)
    document = json.loads((DEMO / "cameras.geojson").read_bytes())
    features = document["features"]
    new = json.loads(json.dumps(features[0]))
    new["id"] = new["properties"]["camera_id"] = "far-away"
    features.append(new)
    env.store.put(object_key.SITE, object_key.CAMERAS, json.dumps(document).encode())
    assert made(run, **given).digest == before.digest
    assert len(calls) == 1
    entrance = next(f for f in features if f["id"] == "entrance")
    entrance["properties"]["neighbours"] += [{"camera_id": "far-away", "walking_seconds": 9}]
    env.store.put(object_key.SITE, object_key.CAMERAS, json.dumps(document).encode())
    assert made(run, **given).digest != before.digest
    assert len(calls) == 2


def test_the_result_of_a_case_serves_all_its_runs(run: Run, made: Stage, calls: list[str]) -> None:
    """A stage whose result does not depend on the run is made once for the case."""
    shared = dataclasses.replace(made, scope="case")
    other = run.model_copy(update={"run_id": "R-2", "salt": "7" * 32})
    assert shared(run).digest == shared(other).digest
    assert len(calls) == 1


def test_what_was_half_written_is_made_again(run: Run, made: Stage, calls: list[str]) -> None:
    """A table without the mark that all is whole counts for nothing."""
    first = made(run)
    vault = open_case(run.case_id).vault
    mark = object_key.stage(run.case_id, "under test", first.digest, "json")
    assert vault.exists(table_key(run.case_id, first["gaps"]))
    vault.remove(mark)
    made(run)
    assert len(calls) == 2
    assert vault.exists(mark)


def test_a_table_that_breaks_its_contract_is_not_stored(run: Run, made: Stage) -> None:
    """Nothing of the stage is written: neither the bad table nor the mark."""
    bad = dataclasses.replace(made, function=lambda *_, **__: GAPS.shape([GAP | {"kind": "odd"}]))
    with pytest.raises(ContractViolation):
        bad(run)
    assert not open_case(run.case_id).vault.list(f"{run.case_id}/stages/under test")


def test_a_table_of_another_contract_is_refused(run: Run, made: Stage) -> None:
    """The message names both contracts and the input."""
    wrong = store_table(open_case(run.case_id).vault, SEGMENTS)
    with pytest.raises(BadInput, match="expected windows as windows, got segments"):
        made(run, windows=wrong)


def test_a_withdrawn_case_runs_nothing(
    env: Environment, run: Run, made: Stage, calls: list[str]
) -> None:
    """The case is authorised anew at each call, also where the result is there already."""
    made(run)
    mark_withdrawn(env, run.case_id)
    with pytest.raises(NotAuthorised):
        made(run)
    assert len(calls) == 1


def test_the_provenance_has_what_decided(run: Run, made: Stage) -> None:
    """Settings, models and runtimes of the stage are written beside the run, without its salt."""
    result = made(run)
    (row,) = [r for r in read_stats(open_case(run.case_id).vault, run) if r["stage"] == made.name]
    assert row["decided"]["settings"] == {"Width": {"metres": 1.0}}
    assert row["decided"]["runtimes"] == {"nanodet": "openvino f32"}
    assert (row["digest"], row["rows"]) == (result.digest, 1)
    assert run.salt not in str(row)


def test_a_fresh_stage_is_named_by_what_it_found(run: Run, made: Stage, calls: list[str]) -> None:
    """It runs each time; the same found gives the same digest, something else another."""
    looks = dataclasses.replace(made, fresh=True)
    assert looks(run).digest == looks(run).digest
    assert len(calls) == 2
    more = GAPS.shape([GAP, GAP | {"camera_id": "corridor"}])
    other = dataclasses.replace(looks, function=lambda *_, **__: more)
    assert other(run).digest != looks(run).digest


def test_references_survive_the_journey(run: Run, made: Stage) -> None:
    """A result is read back as it was stored."""
    result = made(run)
    again = type(result).model_validate_json(result.model_dump_json())
    assert again == result
    assert isinstance(again["gaps"], TableRef)
