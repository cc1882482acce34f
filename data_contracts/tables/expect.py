"""Short names for the expectations that the contracts use."""

from __future__ import annotations

from typing import Any

from data_contracts.tables.table import Expectation


def between(
    column: str, low: float | None, high: float | None, strict_low: bool = False
) -> Expectation:
    """Values (where present) lie in [low, high]."""
    return Expectation(
        "ExpectColumnValuesToBeBetween",
        {"column": column, "min_value": low, "max_value": high, "strict_min": strict_low},
    )


def one_of(column: str, *values: str) -> Expectation:
    """Values (where present) are among the given ones."""
    return Expectation("ExpectColumnValuesToBeInSet", {"column": column, "value_set": list(values)})


def unique(*columns: str) -> Expectation:
    """The columns together are unique."""
    if len(columns) == 1:
        return Expectation("ExpectColumnValuesToBeUnique", {"column": columns[0]})
    return Expectation("ExpectCompoundColumnsToBeUnique", {"column_list": list(columns)})


def ordered(later: str, earlier: str) -> Expectation:
    """`later` is not before `earlier`."""
    return Expectation(
        "ExpectColumnPairValuesAToBeGreaterThanB",
        {
            "column_A": later,
            "column_B": earlier,
            "or_equal": True,
            "ignore_row_if": "either_value_is_missing",
        },
    )


def matches(column: str, regex: str) -> Expectation:
    """Text matches a regular expression."""
    return Expectation("ExpectColumnValuesToMatchRegex", {"column": column, "regex": regex})


def probability(column: str) -> Expectation:
    """A probability or share in [0, 1]."""
    return between(column, 0.0, 1.0)


def finite(column: str, limit: float = 1e7) -> Expectation:
    """A number of plausible size."""
    return between(column, -limit, limit)


def args(expectation: Expectation) -> dict[str, Any]:
    """The arguments, copied."""
    return dict(expectation.kwargs)
