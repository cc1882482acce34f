"""The summary that operators see: counts, gaps and a link. Never a picture, a name, a place of the
subject or a time.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd


def summary_markdown(counts: Mapping[str, int], gaps: pd.DataFrame, report_link: str) -> str:
    """Markdown of at most a screen: one row per count, one per kind of gap (GAPS) with how many and
    how long, the link.

    Gaps are given by kind only: their times and cameras, taken together, would draw the subject's
    way.
    """
    lines = ["| stage | number |", "| --- | ---: |"]
    lines += [f"| {name} | {number:,} |" for name, number in counts.items()]
    lines += ["", "### What was not looked at", ""]
    if gaps.empty:
        lines.append("Nothing that was planned was left out.")
    else:
        lines += ["| why | stretches | minutes |", "| --- | ---: | ---: |"]
        minutes = (gaps["end_utc"] - gaps["start_utc"]).dt.total_seconds() / 60
        for kind, group in minutes.groupby(gaps["kind"]):
            lines.append(f"| {str(kind).replace('_', ' ')} | {len(group)} | {group.sum():.1f} |")
    lines += [
        "",
        f"[Open the report]({report_link}) (for reviewers who hold the case's key). A person "
        "decides.",
    ]
    return "\n".join(lines) + "\n"
