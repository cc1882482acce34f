"""What runs inside a Dask worker: one segment, read once, authorised again, its result written
under its digest.

A unit gets a `Job` of references and returns a `UnitRef` of counts. Frames, templates and features
never travel.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple

import pandas as pd

from data_contracts import object_key
from data_contracts.errors import FootageGone, NotFound
from data_contracts.record import Record
from data_contracts.tables.contracts import CANDIDATES, DETECTIONS
from data_contracts.tables.table import TableContract
from data_contracts.time import Utc
from flows.runtime.environment import Environment, environment, models
from flows.runtime.open_case import OpenCase, open_case
from flows.runtime.results import UnitRef, digest
from flows.runtime.still_allowed import StillAllowed, looking_only_while
from models.registry import Models
from tasks.observe.follow import follow_segment
from tasks.observe.scan import scan_segment
from tasks.observe.template import Derive, SubjectTemplate, from_bytes

ObservationKind = Literal["scan", "follow"]
CONTRACTS: dict[ObservationKind, TableContract] = {"scan": CANDIDATES, "follow": DETECTIONS}
_LOOKS: dict[ObservationKind, Callable[..., tuple[pd.DataFrame, pd.DataFrame]]] = {
    "scan": scan_segment,
    "follow": follow_segment,
}


class Job(Record):
    """One segment to look at for one case."""

    kind: ObservationKind
    case_id: str
    policy: str
    camera_id: str
    key: str
    etag: str
    start_utc: Utc
    template: str
    inputs: str

    @property
    def digest(self) -> str:
        """The idempotent key of this unit's result."""
        return digest(
            kind=self.kind, key=self.key, etag=self.etag, template=self.template, inputs=self.inputs
        )


class Looked(NamedTuple):
    """What a unit's look at a segment gave."""

    table: pd.DataFrame
    report: dict[str, Any]


def run_unit(job: Job) -> UnitRef:
    """Look at one segment unless its result is there. Raises what must be retried; a bad segment is
    a fault in the ref.

    Authorisation is checked first, also for a result that is there already.
    """
    env = environment()
    case = open_case(job.case_id, env, job.policy)
    report_key = object_key.stage(job.case_id, job.kind, job.digest, "json")
    try:
        return UnitRef.model_validate(json.loads(case.vault.get(report_key))["ref"])
    except NotFound:
        return _look(job, env, case, report_key)


def read_footage(env: Environment, key: str) -> bytes:
    """A segment that was listed before. Raises FootageGone where it was deleted since."""
    try:
        return env.store.get(object_key.FOOTAGE, key)
    except NotFound:
        raise FootageGone(
            f"{key} was listed and is not in the store any more: ask the recorder to keep footage "
            "longer"
        ) from None


def _look(job: Job, env: Environment, case: OpenCase, report_key: str) -> UnitRef:
    wall = time.perf_counter()
    cpu = time.process_time()
    data = read_footage(env, job.key)
    loaded = looking_only_while(StillAllowed(env, job.case_id), models(env))
    looked = _look_at(job, case, data, loaded)
    contract = CONTRACTS[job.kind]
    table = contract.shape(looked.table)
    case.vault.put_table(object_key.stage(job.case_id, job.kind, job.digest), table, contract)
    report = {k: v.isoformat() if hasattr(v, "isoformat") else v for k, v in looked.report.items()}
    span = pd.Timestamp(report["end_utc"]) - pd.Timestamp(report["start_utc"])
    ref = UnitRef(
        key=job.key,
        digest=job.digest,
        rows=len(table),
        wall_s=time.perf_counter() - wall,
        cpu_s=time.process_time() - cpu,
        video_s=max(0.0, span.total_seconds()),
        fault=str(report.get("fault", "")),
    )
    # The report is written last: its presence says that the table is whole.
    case.vault.put(report_key, json.dumps({"ref": ref.model_dump(), "report": report}).encode())
    return ref


def read_unit(case: OpenCase, job: Job) -> Looked:
    """A finished unit's table and report."""
    table = case.vault.get_table(
        object_key.stage(job.case_id, job.kind, job.digest), CONTRACTS[job.kind]
    )
    report = json.loads(
        case.vault.get(object_key.stage(job.case_id, job.kind, job.digest, "json"))
    )["report"]
    return Looked(table, report)


def load_template(case: OpenCase, template: str) -> SubjectTemplate:
    """The subject's template, stored under the case's key; its secret is derived here and never
    travels.
    """
    return from_bytes(
        case.vault.get(object_key.stage(case.vault.case_id, "template", template, "bin")),
        secret_of(case),
    )


def secret_of(case: OpenCase) -> Derive:
    """What makes a template's secret of its salt, with the case's key."""
    return partial(case.vault.derive, "subject template")


def _look_at(job: Job, case: OpenCase, data: bytes, loaded: Models) -> Looked:
    table, report = _LOOKS[job.kind](
        case.authorised,
        case.site.by_id[job.camera_id],
        job.key,
        job.start_utc,
        data,
        load_template(case, job.template),
        loaded,
        case.policy.search,
    )
    return Looked(table, {str(name): value for name, value in report.to_dict("records")[0].items()})


def warm_up() -> None:
    """Load the models of this worker process once; called by the worker plugin."""
    models(environment())
