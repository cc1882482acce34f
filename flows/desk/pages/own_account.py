"""A person's own account: password and one-time codes."""

from __future__ import annotations

import pyotp
from starlette.responses import Response

from data_contracts.account import Account
from data_contracts.errors import BadInput
from flows.desk.door import ACCOUNT
from flows.desk.page import page
from flows.desk.pages.login import begin_session
from flows.desk.sessions import Session
from flows.desk.visit import Visit
from flows.runtime.audit import audit

_ISSUER = "Encounter"


def _own(visit: Visit) -> tuple[Account, Session]:
    assert visit.account is not None
    assert visit.session is not None
    return visit.account, visit.session


@page("GET", ACCOUNT, "own account")
def show_account(visit: Visit) -> Response:
    """Roles, password, one-time codes."""
    return _shown(visit)


def _shown(visit: Visit, problem: str = "", status: int = 200) -> Response:
    account, session = _own(visit)
    if not account.totp and not session.fresh_totp:
        session.fresh_totp = pyotp.random_base32()
    secret = session.fresh_totp
    link = ""
    if secret:
        link = pyotp.TOTP(secret).provisioning_uri(name=account.name, issuer_name=_ISSUER)
    return visit.show("account.html", status, problem=problem, secret=secret, link=link)


@page("POST", f"{ACCOUNT}/password", "own account")
def change_password(visit: Visit) -> Response:
    """Change the password; every other session of the account ends."""
    account, _ = _own(visit)
    if visit.sent("password") != visit.sent("again"):
        return _shown(visit, visit.text("The two new passwords are not the same."), 400)
    if not _knows_password(visit):
        return _shown(visit, visit.text("The present password is wrong."), 400)
    if visit.sent("password") == visit.sent("present"):
        return _shown(visit, visit.text("The new password is the old one."), 400)
    try:
        visit.desk.accounts.set_password(account.name, visit.sent("password"))
    except BadInput as error:
        return _shown(visit, str(error), 400)
    audit(visit.env, "configure", reason="desk: own password changed")
    return begin_session(visit, visit.desk.accounts.get(account.name), ACCOUNT)


def _knows_password(visit: Visit) -> bool:
    """Whether the present password was given; tries are limited like those of a login."""
    account, _ = _own(visit)
    who = f"session of {account.name}"
    if visit.desk.attempts.wait_s(who, known=True) > 0:
        return False
    if visit.desk.accounts.matches(account.name, visit.sent("present")):
        visit.desk.attempts.right(who, known=True)
        return True
    visit.desk.attempts.wrong(who)
    visit.desk.wrong_passwords.count(visit.env, account.name, account.roles[0])
    return False


@page("POST", f"{ACCOUNT}/codes", "own account")
def switch_codes(visit: Visit) -> Response:
    """Ask for one-time codes from now on, after one was given; or no longer, after the password."""
    account, session = _own(visit)
    if not _knows_password(visit):
        return _shown(visit, visit.text("The present password is wrong."), 400)
    if account.totp:
        secret = ""
    elif visit.desk.accounts.take_code(account, session.fresh_totp, visit.sent("code")):
        secret = session.fresh_totp
    else:
        return _shown(visit, visit.text("The code is wrong: is the clock of the phone right?"), 400)
    audit(visit.env, "configure", reason=f"desk: own one-time codes {'on' if secret else 'off'}")
    visit.desk.accounts.set_totp(account.name, secret)
    return begin_session(visit, visit.desk.accounts.get(account.name), ACCOUNT)
