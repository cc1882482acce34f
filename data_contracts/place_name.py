"""The words by which a place of an itinerary and a camera's name are compared."""

from __future__ import annotations

import re
import unicodedata

STOP_WORDS = frozenset(
    (
        "a",
        "an",
        "and",
        "at",
        "behind",
        "by",
        "for",
        "from",
        "front",
        "in",
        "inside",
        "into",
        "near",
        "of",
        "on",
        "or",
        "outside",
        "the",
        "to",
        "with",
    )
)


def plain(text: str) -> str:
    """A text without differences of case and of width (NFKC)."""
    return unicodedata.normalize("NFKC", text).casefold()


def words_of(text: str) -> set[str]:
    """The words of a name that tell something: no stop words, of letters alone no single one."""
    return {
        w
        for w in re.findall(r"[^\W_]+", plain(text))
        if w not in STOP_WORDS and (len(w) > 1 or w.isdigit())
    }


def named_alike(a: str, b: str) -> bool:
    """Equal, or one begins the other ("corridors", "로비에서"); short ASCII words must be equal,
    numbers too.
    """
    if a == b:
        return True
    short, long = sorted((a, b), key=len)
    return (
        not short.isdigit()
        and long.startswith(short)
        and len(short) >= (4 if short.isascii() else 2)
    )
