"""Validate a table against its contract with Great Expectations.

Great Expectations takes seconds and some 260 MB to import, so it is imported on the first call and
only in processes that validate. The context is ephemeral, sends nothing and writes nothing; results
carry counts, never the offending values. Tables can hold times and places of people, so a message
that quoted a value would leak it into logs.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from typing import Any

import pandas as pd
from pandas.api import types

from data_contracts.errors import ContractViolation
from data_contracts.tables.table import Column, ColumnKind, TableContract

# Counts only: 0 offending values are kept even inside Great Expectations' own result.
_RESULT_FORMAT = {"result_format": "BASIC", "partial_unexpected_count": 0}

# Great Expectations' context is not meant for several threads; one validation at a time per
# process.
_LOCK = threading.RLock()


class _Suites:
    """Great Expectations, its context and one suite per contract; made once per process (and again
    after a fork).
    """

    def __init__(self) -> None:
        os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read at import; nothing may be sent anywhere
        import great_expectations as gx

        logging.getLogger("great_expectations").setLevel(
            logging.CRITICAL
        )  # its messages can quote table cells
        self.pid = os.getpid()
        self._gx = gx
        context = gx.get_context(mode="ephemeral")
        context.enable_analytics(False)
        context.variables.progress_bars = {"globally": False}
        asset = context.data_sources.add_pandas("memory").add_dataframe_asset("table")
        self._batches = asset.add_batch_definition_whole_dataframe("whole")
        # By identity (a contract is not hashable); the contract is kept so that ids stay unique.
        self._made: dict[int, tuple[TableContract, Any]] = {}

    def suite(self, contract: TableContract) -> Any:
        """The contract's expectations, plus the exact columns and no nulls where none are
        allowed.
        """
        if id(contract) not in self._made:
            made = [
                getattr(self._gx.expectations, kind)(**kwargs) for kind, kwargs in _all_of(contract)
            ]
            self._made[id(contract)] = (
                contract,
                self._gx.ExpectationSuite(name=contract.name, expectations=made),
            )
        return self._made[id(contract)][1]

    def failures(self, frame: pd.DataFrame, contract: TableContract) -> list[str]:
        """Failed expectations in words, in the contract's order."""
        batch = self._batches.get_batch(batch_parameters={"dataframe": frame})
        result = batch.validate(self.suite(contract), result_format=_RESULT_FORMAT)
        return [_in_words(item, len(frame)) for item in result.results if not item.success]


_suites: _Suites | None = None


def validate(frame: pd.DataFrame, contract: TableContract) -> None:
    """Check columns, dtypes, nulls and expectations. Empty tables pass unless an expectation
    forbids them.

    Raises ContractViolation naming the table and version, every failed expectation, its columns and
    how many rows of how many failed. The message never holds a value of the table. Safe to call
    from several threads.
    """
    faults = _shape_faults(frame, contract)
    if not faults:
        # A wrong column or dtype makes expectations fail in ways that only hide the cause, so they
        # come second.
        faults = _with_suites(lambda suites: suites.failures(frame, contract))
    if faults:
        raise ContractViolation(
            f"table {contract.name}@{contract.version} ({len(frame)} rows) breaks its contract: "
            + "; ".join(faults)
            + ". Fix the stage that wrote it, or raise the contract's version"
        )


def validated(frame: pd.DataFrame, contract: TableContract) -> pd.DataFrame:
    """The frame in the contract's columns, order and dtypes, validated. Columns the contract lacks
    are dropped.

    Raises ContractViolation, also where a column is missing or cannot be cast.
    """
    missing = [name for name in contract.names if name not in frame.columns]
    if missing and len(frame):
        raise ContractViolation(
            f"table {contract.name}@{contract.version} ({len(frame)} rows) lacks the columns "
            f"{', '.join(missing)}"
        )
    try:
        shaped = contract.shape(frame)
    except (ValueError, TypeError, OverflowError) as error:
        # `from None`: the original message quotes the value that would not cast.
        raise ContractViolation(
            f"table {contract.name}@{contract.version} ({len(frame)} rows) cannot be cast to "
            f"its dtypes ({type(error).__name__}): "
            f"{'; '.join(_shape_faults(frame, contract)) or 'see the contract'}"
        ) from None
    validate(shaped, contract)
    return shaped


def _with_suites(use: Callable[[_Suites], list[str]]) -> list[str]:
    global _suites
    with _LOCK:
        if _suites is None or _suites.pid != os.getpid():
            _suites = _Suites()
        return use(_suites)


def _all_of(contract: TableContract) -> list[tuple[str, dict[str, Any]]]:
    columns = {"column_set": contract.names, "exact_match": True}
    nulls = [
        ("ExpectColumnValuesToNotBeNull", {"column": c.name})
        for c in contract.columns
        if not c.nullable
    ]
    own = [(e.type, dict(e.kwargs)) for e in contract.expectations]
    return [("ExpectTableColumnsToMatchSet", columns), *nulls, *own]


def _in_words(item: Any, n_rows: int) -> str:
    kwargs = item.expectation_config.kwargs
    names = [kwargs[k] for k in ("column", "column_A", "column_B") if k in kwargs] or kwargs.get(
        "column_list", []
    )
    count = item.result.get("unexpected_count")
    how_many = (
        "could not be evaluated" if count is None else f"failed in {int(count)} of {n_rows} rows"
    )
    name = "".join(word.capitalize() for word in item.expectation_config.type.split("_"))
    return f"{name} on {', '.join(names) or 'the table'} {how_many}"


_IS_KIND: dict[ColumnKind, Callable[[Any], bool]] = {
    "text": types.is_string_dtype,
    "float": types.is_float_dtype,
    "int": types.is_integer_dtype,
    "bool": types.is_bool_dtype,
    "time": lambda dtype: isinstance(dtype, pd.DatetimeTZDtype) and str(dtype.tz) == "UTC",
    "list": types.is_object_dtype,
}


def _shape_faults(frame: pd.DataFrame, contract: TableContract) -> list[str]:
    faults = []
    missing = [name for name in contract.names if name not in frame.columns]
    # Names of unknown columns are not repeated: a transposed table would carry values there.
    extra = len([name for name in frame.columns if name not in contract.names])
    if missing:
        faults.append(f"columns missing: {', '.join(missing)}")
    if extra:
        faults.append(f"{extra} columns that the contract does not have")
    if frame.columns.has_duplicates:
        return [*faults, "column names repeat"]
    return faults + [
        _dtype_fault(frame, c) for c in contract.columns if c.name in frame and not _fits(frame, c)
    ]


def _fits(frame: pd.DataFrame, column: Column) -> bool:
    dtype = frame[column.name].dtype
    # pandas calls object columns of strings text too, and then a number in one would pass.
    if column.kind == "text" and types.is_object_dtype(dtype):
        return False
    return _IS_KIND[column.kind](dtype)


def _dtype_fault(frame: pd.DataFrame, column: Column) -> str:
    expected = f"{column.kind}{' (aware, UTC)' if column.kind == 'time' else ''}"
    return f"column {column.name}: expected {expected}, got dtype {frame[column.name].dtype}"
