"""How far a case's trace is: what a page that lives shows, read from what the run has written.

Workers store the result of each segment as they finish it, so coverage and gaps are known long
before the stage that gathers them ends. A `Watch` reads each stored thing once.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from typing import Any, Literal, NamedTuple

import pandas as pd

from data_contracts import object_key
from data_contracts.errors import BadInput, NotFound, StackError
from data_contracts.run import Claim, Run, StageResult
from data_contracts.time import Interval, intervals_of, merge, utc_of
from flows.runtime.environment import Environment
from flows.runtime.open_case import OpenCase, open_case
from flows.runtime.prefect_api import current_task, newest_run_of, server_listens, state_of_run
from flows.runtime.results import load, stored
from flows.runtime.stats import read_new_stats
from flows.stages.claim import read_claim

# Of one look: a case of thousands of segments is caught up with over some looks.
_MOST_NEW_UNITS = 200
FOLLOW = "follow around sightings"
# Shown on a page; how many more there are is told.
MOST_GAPS = 60

# A page does not wait longer for the orchestrator: what workers wrote is shown without it.
_ASK_S = 3.0
_ASKERS = ThreadPoolExecutor(8, thread_name_prefix="asks-prefect")

Row = dict[str, Any]
How = Literal["waiting", "running", "published", "ended", "unknown"]


class StageDone(NamedTuple):
    """A stage that is done: its seconds, and how many rows it made."""

    stage: str
    wall_s: float
    rows: int


class CameraProgress(NamedTuple):
    """One camera: seconds planned to be looked at, looked at, and followed frame by frame."""

    camera_id: str
    planned_s: float
    looked_s: float
    followed_s: float


class GapSeen(NamedTuple):
    """Something that could not be looked at, as it became known."""

    start_utc: datetime
    end_utc: datetime
    camera_id: str
    kind: str
    detail: str


class Progress(NamedTuple):
    """How far a trace is. `task`: what the flow does now; `flow_state`: Prefect's word, empty where
    its server cannot be asked.
    """

    how: How
    flow_state: str = ""
    begun_utc: datetime | None = None
    task: str = ""
    stages: tuple[StageDone, ...] = ()
    cameras: tuple[CameraProgress, ...] = ()
    gaps: tuple[GapSeen, ...] = ()
    gaps_left_out: int = 0

    @property
    def planned_s(self) -> float:
        """Seconds of footage planned to be looked at, over all cameras."""
        return sum(camera.planned_s for camera in self.cameras)

    @property
    def looked_s(self) -> float:
        """Seconds of those that were looked at."""
        return sum(camera.looked_s for camera in self.cameras)


class _Units:
    """What workers reported of the segments that they have looked at in one way."""

    def __init__(self, stage: str) -> None:
        self._stage = stage
        self._known: set[str] = set()
        self._seen: dict[str, list[Interval]] = {}
        self.gaps: list[GapSeen] = []

    def read_new(self, case: OpenCase) -> None:
        """Read the reports that are new since the last time."""
        folder = object_key.stage_folder(case.vault.case_id, self._stage)
        keys = [i.key for i in case.vault.list(f"{folder}/") if i.key.endswith(".json")]
        for key in [k for k in keys if k not in self._known][:_MOST_NEW_UNITS]:
            # removed since, or damaged: the run itself tells that
            with suppress(NotFound, BadInput):
                result = StageResult.stored(case.vault.get(key), key)
                self._add(load(case.vault, result["reports"]))
            self._known.add(key)

    def read_gathered(self, reports: pd.DataFrame) -> None:
        """Take the reports of all segments at once, in the place of what was read before."""
        self._seen = {}
        self.gaps = []
        self._add(reports)

    def _add(self, reports: pd.DataFrame) -> None:
        seen = reports[reports["kind"] == ""]
        for camera_id, rows in seen.groupby("camera_id"):
            self._seen.setdefault(str(camera_id), []).extend(intervals_of(rows))
        self.gaps += _gaps_of(reports[reports["kind"] != ""], "fault")

    def seconds(self, camera_id: str, planned: list[Interval]) -> float:
        """Seconds of a camera's planned time that were looked at."""
        seen = merge(self._seen.get(camera_id, []))
        both = (a.intersect(b) for a in planned for b in seen)
        return sum(part.seconds for part in both if part is not None)


class Watch:
    """Looks at one case again and again, for as long as a page is open."""

    def __init__(self, env: Environment, case_id: str) -> None:
        self._env = env
        self._case_id = case_id
        self._run_id = ""
        self._stats: dict[str, dict[str, Any]] = {}
        self._scanned = _Units("scan")
        self._followed = _Units("follow")
        self._asked: Future[tuple[How, str, str]] | None = None

    def look(self) -> Progress:
        """How far it is now; the case is authorised anew. Raises NotAuthorised, KeyMissing,
        NotFound.
        """
        case = open_case(self._case_id, self._env)
        claim = read_claim(case.vault)
        if claim is None:
            return self._unclaimed()
        if claim.run_id != self._run_id:
            self._run_id = claim.run_id
            self._stats = {}
        read_new_stats(case.vault, _run_of(self._case_id, claim), self._stats)
        stages = [row for _, row in sorted(self._stats.items()) if not row["unit"]]
        self._read_units(case, claim, stages)
        gaps = self._gaps(case, stages)
        how, word, task = self._ask(claim)
        return Progress(
            how,
            word,
            claim.started_utc,
            task,
            tuple(
                StageDone(str(row["stage"]), float(row["wall_s"]), int(row["rows"]))
                for row in stages
            ),
            tuple(self._cameras(case, stages)),
            tuple(gaps[:MOST_GAPS]),
            max(0, len(gaps) - MOST_GAPS),
        )

    def _ask(self, claim: Claim) -> tuple[How, str, str]:
        """What the orchestrator says; unknown where it does not answer in time, and it is not asked
        again before it has.
        """
        if claim.state == "published":
            return "published", "", ""
        asked = self._asked or _ASKERS.submit(_in_the_orchestrator, claim)
        self._asked = asked
        try:
            answer = asked.result(_ASK_S)
        except TimeoutError:
            return "unknown", "", ""
        self._asked = None
        return answer

    def _read_units(self, case: OpenCase, claim: Claim, stages: list[Row]) -> None:
        """What is new of the segments; of a run that is published what its stages gathered."""
        for units, stage in ((self._scanned, "scan footage"), (self._followed, FOLLOW)):
            made = _last(case, stages, stage) if claim.state == "published" else None
            if made is None:
                units.read_new(case)
            else:
                units.read_gathered(load(case.vault, made["reports"]))

    def _unclaimed(self) -> Progress:
        if not server_listens():
            return Progress("unknown")
        try:
            run = newest_run_of(self._case_id)
        except StackError:
            return Progress("unknown")
        if run is None or run.state is None:
            return Progress("waiting")
        return Progress("ended" if run.state.is_final() else "waiting", str(run.state.name))

    def _cameras(self, case: OpenCase, stages: list[Row]) -> list[CameraProgress]:
        planned = self._windows(case, stages, "plan search")
        dense = self._windows(case, stages, "plan following")
        return [
            CameraProgress(
                camera_id,
                sum(window.seconds for window in windows),
                self._scanned.seconds(camera_id, windows),
                self._followed.seconds(camera_id, dense.get(camera_id, [])),
            )
            for camera_id, windows in sorted(planned.items())
        ]

    def _windows(self, case: OpenCase, stages: list[Row], stage: str) -> dict[str, list[Interval]]:
        """What the last round of a plan plans, by camera, without overlaps."""
        made = _last(case, stages, stage)
        if made is None:
            return {}
        by_camera = load(case.vault, made["windows"]).groupby("camera_id")
        return {str(camera): merge(intervals_of(rows)) for camera, rows in by_camera}

    def _gaps(self, case: OpenCase, stages: list[Row]) -> list[GapSeen]:
        """All gaps that are known, the earliest first, each once."""
        found = [*self._scanned.gaps, *self._followed.gaps]
        for stage in ("plan search", "scan footage", FOLLOW, "collect gaps"):
            made = _last(case, stages, stage)
            if made is not None:
                found += _gaps_of(load(case.vault, made["gaps"]), "detail")
        return sorted(set(found))


def _last(case: OpenCase, stages: list[Row], stage: str) -> StageResult | None:
    """The last result of a stage that the run has made."""
    digests = [str(row["digest"]) for row in stages if row["stage"] == stage]
    return stored(case.vault, stage, digests[-1]) if digests else None


def _gaps_of(rows: pd.DataFrame, told_in: str) -> list[GapSeen]:
    return [
        GapSeen(
            utc_of(row["start_utc"]),
            utc_of(row["end_utc"]),
            str(row["camera_id"]),
            str(row["kind"]),
            str(row[told_in]),
        )
        for row in rows.to_dict("records")
    ]


def _run_of(case_id: str, claim: Claim) -> Run:
    return Run(case_id=case_id, run_id=claim.run_id, salt=claim.salt, policy=claim.policy)


def _in_the_orchestrator(claim: Claim) -> tuple[How, str, str]:
    """How a run that is not published goes, Prefect's word for its state, and what it does now."""
    if not server_listens():
        return "unknown", "", ""
    try:
        state = state_of_run(claim.flow_run_id)
        if state is None or state.is_final():
            return "ended", str(state.name) if state else "", ""
        return "running", str(state.name), current_task(claim.flow_run_id)
    except StackError:
        return "unknown", "", ""
