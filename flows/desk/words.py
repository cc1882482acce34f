"""Words of the desk for what the code calls by short names: roles, states, stages, gaps. Looked up
in the catalogue where they are shown.
"""

from __future__ import annotations

from collections.abc import Callable

from data_contracts.account import Role
from flows.cases.case_state import CaseState
from flows.desk.acts import Act
from flows.desk.language import NAMES, mark
from tasks.artefacts.exports import PICTURES as PICTURES
from tasks.artefacts.exports import REPORT as REPORT
from tasks.ending.purge import WITHDRAWN as WITHDRAWN

ROLES: dict[Role, str] = {
    "tracer": mark("contact tracer"),
    "consent-officer": mark("consent officer"),
    "approver": mark("approver"),
    "reviewer": mark("reviewer"),
    "administrator": mark("administrator"),
    "auditor": mark("auditor"),
}

STATES = {
    "filed": mark("filed"),
    "running": mark("running"),
    "published": mark("published"),
    "unreadable": mark("cannot be read"),
}

# The pages of the bar: the act that opens each, its address, its name.
NAVIGATION: tuple[tuple[Act, str, str], ...] = (
    ("list cases", "/cases", mark("Cases")),
    ("keep accounts", "/administration", mark("Administration")),
)
LANGUAGES = NAMES


def waits_for(text: Callable[..., str], found: CaseState) -> str:
    """What of a case waits for whom, in the language of `text`."""
    if found.state == "unreadable":
        return text("an operator: the case cannot be read")
    if found.state == "filed":
        return text("the trace to begin")
    if found.state == "running":
        return text("the trace to end")
    if found.questions:
        return text("two reviewers: %(count)s questions", count=found.questions)
    return text("nobody")
