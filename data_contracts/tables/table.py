"""Table contracts: a versioned schema and a Great Expectations suite for every table between
stages.

A contract is data: columns with type, unit and meaning, and expectations as (type, arguments) pairs
that are handed to Great Expectations unchanged. `validate` raises ContractViolation with counts and
column names, never values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

ColumnKind = Literal["text", "float", "int", "bool", "time", "list"]

_DTYPES: dict[ColumnKind, str] = {
    "text": "string",
    "float": "float64",
    "int": "int64",
    "bool": "bool",
    "time": "datetime64[us, UTC]",
    "list": "object",
}


@dataclass(frozen=True)
class Column:
    """One column: `kind` fixes the dtype; `unit` is empty for counts, names and shares."""

    name: str
    kind: ColumnKind
    meaning: str
    unit: str = ""
    nullable: bool = False


@dataclass(frozen=True)
class Expectation:
    """A Great Expectations expectation by class name with its arguments."""

    type: str
    kwargs: dict[str, Any]


@dataclass(frozen=True)
class TableContract:
    """A table's name, version, columns and expectations."""

    name: str
    version: int
    columns: tuple[Column, ...]
    expectations: tuple[Expectation, ...] = ()

    @property
    def names(self) -> list[str]:
        """Column names in order."""
        return [c.name for c in self.columns]

    def empty(self) -> pd.DataFrame:
        """A table of no rows with the right columns and dtypes."""
        return self.shape([])

    def shape(self, rows: Sequence[Mapping[str, Any]] | pd.DataFrame) -> pd.DataFrame:
        """Rows as a frame with this contract's columns, order and dtypes. Raises KeyError-free:
        extras are dropped.
        """
        frame = (
            rows
            if isinstance(rows, pd.DataFrame)
            else pd.DataFrame.from_records(rows, columns=self.names)
        )
        out = {}
        for column in self.columns:
            values = (
                frame[column.name]
                if column.name in frame.columns
                else pd.Series([None] * len(frame))
            )
            out[column.name] = _cast(values, column)
        return pd.DataFrame(out, columns=self.names).reset_index(drop=True)


def _cast(values: pd.Series, column: Column) -> pd.Series:
    if column.kind == "time":
        return pd.to_datetime(values, utc=True, format="ISO8601").astype("datetime64[us, UTC]")
    if column.kind == "list":
        return values.astype("object")
    if column.kind in ("int", "bool") and column.nullable:
        return values.astype("Int64" if column.kind == "int" else "boolean")
    dtype: Any = _DTYPES[column.kind]
    return values.astype(dtype)
