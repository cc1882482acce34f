"""Drawing SVG: one escaped element at a time."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup, escape


def element(name: str, *children: str | Markup, **attributes: object) -> Markup:
    """An SVG element. Text children and attribute values are escaped; `class_` and `stroke_width`
    become hyphenated.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_attribute_text(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inner = Markup("").join(children)
    return Markup(f"<{name}{written}>{inner}</{name}>")  # noqa: S704  every part was escaped above


def points(places: Iterable[tuple[float, float]]) -> str:
    """Coordinates for polygon and polyline."""
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)


def _attribute_text(value: object) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
