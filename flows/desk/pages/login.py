"""Logging in and out, the language, and making a browser known."""

from __future__ import annotations

import re

from starlette.responses import Response

from data_contracts.account import Account
from flows.desk import language as languages
from flows.desk.accounts import DEVICE_DAYS
from flows.desk.door import ACCOUNT, LOGIN
from flows.desk.page import page
from flows.desk.visit import DEVICE_COOKIE, SESSION_COOKIE, Visit

HOME = "/"
# A path of the desk's own, never another host's (//host) nor one with a backslash.
_OWN_PATH = re.compile(r"^/(?![/\\])[A-Za-z0-9._~/%-]{0,400}\Z", re.ASCII)
_YEAR_S = 365 * 86_400


@page("GET", LOGIN, None)
def login_form(visit: Visit) -> Response:
    """The form for account and password."""
    return visit.show("login.html", next=own_path(visit.asked("next")), wrong=False, wait_s=0)


@page("POST", LOGIN, None)
def log_in(visit: Visit) -> Response:
    """Begin a session; a session that the browser had ends."""
    name = visit.sent("account").strip().lower()[:64]
    device = visit.desk.accounts.device(visit.cookie(DEVICE_COOKIE))
    known = device is not None and device == name
    address = visit.request.client.host if visit.request.client else "?"
    whos = (f"device {device}",) if known else (f"address {address}", f"account {name}")
    wait_s = visit.desk.attempts.wait_s(*whos, known=known)
    if wait_s > 0:
        return _waits(visit, max(1, round(wait_s)))
    account = visit.desk.accounts.verify(name, visit.sent("password"), visit.sent("code"))
    if account is None:
        return _wrong(visit, name, whos)
    visit.desk.attempts.right(*whos, known=known)
    return begin_session(visit, account, own_path(visit.sent("next")), known)


def begin_session(visit: Visit, account: Account, to: str, known: bool = True) -> Response:
    """A new session for the browser, in the place of the one that it had."""
    visit.desk.sessions.close(visit.cookie(SESSION_COOKIE))
    answer = visit.go(ACCOUNT if account.must_change else to)
    visit.keep_cookie(answer, SESSION_COOKIE, visit.desk.sessions.open(account), None)
    if not known:
        mark = visit.desk.accounts.device_mark(account.name)
        visit.keep_cookie(answer, DEVICE_COOKIE, mark, DEVICE_DAYS * 86_400)
    return answer


def _waits(visit: Visit, seconds: int) -> Response:
    to = own_path(visit.sent("next"))
    answer = visit.show("login.html", 429, next=to, wrong=False, wait_s=seconds)
    answer.headers["retry-after"] = str(seconds)
    return answer


def _wrong(visit: Visit, name: str, whos: tuple[str, ...]) -> Response:
    visit.desk.attempts.wrong(*whos)
    account = visit.desk.accounts.find(name)
    if account is not None:
        visit.desk.wrong_passwords.count(visit.env, name, account.roles[0])
    else:
        visit.desk.wrong_passwords.count(visit.env, "unknown")
    to = own_path(visit.sent("next"))
    return visit.show("login.html", 401, next=to, wrong=True, wait_s=0)


@page("POST", "/logout", "own account")
def log_out(visit: Visit) -> Response:
    """End the session."""
    visit.desk.sessions.close(visit.cookie(SESSION_COOKIE))
    answer = visit.go(_after(visit))
    answer.delete_cookie(visit.cookie_name(SESSION_COOKIE), path="/", secure=visit.desk.secure)
    answer.headers["clear-site-data"] = '"cache", "storage"'
    return answer


def _after(visit: Visit) -> str:
    """Where a logout leads: who came through a provider is told how to end that login too."""
    by_provider = visit.account is not None and visit.account.subject
    return "/provider/out" if visit.desk.provider is not None and by_provider else LOGIN


@page("POST", "/language", None)
def choose_language(visit: Visit) -> Response:
    """Keep the language that was chosen, and go back."""
    answer = visit.go(own_path(visit.sent("back")))
    if visit.sent("language") in languages.LANGUAGES:
        visit.keep_cookie(answer, languages.COOKIE, visit.sent("language"), _YEAR_S)
    return answer


@page("GET", "/device/{mark}", None)
def make_known(visit: Visit) -> Response:
    """Mark this browser as an account's by a link of `encounter desk account link`."""
    mark = visit.request.path_params["mark"]
    if visit.desk.accounts.device(mark) is None:
        return visit.problem(404, visit.text("This link is not valid (any more)."))
    answer = visit.go(LOGIN)
    visit.keep_cookie(answer, DEVICE_COOKIE, mark, DEVICE_DAYS * 86_400)
    return answer


@page("GET", HOME, None)
def home(visit: Visit) -> Response:
    """Where an account's work begins."""
    if visit.account is None:
        return visit.go(LOGIN)
    if visit.may("list cases"):
        return visit.go("/cases")
    if visit.may("keep accounts"):
        return visit.go("/administration")
    return visit.go("/audit")


def own_path(path: str) -> str:
    """The path, where it is one of the desk's own, else its first page."""
    return path if _OWN_PATH.match(path) else HOME
