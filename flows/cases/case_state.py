"""What a list of cases says of each: its state, since when, and what waits for whom."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NamedTuple

from data_contracts.errors import NotFound
from data_contracts.run import Published
from flows.cases.attempt import told
from flows.runtime.environment import Environment
from flows.runtime.open_case import read_request
from flows.stages.claim import read_claim
from flows.stages.published import published_runs
from infra.case_store import CaseVault

State = Literal["filed", "running", "published", "unreadable"]


class CaseState(NamedTuple):
    """A case as a list shows it. `fault`: why it cannot be read. `questions`: sightings and
    contacts of the last published run that no reviewer has settled.
    """

    case_id: str
    state: State
    filed_utc: datetime | None = None
    since_utc: datetime | None = None
    published_runs: int = 0
    flow_run_id: str = ""
    questions: int = 0
    fault: str = ""


def case_state(env: Environment, case_id: str, count_questions: bool = False) -> CaseState:
    """The state of a case; of one that cannot be read, why. `count_questions` reads the last run's
    tables.
    """
    try:
        vault = env.cases.open(case_id)
        filed = read_request(vault).filed_utc
        claim = read_claim(vault)
        runs = published_runs(vault)
        return CaseState(
            case_id,
            claim.state if claim else "filed",
            filed,
            claim.started_utc if claim else None,
            len(runs),
            claim.flow_run_id if claim else "",
            open_questions(vault, runs[-1]) if runs and count_questions else 0,
        )
    except Exception as error:  # noqa: BLE001  one case's fault keeps no other from the list
        return CaseState(case_id, "unreadable", fault=told(error))


def open_questions(vault: CaseVault, published: Published) -> int:
    """How many sightings and contacts of a published run are questions that nobody settled."""
    # Imported here: the command line lists cases without reading tables.
    from flows.runtime.results import load
    from flows.stages.publish import load_manifest

    try:
        result = load_manifest(vault, published.run).result
        tables = [load(vault, result.people["sightings"]), load(vault, result.contacts["contacts"])]
    except NotFound:
        return 0
    return sum(
        int(((t["band"] == "question") & (t["review"] == "unreviewed")).sum()) for t in tables
    )
