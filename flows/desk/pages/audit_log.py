"""The auditor's page: the last entries of the audit log. No case is opened."""

from __future__ import annotations

from starlette.responses import Response

from data_contracts.audit import AuditEntry, read_link
from data_contracts.case import CASE_ID
from data_contracts.errors import BadInput
from flows.desk.page import page
from flows.desk.visit import Visit
from flows.runtime.audit import audit

MOST_SHOWN = 200


@page("GET", "/audit", "read audit log")
def show_log(visit: Visit) -> Response:
    """The last entries, of one case where it is named; reading them is an entry too."""
    wanted = visit.asked("case").strip().upper()
    if wanted and not CASE_ID.match(wanted):
        raise BadInput("expected the id of a case, such as K-2026-0042")
    audit(visit.env, "view", objects=("audit log",), reason=f"case {wanted}" if wanted else "")
    found: list[AuditEntry] = []
    unreadable = 0
    for stored in visit.env.audit_log.read(last=None if wanted else MOST_SHOWN):
        try:
            entry = read_link(stored.data or b"").entry
        except BadInput:
            unreadable += 1
            continue
        if not wanted or entry.case_id == wanted:
            found.append(entry)
    return visit.show(
        "audit.html", entries=found[: -MOST_SHOWN - 1 : -1], wanted=wanted, unreadable=unreadable
    )
