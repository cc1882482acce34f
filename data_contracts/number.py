"""Numbers that people write: digits, and nothing that Python alone reads as a number."""

from __future__ import annotations

import math
import re
from typing import Any

# Python reads 1_0 as 10, and digits of every script; a typing error would become a value.
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)


def is_number(text: str) -> bool:
    """Whether a text is a finite decimal number in ASCII digits."""
    return _NUMBER.fullmatch(text) is not None


def read_number(value: Any) -> float:
    """A number from a text, or from JSON. Raises ValueError for everything else, NaN and infinity
    too.
    """
    given = is_number(value) if isinstance(value, str) else type(value) in (int, float)
    number = float(value) if given and _fits(value) else math.nan
    if not math.isfinite(number):
        raise ValueError("expected a number in plain digits, such as 12 or 0.5")
    return number


def _fits(value: Any) -> bool:
    try:
        float(value)
    except OverflowError:
        return False
    return True
