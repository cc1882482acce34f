"""Who may do what on the desk: one table. A page names its act; what is not in the table is not
done.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from data_contracts.account import ROLES, Account, Role

Act = Literal[
    "own account",
    "list cases",
    "see case",
    "read report",
    "review case",
    "point at subject",
    "run case",
    "stop case",
    "withdraw consent",
    "see filings",
    "file case",
    "sign consent",
    "sign approval",
    "assign cases",
    "keep accounts",
    "keep cameras",
    "read audit log",
]


class Rule(NamedTuple):
    """The roles that may do an act, the one that it is written down under first; whether the act
    is about one case, which must then be assigned to the account.
    """

    roles: tuple[Role, ...]
    of_case: bool


_CASE_ROLES: tuple[Role, ...] = ("tracer", "reviewer", "consent-officer", "approver")

ACTS: dict[Act, Rule] = {
    "own account": Rule(ROLES, of_case=False),
    "list cases": Rule(_CASE_ROLES, of_case=False),
    "see case": Rule(_CASE_ROLES, of_case=True),
    "read report": Rule(("reviewer", "tracer"), of_case=True),
    "review case": Rule(("reviewer",), of_case=True),
    "point at subject": Rule(("tracer", "reviewer"), of_case=True),
    "run case": Rule(("tracer",), of_case=True),
    "stop case": Rule(("tracer",), of_case=True),
    "withdraw consent": Rule(("consent-officer", "tracer"), of_case=True),
    # Which drafts an account sees, the draft says (data_contracts/filing_draft.py).
    "see filings": Rule(("tracer", "consent-officer", "approver"), of_case=False),
    "file case": Rule(("tracer",), of_case=False),
    "sign consent": Rule(("consent-officer",), of_case=False),
    "sign approval": Rule(("approver",), of_case=False),
    "assign cases": Rule(("administrator",), of_case=False),
    "keep accounts": Rule(("administrator",), of_case=False),
    "keep cameras": Rule(("administrator",), of_case=False),
    "read audit log": Rule(("auditor",), of_case=False),
}


def role_for(account: Account, act: Act) -> Role | None:
    """The role in which an account may do an act; None: it may not."""
    return next((role for role in ACTS[act].roles if role in account.roles), None)
