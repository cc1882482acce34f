"""Tables of the docs that are made from the code: `make docs` writes them, a test compares them
(CONTRIBUTING.md).
"""

from __future__ import annotations

import re
from pathlib import Path

from data_contracts.policies import load_policy, policy_names
from data_contracts.policy import Tier
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


def policies_table() -> str:
    """The shipped exposure policies, a row each."""
    head = "| policy | version | what it is | an exposure counts |\n| --- | --- | --- | --- |"
    rows = [head]
    for policy in map(load_policy, policy_names()):
        tiers = "; ".join(_tier(tier) for tier in policy.tiers)
        rows.append(f"| `{policy.name}` | {policy.version} | {policy.title} | {tiers} |")
    return "\n".join(rows)


def _tier(tier: Tier) -> str:
    """One rule in words."""
    length = f"{tier.min_duration_s:g} s"
    if tier.min_duration_s >= 60:
        length = f"{tier.min_duration_s / 60:g} min"
    time = f"for {length}" if tier.min_duration_s else "at any time"
    setting = "" if tier.setting == "any" else f" ({tier.setting.replace('_', ' ')})"
    return f"within {tier.max_distance_m:g} m {time}{setting}"


# Page and name of a table: what writes it.
TABLES = {
    ("artefacts.md", "exports"): exports_table,
    ("exposure.md", "policies"): policies_table,
}


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
