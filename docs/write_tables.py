"""Tables of the docs that are made from the code: `make docs` writes them, a test compares them."""

from __future__ import annotations

import re
from pathlib import Path

from tasks.artefacts.exports import EXPORTS, PICTURE_TYPES, PICTURES, PICTURES_CAPTION

DOCS = Path(__file__).parent


def exports_table() -> str:
    """What a run writes, a row each."""
    rows = [
        f"| `{e.name}` | {e.media_type.split(';')[0]} "
        f"| {e.contract.name if e.contract else ''} | {e.caption} |"
        for e in EXPORTS
    ]
    types = ", ".join(PICTURE_TYPES.values())
    rows.append(f"| `{PICTURES}` | {types} | | {PICTURES_CAPTION}: [redaction](redaction.md) |")
    head = "| name | media type | contract | what it is |\n| --- | --- | --- | --- |"
    return "\n".join([head, *rows])


# Page and name of a table: what writes it.
TABLES = {("artefacts.md", "exports"): exports_table}


def written(text: str, name: str, table: str) -> str:
    """A page's text with the table between its marks. Raises ValueError where the marks are not
    there once.
    """
    mark = f"<!-- {name}: written by make docs -->"
    pattern = re.compile(rf"(?<={re.escape(mark)}\n).*?(?=<!-- end of {name} -->)", re.DOTALL)
    out, found = pattern.subn(lambda _match: f"{table}\n", text)
    if found != 1:
        raise ValueError(f"expected the marks of the table {name} once, found them {found} times")
    return out


def main() -> None:
    """Write every table into its page."""
    for (page, name), make in TABLES.items():
        path = DOCS / page
        path.write_text(written(path.read_text("utf-8"), name, make()), "utf-8")


if __name__ == "__main__":
    main()
