"""What a subject is told: what was collected, shared and destroyed. Every line comes from the
case's own record.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from data_contracts.authorisation import AuthorisedCase
from data_contracts.deletion import KINDS, CaseFacts, Receipt

_SHARED = {
    "view": "times results were looked at",
    "look": "times a reviewer looked at somebody who may not be you",
    "export": "times decrypted copies were made",
    "decision": "decisions by reviewers",
}


def case_notice(case: AuthorisedCase, facts: CaseFacts, ends_utc: datetime) -> str:
    """Markdown for the subject of a case that is open. `ends_utc`: when the case is destroyed at
    the latest.
    """
    grants = (case.consent, case.approval)
    lines = [
        f"# Case {case.case_id}",
        "",
        f"Purpose: {case.request.purpose}. "
        f"Legal basis: {'; '.join(dict.fromkeys(g.legal_basis for g in grants))}. Policy: "
        f"{case.request.policy}.",
        "",
        *_collected(facts),
        f"- searched: recordings from {_time(case.span.start_utc)} to {_time(case.span.end_utc)}, "
        f"{_cameras(case)}",
        "",
        *_shared(facts),
        "",
        "## Destroyed",
        "",
        f"Nothing yet. Everything of the case is destroyed by {_time(ends_utc)} at the latest, or "
        "when consent is withdrawn.",
    ]
    return "\n".join(lines) + "\n"


def receipt_notice(receipt: Receipt) -> str:
    """Markdown for the subject of a case that was destroyed."""
    facts = receipt.facts
    numbers: Mapping[str, int] = {
        meaning: max(receipt.found.get(kind, 0), receipt.destroyed.get(kind, 0))
        for kind, meaning in KINDS.items()
    }
    lines = [
        f"# Case {receipt.case_id}",
        "",
        *_collected(facts),
        "",
        *_shared(facts),
        "",
        "## Destroyed",
        "",
        f"On {_time(receipt.purged_utc)}: {receipt.reason}.",
        "",
        *(f"- {number} {what}" for what, number in numbers.items() if number),
        "",
        "Checked afterwards:",
        "",
        *(f"- {line}" for line in receipt.verified),
        "",
        "What remains:",
        "",
        *(f"- {line}" for line in receipt.remains),
    ]
    return "\n".join(lines) + "\n"


def _collected(facts: CaseFacts) -> list[str]:
    lines = [
        "## Collected",
        "",
        f"- {facts.reference_pictures} reference pictures, {facts.claims} stated visits",
    ]
    if facts.scopes:
        lines.append(f"- searched by: {', '.join(facts.scopes)}")
    lines.append(f"- {facts.runs} runs, {facts.artefacts} artefacts of the last one that finished")
    return lines + [f"- {number} {what}" for what, number in facts.results.items()]


def _shared(facts: CaseFacts) -> list[str]:
    given = [
        f"- {facts.shared[action]} {meaning}"
        for action, meaning in _SHARED.items()
        if facts.shared.get(action)
    ]
    return [
        "## Shared",
        "",
        *(given or ["The audit log has no view, copy or decision of this case."]),
    ]


def _cameras(case: AuthorisedCase) -> str:
    named = [set(g.cameras) for g in (case.consent, case.approval) if "*" not in g.cameras]
    return (
        f"cameras {', '.join(sorted(set.intersection(*named)))}"
        if named
        else "all cameras of the site"
    )


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
