"""What travels between stages and processes: references and counts, never frames, tables or
anything personal.
"""

from __future__ import annotations

from typing import Literal

from data_contracts.record import Record
from data_contracts.tables.table import TableContract
from data_contracts.time import Interval, Utc

ObservationKind = Literal["scan", "follow", "looks", "scan looks"]


class Run(Record):
    """One run of a case. `salt` makes anonymous numbers differ between runs."""

    version: Literal[1] = 1
    case_id: str
    run_id: str
    salt: str
    policy: str


class TableRef(Record):
    """One table in the case's store: the stage that made it, the digest of what decided it."""

    stage: str
    digest: str
    output: str
    contract: str
    contract_version: int
    rows: int


class StageResult(Record):
    """References to what one stage made, by the stage's own names of its outputs.

    `digest` is of everything that decided it: see `flows.runtime.stage`. Its presence in the store
    says that all tables of the stage are whole. `round_no`: of a plan that is made in rounds.
    """

    version: Literal[1] = 1
    stage: str
    digest: str
    tables: dict[str, TableRef]
    round_no: int = 0
    wall_s: float = 0.0
    cpu_s: float = 0.0
    video_s: float = 0.0
    fault: str = ""

    def __getitem__(self, output: str) -> TableRef:
        return self.tables[output]

    def counts(self) -> dict[str, int]:
        """Rows by output."""
        return {name: ref.rows for name, ref in self.tables.items()}


class SegmentJob(Record):
    """One segment to look at for one case, as it travels to a worker. `part`: of a long one what to
    look at; None: all. `looks`: what decided the looks to compare with; empty where none are
    compared.
    """

    version: Literal[1] = 1
    kind: ObservationKind
    run: Run
    camera_id: str
    key: str
    etag: str
    start_utc: Utc
    part: Interval | None = None
    template: str
    looks: str = ""


class Outcome(Record):
    """References to everything that a run's artefacts are made from. `decided`: ids of the
    questions about people that two reviewers had decided, each with what they decided.
    """

    version: Literal[1] = 1
    run: Run
    windows: StageResult
    scanned: StageResult
    followed: StageResult
    people: StageResult
    trace: StageResult
    meetings: StageResult
    contacts: StageResult
    gaps: StageResult
    pictures: StageResult
    decided: tuple[str, ...] = ()

    def counts(self) -> dict[str, int]:
        """What the operators see: numbers only."""
        return {
            "windows searched": self.windows["windows"].rows,
            "segments scanned": self.scanned["segments"].rows,
            "candidate frames": self.scanned["candidates"].rows,
            "segments followed": self.followed["segments"].rows,
            "sightings": self.people["sightings"].rows,
            "encounters": self.meetings["encounters"].rows,
            "contacts": self.contacts["contacts"].rows,
            "gaps": self.gaps["gaps"].rows,
        }


class Claim(Record):
    """Who works on a case. `run_id` names the artefacts' folder; `flow_run_id` the orchestrator's
    run.
    """

    version: Literal[1] = 1
    run_id: str
    salt: str
    policy: str
    flow_run_id: str
    state: Literal["running", "published"]
    started_utc: Utc


class Artefact(Record):
    """One artefact of a run: its name below the run's folder, its size and digest before
    encryption.
    """

    version: Literal[1] = 1
    name: str
    size_bytes: int
    sha256: str


class RunManifest(Record):
    """What makes a run's artefacts visible. Written last."""

    version: Literal[1] = 1
    run_id: str
    policy: str
    created_utc: Utc
    artefacts: tuple[Artefact, ...]
    result: Outcome


class Published(Record):
    """A run whose artefacts are whole. `policy` is name@version."""

    version: Literal[1] = 1
    run: Run
    policy: str
    published_utc: Utc


def so_far(result: StageResult | None) -> dict[str, TableRef]:
    """The tables of a stage that is repeated, for its next time; none before the first."""
    return result.tables if result is not None else {}


def only(tables: dict[str, TableRef], *names: str) -> dict[str, TableRef]:
    """Some of a stage's tables, by name."""
    return {name: tables[name] for name in names}


def table_ref(stage: str, digest: str, output: str, contract: TableContract, rows: int) -> TableRef:
    """The reference to one table of a stage."""
    return TableRef(
        stage=stage,
        digest=digest,
        output=output,
        contract=contract.name,
        contract_version=contract.version,
        rows=rows,
    )


__all__ = [
    "Artefact",
    "Claim",
    "ObservationKind",
    "Outcome",
    "Published",
    "Run",
    "RunManifest",
    "SegmentJob",
    "StageResult",
    "TableRef",
    "only",
    "so_far",
    "table_ref",
]
