"""What an operator sees in the Prefect UI: stages, counts, gaps and a link; never a picture,
nothing identifying.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pandas as pd
from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)

from data_contracts.mention import artifact_keys
from data_contracts.run import Outcome, Run
from flows.runtime.environment import environment
from flows.runtime.open_case import open_case
from flows.runtime.results import load
from tasks.artefacts.exports import REPORT
from tasks.artefacts.operator_summary import summary_markdown

# Gaps that come from a camera or its footage, not from the case.
_MENDABLE_GAPS = (
    "no_footage",
    "unreadable",
    "no_pictures",
    "few_pictures",
    "doubtful_time",
    "no_calibration",
    "failed",
)
# Artifact updates cost a request each: at most this many a stage.
_MOST_UPDATES = 20


def progress(stage: str, case_id: str) -> Callable[[int, int], None]:
    """A callback that shows how many units of a stage are done."""
    state: dict[str, UUID] = {}

    def done(finished: int, total: int) -> None:
        if not state:
            state["id"] = create_progress_artifact(  # type: ignore[assignment]
                progress=0.0,
                key=artifact_keys(case_id)[stage],
                description=f"{stage}: segments of case {case_id}",
            )
        if finished == total or finished % max(1, total // _MOST_UPDATES) == 0:
            update_progress_artifact(artifact_id=state["id"], progress=100.0 * finished / total)

    return done


def show(result: Outcome) -> None:
    """Publish the run's summary, gap table and link."""
    run = result.run
    gaps = result.gaps["gaps"]
    keys = artifact_keys(run.case_id)
    link = report_link(run)
    rows = load(open_case(run.case_id, policy=run.policy).vault, gaps)
    create_markdown_artifact(
        key=keys["summary"],
        markdown=summary_markdown(result.counts(), rows, link),
        description=f"Case {run.case_id}, run {run.run_id}: counts and gaps",
    )
    create_table_artifact(
        key=keys["gaps"],
        table=faults(rows),
        description="Cameras that an operator can do something about",
    )
    create_link_artifact(
        key=keys["report"],
        link=link,
        link_text=f"Report of case {run.case_id}",
        description="Opens for reviewers who hold the case key",
    )


def report_link(run: Run) -> str:
    """Where a reviewer opens the report; the base is a setting."""
    base = environment().settings.report_link_base.rstrip("/")
    return f"{base}/cases/{run.case_id}/runs/{run.run_id}/{REPORT}"


def faults(gaps: pd.DataFrame) -> list[dict[str, object]]:
    """Gaps by camera and kind, for those who can mend a camera. No times: taken together they would
    draw a way.
    """
    mendable = gaps[gaps["kind"].isin(_MENDABLE_GAPS)]
    minutes = (mendable["end_utc"] - mendable["start_utc"]).dt.total_seconds() / 60
    rows = (
        mendable.assign(minutes=minutes)
        .groupby(["camera_id", "kind"])["minutes"]
        .agg(["count", "sum"])
    )
    return [
        {
            "camera": camera,
            "what": str(kind).replace("_", " "),
            "stretches": int(n),
            "minutes": round(float(total), 1),
        }
        for (camera, kind), (n, total) in zip(rows.index, rows.itertuples(index=False), strict=True)
    ]
