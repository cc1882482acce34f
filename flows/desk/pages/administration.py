"""What an administrator does: accounts, their roles, and who sees which case. No picture and no
content of a case is shown here.
"""

from __future__ import annotations

from starlette.responses import Response

from data_contracts.account import ROLES
from data_contracts.case import CASE_ID
from data_contracts.errors import BadInput, EncounterError
from flows.cases.assignment import assign, assigned
from flows.cases.filing import filed_cases
from flows.desk.page import page
from flows.desk.visit import Visit
from flows.runtime.acting import Acting
from flows.runtime.audit import audit, pseudonym

PATH = "/administration"


@page("GET", PATH, "keep accounts")
def show_accounts(visit: Visit) -> Response:
    """Every account and its roles; every case and who sees it."""
    return _shown(visit)


def _shown(visit: Visit, problem: str = "", given: tuple[str, str] = ("", "")) -> Response:
    """The page; `given`: an account and its new password, which is shown this once."""
    cases = {case_id: _assigned(visit, case_id) for case_id in filed_cases(visit.env)}
    return visit.show(
        "administration.html",
        400 if problem else 200,
        problem=problem,
        given=given,
        accounts=visit.desk.accounts.all(),
        roles=ROLES,
        cases=cases,
    )


def _assigned(visit: Visit, case_id: str) -> tuple[str, ...]:
    try:
        return assigned(visit.env.cases.open(case_id))
    except EncounterError:  # it cannot be read, and is assigned to nobody
        return ()


def _write_down(visit: Visit, name: str, what: str) -> None:
    """The change in the audit log, before it is made."""
    who = pseudonym(Acting("account", name, "tracer"), visit.env.audit_log.key)
    audit(visit.env, "configure", objects=(who,), reason=f"desk: {what}")


@page("POST", f"{PATH}/add", "keep accounts")
def add_account(visit: Visit) -> Response:
    """Make an account; its first password is shown once."""
    name = visit.sent("name").strip().lower()
    try:
        _write_down(visit, name, "account added")
        word = visit.desk.accounts.add(name, visit.form.get("role", ()))
    except BadInput as error:
        return _shown(visit, str(error))
    return _shown(visit, given=(name, word))


@page("POST", f"{PATH}/password", "keep accounts")
def reset_password(visit: Visit) -> Response:
    """A new first password; the account's sessions end, one-time codes are asked for no more."""
    name = visit.desk.accounts.get(visit.sent("name")).name
    if name == visit.name:
        return _shown(visit, visit.text("Change your own password on your own page."))
    _write_down(visit, name, "password reset")
    visit.desk.accounts.set_totp(name, "")
    return _shown(visit, given=(name, visit.desk.accounts.set_password(name)))


@page("POST", f"{PATH}/roles", "keep accounts")
def give_roles(visit: Visit) -> Response:
    """Other roles for an account; its sessions end."""
    name = visit.desk.accounts.get(visit.sent("name")).name
    if name == visit.name:
        return _shown(visit, visit.text("Another administrator changes your roles."))
    try:
        _write_down(visit, name, "roles changed")
        visit.desk.accounts.set_roles(name, visit.form.get("role", ()))
    except BadInput as error:
        return _shown(visit, str(error))
    return visit.go(PATH)


@page("POST", f"{PATH}/remove", "keep accounts")
def remove_account(visit: Visit) -> Response:
    """Take an account away; its sessions end at once."""
    name = visit.desk.accounts.get(visit.sent("name")).name
    if name == visit.name:
        return _shown(visit, visit.text("Another administrator removes your account."))
    _write_down(visit, name, "account removed")
    visit.desk.accounts.remove(name)
    return visit.go(PATH)


@page("POST", f"{PATH}/reopen", "keep accounts")
def reopen_account(visit: Visit) -> Response:
    """Let who logs in through a provider come in again."""
    name = visit.desk.accounts.get(visit.sent("name")).name
    _write_down(visit, name, "account reopened")
    visit.desk.accounts.reopen(name)
    return visit.go(PATH)


@page("POST", f"{PATH}/assign", "assign cases")
def assign_case(visit: Visit) -> Response:
    """Who sees a case from now on."""
    case_id = visit.sent("case")
    if not CASE_ID.match(case_id):
        raise BadInput("expected the id of a filed case, such as K-2026-0042")
    known = set(visit.desk.accounts.names())
    assign(visit.env, case_id, known & set(visit.form.get("account", ())))
    return visit.go(PATH)
