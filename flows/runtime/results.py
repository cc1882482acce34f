"""Where a stage's tables lie, and reading them by reference."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pandas as pd

from data_contracts import object_key
from data_contracts.errors import NotFound
from data_contracts.run import StageResult, TableRef
from data_contracts.tables.contracts import BY_NAME
from infra.case_store import CaseVault


def digest(**inputs: Any) -> str:
    """SHA-256 over the canonical JSON of what goes into a result: the idempotent key of it."""
    text = json.dumps(inputs, sort_keys=True, default=str, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:40]


def table_key(case_id: str, ref: TableRef) -> str:
    """Where a stage's table lies."""
    return object_key.stage(case_id, ref.stage, f"{ref.digest}-{ref.output}")


def load(vault: CaseVault, ref: TableRef) -> pd.DataFrame:
    """The table behind a reference. Raises NotFound, and ContractViolation where it was written
    under another version of its contract.
    """
    return vault.get_table(table_key(vault.case_id, ref), BY_NAME[ref.contract])


def stored(vault: CaseVault, stage: str, key: str) -> StageResult | None:
    """A stage's whole result under its digest, or None where it was not made (whole) yet. Raises
    BadInput where it is damaged.
    """
    where = object_key.stage(vault.case_id, stage, key, "json")
    try:
        data = vault.get(where)
    except NotFound:
        return None
    return StageResult.stored(data, where)


def store_result(vault: CaseVault, result: StageResult) -> None:
    """Write down that a stage's tables are whole: call it after the last of them was written."""
    key = object_key.stage(vault.case_id, result.stage, result.digest, "json")
    vault.put(key, result.model_dump_json().encode())
