"""The languages of the desk. English is what the pages and the code are written in; a catalogue in
texts/ has the others.

A catalogue is read from its text form when the desk starts: there is no compiled file that could
be out of date.
"""

from __future__ import annotations

import gettext
import io
from functools import cache
from importlib import resources
from typing import Literal, get_args

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations

from data_contracts.text import mark as mark

Language = Literal["en", "ko"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
NAMES: dict[Language, str] = {"en": "English", "ko": "한국어"}
COOKIE = "encounter-language"


@cache
def translations(language: Language) -> gettext.NullTranslations:
    """The texts of a language."""
    if language == "en":
        return gettext.NullTranslations()
    source = resources.files("flows.desk") / "texts" / f"{language}.po"
    with source.open("rb") as file:
        catalogue = read_po(file, locale=language)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Translations(compiled)


def chosen(cookie: str, accepted: str) -> Language:
    """The language that a person chose, else the first of their browser's that is there, else
    English.

    `accepted`: the header Accept-Language, such as `ko-KR,ko;q=0.9,en;q=0.8`.
    """
    for language in LANGUAGES:
        if cookie == language:
            return language
    for tag in sorted(accepted[:500].split(","), key=_weight, reverse=True):
        wanted = tag.partition(";")[0].strip().lower().partition("-")[0]
        for language in LANGUAGES:
            if wanted == language and _weight(tag) > 0:
                return language
    return "en"


def _weight(tag: str) -> float:
    quality = tag.partition(";q=")[2] or "1"
    try:
        return float(quality)
    except ValueError:
        return 0.0
