"""Results of stages as tests need them: stored tables, and runs that were never made by stages."""

from __future__ import annotations

import pandas as pd

from data_contracts.run import Outcome, Run, StageResult, TableRef, table_ref
from data_contracts.tables.contracts import GAPS
from data_contracts.tables.table import TableContract
from flows.runtime.results import table_key
from infra.case_store import CaseVault

# The outputs of each stage that an outcome holds.
_OUTPUTS = {
    "windows": ("windows", "fresh", "gaps"),
    "scanned": ("candidates", "reports", "segments", "gaps"),
    "followed": ("detections", "reports", "segments", "gaps"),
    "people": ("tracks", "persons", "members", "sightings"),
    "trace": ("trajectory", "gaps"),
    "meetings": ("points", "encounters"),
    "contacts": ("contacts",),
    "gaps": ("gaps",),
    "pictures": ("pictures", "gaps"),
}


def empty_outcome(run: Run) -> Outcome:
    """References to tables of no rows, which are not stored."""
    made = {
        name: StageResult(
            stage=name,
            digest="d",
            tables={output: table_ref(name, "d", output, GAPS, 0) for output in outputs},
        )
        for name, outputs in _OUTPUTS.items()
    }
    return Outcome(run=run, **made)


def store_table(
    vault: CaseVault,
    contract: TableContract,
    rows: list[dict[str, object]] | pd.DataFrame | tuple[()] = (),
    stage: str = "test",
) -> TableRef:
    """A stored table, as some stage made it."""
    frame = contract.shape(list(rows) if isinstance(rows, tuple) else rows)
    ref = table_ref(stage, "k", contract.name, contract, len(frame))
    vault.put_table(table_key(vault.case_id, ref), frame, contract)
    return ref
