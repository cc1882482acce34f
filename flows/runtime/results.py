"""What travels between stages and processes: references and counts, never frames, tables or
anything personal.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pandas as pd

from data_contracts import object_key
from data_contracts.record import Record
from data_contracts.tables.contracts import BY_NAME
from data_contracts.tables.table import TableContract
from data_contracts.tables.validate import validate
from infra.case_store import CaseVault


class TableRef(Record):
    """A stage's table in the case's store."""

    stage: str
    digest: str
    contract: str
    version: int
    rows: int


class Run(Record):
    """One run of a case. `salt` makes anonymous numbers differ between runs."""

    case_id: str
    run_id: str
    salt: str
    policy: str


class UnitRef(Record):
    """What one Dask task did to one segment."""

    key: str
    digest: str
    rows: int
    wall_s: float
    cpu_s: float
    video_s: float
    fault: str = ""


def digest(**inputs: Any) -> str:
    """SHA-256 over the canonical JSON of what goes into a stage: the idempotent key of its
    result.
    """
    text = json.dumps(inputs, sort_keys=True, default=str, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:40]


def save(
    vault: CaseVault, stage: str, key: str, frame: pd.DataFrame, contract: TableContract
) -> TableRef:
    """Validate a table and store it. Raises ContractViolation before anything is written."""
    shaped = contract.shape(frame)
    validate(shaped, contract)
    vault.put_table(_path(vault, stage, key, contract.name), shaped, contract)
    return TableRef(
        stage=stage, digest=key, contract=contract.name, version=contract.version, rows=len(shaped)
    )


def load(vault: CaseVault, ref: TableRef) -> pd.DataFrame:
    """The table behind a reference."""
    return vault.get_table(_path(vault, ref.stage, ref.digest, ref.contract), BY_NAME[ref.contract])


def _stored(vault: CaseVault, stage: str, key: str, contract: TableContract) -> TableRef:
    rows = len(vault.get_table(_path(vault, stage, key, contract.name), contract))
    return TableRef(
        stage=stage, digest=key, contract=contract.name, version=contract.version, rows=rows
    )


def _path(vault: CaseVault, stage: str, key: str, contract: str) -> str:
    return object_key.stage(vault.case_id, stage, f"{key}-{contract}")


def once(
    vault: CaseVault,
    stage: str,
    inputs: dict[str, Any],
    contracts: tuple[TableContract, ...],
    make: Callable[[], tuple[pd.DataFrame, ...]],
) -> tuple[TableRef, ...]:
    """Make a stage's tables unless they are there already under the digest of the same inputs.

    The last table is written last: its presence says that all are whole.
    """
    key = digest(stage=stage, contracts={c.name: c.version for c in contracts}, **inputs)
    if vault.exists(_path(vault, stage, key, contracts[-1].name)):
        return tuple(_stored(vault, stage, key, c) for c in contracts)
    return tuple(save(vault, stage, key, f, c) for f, c in zip(make(), contracts, strict=True))
