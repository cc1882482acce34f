"""The templates, one environment a language. Everything that is filled in is escaped."""

from __future__ import annotations

from functools import cache

import jinja2

from flows.desk import words
from flows.desk.language import Language, translations


@cache
def environment_of(language: Language) -> jinja2.Environment:
    """The templates in a language. A name that is not given fails rather than showing nothing."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("flows.desk", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.install_gettext_translations(translations(language), newstyle=True)  # type: ignore[attr-defined]
    made.globals["words"] = words
    return made
