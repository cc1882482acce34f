"""Whether two names may be one person's: compared by how they look, not by how they are coded.

A name is folded to what stands in `lookalikes.txt` (Unicode Technical Standard 39, confusables.txt)
after NFKD; accents, invisible characters, spaces, punctuation and case are left out, and I, l and 1
are one. So it errs to one side: two people whose names differ only in that must be told apart by a
staff number.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from pathlib import Path

_DATA = Path(__file__).with_name("lookalikes.txt")
# Letters by category that nothing is drawn for (Default_Ignorable_Code_Point): Hangul fillers and
# Khmer inherent vowels.
_UNDRAWN = dict.fromkeys((0x115F, 0x1160, 0x3164, 0xFFA0, 0x17B4, 0x17B5))


def folded(name: str) -> str:
    """What a name looks like; empty where nothing of it is a letter or a digit."""
    table = _lookalikes()
    text = _plain(name).translate(table)
    text = _plain(text.casefold()).translate(table).casefold()
    return text.replace("i", "l")


def same_person(a: str, b: str) -> bool:
    """Whether two names look alike."""
    return folded(a) == folded(b)


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text).translate(_UNDRAWN)
    return "".join(c for c in decomposed if c.isalnum())


@lru_cache(maxsize=1)
def _lookalikes() -> dict[int, str]:
    table: dict[int, str] = {}
    for line in _DATA.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            looks, alike = line.split("\t")
            table |= {ord(c): looks for c in alike}
    return table
