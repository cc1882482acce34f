"""Trying what must not stop the end of a case."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from data_contracts.errors import EncounterError

T = TypeVar("T")
_SHOWN_CHARS = 200


def attempt(do: Callable[[], T], otherwise: T) -> T:
    """What `do` returns, or `otherwise` where it fails, however it fails."""
    try:
        return do()
    except Exception:  # noqa: BLE001  nothing that is damaged may keep a case alive
        return otherwise


def told(error: Exception) -> str:
    """An error in one line: ours as it is, of any other its kind alone, since its text may hold
    values.
    """
    text = str(error) if isinstance(error, EncounterError) else type(error).__name__
    return " ".join(text.split())[:_SHOWN_CHARS]
