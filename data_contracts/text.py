"""Texts that people read in their own language."""

from __future__ import annotations

from collections.abc import Callable

# Says a text of the catalogues in a language, with its values filled in.
Say = Callable[..., str]


def mark(text: str) -> str:
    """A text that is translated where it is shown: finds its way into the catalogues."""
    return text


def in_english(message: str, **values: object) -> str:
    """A text as it is written."""
    return message % values if values else message
