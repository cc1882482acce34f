"""The desk's languages: what is chosen, and that no text is missing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.pofile import read_po

from flows.desk.language import LANGUAGES, chosen, translations

ROOT = Path(__file__).parents[3]
DESK = ROOT / "flows" / "desk"
METHODS = [("**.py", "python"), ("**.html", "jinja2")]


def messages() -> set[str]:
    """Every text that the code and the templates say."""
    keywords = {**DEFAULT_KEYWORDS, "mark": None, "text": None}
    found = [
        message
        for folder in ("flows/desk", "tasks/review", "tasks/artefacts/report")
        for _, _, message, _, _ in extract_from_dir(ROOT / folder, METHODS, keywords=keywords)
    ]
    return {m if isinstance(m, str) else m[0] for m in found}


@pytest.mark.parametrize("language", [one for one in LANGUAGES if one != "en"])
def test_no_text_is_missing(language: str) -> None:
    """Each text has a translation with the same values to fill in; the catalogue has no other."""
    with (DESK / "texts" / f"{language}.po").open("rb") as file:
        catalogue = read_po(file, locale=language)
    known = {m.id: m.string for m in catalogue if m.id}
    said = messages()
    assert len(said) > 80
    assert said - set(known) == set(), "run make texts"
    assert set(known) - said == set(), "run make texts"
    for text, translated in known.items():
        assert translated, text
        values = re.compile(r"%\((\w+)\)s")
        assert sorted(values.findall(text)) == sorted(values.findall(translated)), text
        assert translations(language).gettext(text) == translated


@pytest.mark.parametrize(
    ("cookie", "accepted", "language"),
    [
        ("", "", "en"),
        ("", "ko-KR,ko;q=0.9,en;q=0.8", "ko"),
        ("", "fr,en;q=0.3,ko;q=0.5", "ko"),
        ("", "ko;q=0,en", "en"),
        ("", "*", "en"),
        ("", "\x00;q=x,;;,", "en"),
        ("en", "ko", "en"),
        ("ko", "en", "ko"),
        ("xx", "ko", "ko"),
    ],
)
def test_the_language_is_chosen(cookie: str, accepted: str, language: str) -> None:
    """By a person's choice, else by the browser's wish, else English."""
    assert chosen(cookie, accepted) == language
