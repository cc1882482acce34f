"""Where a text names a case: the same rule for rows of the orchestrator, for logs and for the scans
of the tests.
"""

from __future__ import annotations

import re

# What the orchestrator's artifacts of a case are called; Prefect takes small letters only.
_ARTIFACTS = ("case-{}-summary", "case-{}-gaps", "case-{}-report", "scan-{}", "follow-{}")

_BY_ITSELF = rb"(?<![A-Za-z0-9-])(?P<id>%s)(?![A-Za-z0-9-])"
# What this project and Prefect write before and after a case's id.
_BEFORE = rb"""\b[Cc]ases?[ :./=]|case_id\W{1,6}|\b[Rr]uns? ['"]|resource\.name\W{1,6}"""
_AFTER = rb" attempt \d|#\d| under "


def artifact_keys(case_id: str) -> dict[str, str]:
    """Keys of a case's artifacts in the orchestrator by what they are: summary, gaps, report, scan,
    follow.
    """
    made = [name.format(case_id.lower()) for name in _ARTIFACTS]
    return dict(zip(("summary", "gaps", "report", "scan", "follow"), made, strict=True))


def mention(case_id: str) -> re.Pattern[bytes]:
    """Matches where a text names the case; group `id` is what names it.

    An id that tells itself apart, with a letter and a hyphen (K-2026-0042), counts wherever it
    stands by itself: K-1 is not in K-1-2 nor in XK-1. Any other (INFO, UTC, COMPLETED, 2026-11-30)
    is a word of every log, and counts only where it is marked as a case's: `case INFO`,
    `case:INFO`, `"case_id": "INFO"`, `run 'INFO'`, `cases/INFO/`, `INFO attempt 2`. Keys of the
    case's artifacts always count.
    """
    word = re.escape(case_id.encode())
    keys = b"|".join(re.escape(key.encode()) for key in artifact_keys(case_id).values())
    if "-" in case_id and any(c.isalpha() for c in case_id):
        return re.compile(_BY_ITSELF % b"|".join((word, keys)))
    marked = rb"(?:%s)(?P<id>%s)(?![A-Za-z0-9-])" % (_BEFORE, word)
    followed = rb"(?<![A-Za-z0-9-])(?P<id_followed>%s)(?:%s)" % (word, _AFTER)
    named = _BY_ITSELF.replace(b"<id>", b"<id_key>") % keys
    return re.compile(b"|".join((marked, followed, named)))


def named_at(found: re.Match[bytes]) -> tuple[int, int]:
    """Where in the text that was searched the id, or the artifact's key, stands."""
    return found.span(found.lastgroup or 0)
