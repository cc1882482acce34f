"""Where a text names a case: the same rule for rows of the orchestrator, for logs and for the scans
of the tests.
"""

from __future__ import annotations

import re

# What the orchestrator's artifacts of a case are called; Prefect takes small letters only.
_ARTIFACTS = ("case-{}-summary", "case-{}-gaps", "case-{}-report", "scan-{}", "follow-{}")


def artifact_keys(case_id: str) -> dict[str, str]:
    """Keys of a case's artifacts in the orchestrator by what they are: summary, gaps, report, scan,
    follow.
    """
    made = [name.format(case_id.lower()) for name in _ARTIFACTS]
    return dict(zip(("summary", "gaps", "report", "scan", "follow"), made, strict=True))


def mention(case_id: str) -> re.Pattern[bytes]:
    """Matches the case's id, or a key of one of its artifacts, standing by itself: K-1 is not in
    K-1-2 nor in XK-1.
    """
    by_itself = rb"(?<![A-Za-z0-9-])(?:%s)(?![A-Za-z0-9-])"
    words = [case_id, *artifact_keys(case_id).values()]
    return re.compile(by_itself % b"|".join(re.escape(word.encode()) for word in words))
