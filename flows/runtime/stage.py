"""The one way in which a stage runs (CONTRIBUTING.md).

A stage is declared by its name, its function, the tables that it takes and makes (with their
contracts), and the settings records and model roles that decide its result. `Stage.__call__`
authorises the case anew, makes the digest of everything that decides the result, returns what is
stored under it already or runs the function, validates and stores its tables, and writes down what
it cost and what decided it. In the digest, and so in the run's provenance, are: the tables taken
(by their own digests), the parameters, all settings records, the models' files with the runtime and
precision that were chosen for them, the contracts' versions, the cameras that the tables name, both
grants, and this program's version. A camera elsewhere in the city decides nothing.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import metadata
from typing import Any, Literal, TypeVar

import numpy as np
import pandas as pd

from data_contracts.camera import Site
from data_contracts.errors import BadInput
from data_contracts.record import Record
from data_contracts.run import Run, StageResult, TableRef, table_ref
from data_contracts.tables.contracts import SEGMENT_REPORTS
from data_contracts.tables.parquet import table_to_bytes
from data_contracts.tables.table import TableContract
from data_contracts.tables.validate import validated
from flows.runtime.environment import Environment, environment, models
from flows.runtime.open_case import OpenCase, open_case
from flows.runtime.results import digest, load, store_result, stored, table_key
from flows.runtime.stats import write_stat
from flows.runtime.still_allowed import StillAllowed, looking_only_while
from infra.case_store import CaseVault
from models.registry import Models

S = TypeVar("S", bound=Record)
Tables = Mapping[str, TableContract]
Scope = Literal["run", "case"]
Made = pd.DataFrame | Sequence[pd.DataFrame]
Decides = Callable[[OpenCase, Mapping[str, Any]], Mapping[str, Any]]


@dataclass(frozen=True)
class Work:
    """What a stage's function gets beside its tables: the case, authorised a moment ago."""

    run: Run
    case: OpenCase
    env: Environment
    settings: tuple[Record, ...]
    refs: Mapping[str, TableRef | None]

    def __getitem__(self, kind: type[S]) -> S:
        """The stage's settings record of a class."""
        return next(s for s in self.settings if isinstance(s, kind))

    @property
    def vault(self) -> CaseVault:
        """The case's objects."""
        return self.case.vault

    @cached_property
    def allowed(self) -> StillAllowed:
        """Asks, when called, whether the case may still be worked on."""
        return StillAllowed(self.env, self.run.case_id)

    @cached_property
    def models(self) -> Models:
        """The process's models; their detectors look only while it is allowed to."""
        return looking_only_while(self.allowed, models(self.env))

    def rng(self) -> np.random.Generator:
        """Chance of this run: names drawn with it link neither runs nor cases."""
        return np.random.default_rng(int(self.run.salt, 16))


@dataclass(frozen=True)
class Stage:
    """A declared stage. `scope` case: its result serves all runs of the case, for it does not
    depend on the run. `fresh`: it looks at what lies outside (such as which footage is there), so
    it runs each time and its digest is of what it found. `unit`: it works on one input in a worker;
    the stage that gathers the units validates their tables and writes down what they cost.
    """

    name: str
    function: Callable[..., Made]
    takes: Tables
    makes: Tables
    settings: Callable[[OpenCase], tuple[Record, ...]]
    uses_models: bool
    scope: Scope
    fresh: bool
    unit: bool
    decides: Decides | None

    @property
    def __name__(self) -> str:
        return self.function.__name__

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return self.function.__doc__

    def __call__(self, run: Run, **given: Any) -> StageResult:
        """Make the stage's tables, unless they are there. `given`: a TableRef or None (an empty
        table) for each table taken, and plain parameters.

        Raises NotAuthorised, ContractViolation before anything is written, and what the function
        raises.
        """
        wall = time.perf_counter()
        cpu = time.process_time()
        env = environment()
        case = open_case(run.case_id, env, run.policy)
        refs, parameters = self._refs_and_parameters(given)
        work = Work(run, case, env, self.settings(case), refs)
        tables = cache(lambda: self._tables_of(work))
        decided = self._what_decides(work, parameters, tables)
        result = None if self.fresh else stored(case.vault, self.name, digest(**decided))
        if result is None:
            result = self._make_tables(work, tables(), parameters, decided, (wall, cpu))
        costs = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
        if not self.unit:
            write_stat(case.vault, run, self.name, result, costs, decided)
        return result

    def _refs_and_parameters(
        self, given: Mapping[str, Any]
    ) -> tuple[dict[str, TableRef | None], dict[str, Any]]:
        """The references to the tables taken, and the parameters."""
        refs = {name: given.get(name) for name in self.takes}
        for name, ref in refs.items():
            wanted = self.takes[name]
            if ref is not None and ref.contract != wanted.name:
                raise BadInput(
                    f"stage {self.name}: expected {wanted.name} as {name}, got {ref.contract}"
                )
        return refs, {name: value for name, value in given.items() if name not in refs}

    def _tables_of(self, work: Work) -> dict[str, pd.DataFrame]:
        return {
            name: self.takes[name].empty() if ref is None else load(work.vault, ref)
            for name, ref in work.refs.items()
        }

    def _what_decides(
        self,
        work: Work,
        parameters: Mapping[str, Any],
        tables: Callable[[], Mapping[str, pd.DataFrame]],
    ) -> dict[str, Any]:
        case = work.case
        outside = (
            {"cameras": _named_cameras(case.site, tables().values())}
            if self.decides is None
            else self.decides(case, parameters)
        )
        used = models(work.env) if self.uses_models else None
        return {
            "stage": self.name,
            "takes": {name: ref and ref.digest for name, ref in work.refs.items()},
            "parameters": {n: plain(v) for n, v in parameters.items() if not callable(v)},
            "settings": {type(s).__name__: s.model_dump(mode="json") for s in work.settings},
            "models": used.digests if used else {},
            "runtimes": used.runtimes if used else {},
            "contracts": {c.name: c.version for c in (*self.takes.values(), *self.makes.values())},
            "grants": (case.authorised.consent.token_id, case.authorised.approval.token_id),
            "program": metadata.version("encounter"),
            **({"run": work.run.run_id, "salt": work.run.salt} if self.scope == "run" else {}),
            **outside,
        }

    def _make_tables(
        self,
        work: Work,
        tables: Mapping[str, pd.DataFrame],
        parameters: Mapping[str, Any],
        decided: Mapping[str, Any],
        began: tuple[float, float],
    ) -> StageResult:
        made = self.function(work, **tables, **parameters)
        frames = [made] if isinstance(made, pd.DataFrame) else list(made)
        checked = _only_shaped if self.unit else validated
        shaped = {
            name: checked(frame, contract)
            for (name, contract), frame in zip(self.makes.items(), frames, strict=True)
        }
        data = {name: table_to_bytes(f, self.makes[name]) for name, f in shaped.items()}
        contents = {name: hashlib.sha256(d).hexdigest() for name, d in data.items()}
        key = digest(**decided, **({"contents": contents} if self.fresh else {}))
        result = StageResult(
            stage=self.name,
            digest=key,
            tables={
                name: table_ref(self.name, key, name, self.makes[name], len(frame))
                for name, frame in shaped.items()
            },
            round_no=int(parameters.get("round_no", 0)),
            wall_s=time.perf_counter() - began[0],
            cpu_s=time.process_time() - began[1],
            **(_seen_of_segment(shaped, self.makes) if self.unit else {}),
        )
        for name, ref in result.tables.items():
            work.vault.put(table_key(work.run.case_id, ref), data[name])
        store_result(work.vault, result)
        return result


def stage(
    name: str,
    *,
    takes: Tables | None = None,
    makes: Tables,
    settings: Callable[[OpenCase], tuple[Record, ...]] = lambda _case: (),
    uses_models: bool = False,
    scope: Scope = "run",
    fresh: bool = False,
    unit: bool = False,
    decides: Decides | None = None,
) -> Callable[[Callable[..., Made]], Stage]:
    """Declare the decorated function as a stage: see `Stage`.

    It is called with a `Work`, the tables that it takes by name, and its parameters by name, and
    returns one frame for each table that it makes, in their order. `decides` gives what else
    decides the result: by default the cameras that the tables name, as the camera file has them.
    """

    def declare(function: Callable[..., Made]) -> Stage:
        return Stage(
            name,
            function,
            dict(takes or {}),
            dict(makes),
            settings,
            uses_models,
            scope,
            fresh,
            unit,
            decides,
        )

    return declare


def plain(value: Any) -> Any:
    """A parameter as plain data for the digest."""
    if isinstance(value, Record):
        return value.model_dump(mode="json")
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value


def _named_cameras(site: Site, tables: Iterable[pd.DataFrame]) -> dict[str, Any]:
    """What the camera file says of the cameras that tables name, by their ids."""
    named = {c for t in tables if "camera_id" in t for c in t["camera_id"].unique()}
    return {c: site.by_id[c].model_dump(mode="json") for c in sorted(named) if c in site.by_id}


def _only_shaped(frame: pd.DataFrame, contract: TableContract) -> pd.DataFrame:
    return contract.shape(frame)


def _seen_of_segment(shaped: Mapping[str, pd.DataFrame], makes: Tables) -> dict[str, Any]:
    """Of a unit that reports on a segment: seconds of video seen, and the first fault."""
    for name, frame in shaped.items():
        if makes[name] is SEGMENT_REPORTS:
            seen = frame[frame["kind"] == ""]
            seconds = (seen["end_utc"] - seen["start_utc"]).dt.total_seconds().sum()
            return {"video_s": float(seconds), "fault": next(filter(None, frame["fault"]), "")}
    return {}
