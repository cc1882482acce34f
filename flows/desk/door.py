"""The one way to a page: session, form token, act and case are checked, then the page answers in
the name of the account. Whatever goes wrong becomes a page that says so, with nothing of the
program in it.
"""

from __future__ import annotations

import asyncio
import hmac
import sys
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from data_contracts.account import Role
from data_contracts.errors import (
    BadInput,
    EncounterError,
    KeyMissing,
    NotAuthorised,
    NotFound,
    StackError,
    StoreError,
)
from flows.cases.assignment import sees
from flows.desk.acts import ACTS, Act, role_for
from flows.desk.desk import Desk
from flows.desk.form import read_form
from flows.desk.page import FORM_BYTES, Page
from flows.desk.sessions import is_of
from flows.desk.visit import SESSION_COOKIE, Visit
from flows.runtime.acting import Acting, acting
from flows.runtime.audit import audit

# Each is held in memory whole.
_UPLOADS_AT_ONCE = 3
LOGIN = "/login"
ACCOUNT = "/account"


def endpoint(desk: Desk, page: Page) -> Callable[[Request], Awaitable[Response]]:
    """A page as the application calls it."""
    uploads = asyncio.Semaphore(_UPLOADS_AT_ONCE)

    async def answer(request: Request) -> Response:
        visit = Visit(desk, request, case_id=request.path_params.get("case_id", ""))
        if page.form_bytes > FORM_BYTES and not await run_in_threadpool(_is_logged_in, visit):
            return Response("log in first\n", 401)
        if page.files:
            async with uploads:
                return await _read_and_answer(page, visit)
        return await _read_and_answer(page, visit)

    return answer


async def _read_and_answer(page: Page, visit: Visit) -> Response:
    if page.method == "POST":
        form = await read_form(visit.request, page.form_bytes, page.files)
        if form is None:
            return Response("the form is too large, too slow or not one\n", 413)
        visit.form = form.fields
        visit.files = form.files
    return await run_in_threadpool(_answer, page, visit)


def _is_logged_in(visit: Visit) -> bool:
    """Whether somebody is: from strangers no large form is read."""
    try:
        find_login(visit)
    except EncounterError:
        return False
    return visit.account is not None


def _answer(page: Page, visit: Visit) -> Response:
    try:
        find_login(visit)
        if page.act is None:
            return page.function(visit)
        return _stopped(page, page.act, visit) or _in_the_name(page, page.act, visit)
    except Exception as error:  # noqa: BLE001  nothing of the program reaches a browser
        return _failed(visit, error)


def find_login(visit: Visit, used: bool = True) -> None:
    """Who is logged in, by the session's cookie and the account as it is now."""
    session = visit.desk.sessions.find(visit.cookie(SESSION_COOKIE), used)
    account = visit.desk.accounts.find(session.name) if session else None
    there = session is not None and is_of(session, account)
    visit.session = session if there else None
    visit.account = account if there else None


def _stopped(page: Page, act: Act, visit: Visit) -> Response | None:
    """The answer to who is not logged in or sends what is not from a page of theirs."""
    if visit.account is None or visit.session is None:
        if visit.request.headers.get("hx-request") or page.method == "POST":
            return visit.problem(401, visit.text("You are not logged in (any more)."))
        return visit.go(f"{LOGIN}?next={quote(visit.request.url.path)}")
    if page.method == "POST" and not hmac.compare_digest(
        visit.sent("csrf").encode(), visit.session.csrf.encode()
    ):
        return visit.problem(403, visit.text("This form is out of date: open the page again."))
    if visit.account.must_change and act != "own account":
        return visit.go(ACCOUNT)
    return None


def _in_the_name(page: Page, act: Act, visit: Visit) -> Response:
    assert visit.account is not None
    role = role_for(visit.account, act)
    if role is None:
        _write_refusal(visit, visit.account.roles[0], f"desk: {act}: not for this account's roles")
        return visit.problem(403, visit.text("Your account's roles do not allow this."))
    if ACTS[act].of_case and not may_see_case(visit):
        _write_refusal(visit, role, "desk: the case is not assigned to this account")
        return visit.problem(404, visit.text("There is no such case, or it is not yours to see."))
    with acting(Acting("account", visit.account.name, role)):
        return page.function(visit)


def may_see_case(visit: Visit) -> bool:
    """Whether the visit's case is assigned to the account, or was, and is gone."""
    seen = visit.desk.seen
    if sees(visit.env, visit.case_id, visit.name):
        seen.add(visit.name, visit.case_id)
        return True
    return (visit.name, visit.case_id) in seen and not visit.env.cases.has_key(visit.case_id)


def _write_refusal(visit: Visit, role: Role, reason: str) -> None:
    with acting(Acting("account", visit.name, role)):
        audit(visit.env, "refuse", outcome="refused", reason=reason)


def _failed(visit: Visit, error: Exception) -> Response:
    """The page of an error. What an error of ours says is told to who is logged in and was let
    through; of any other error not even its kind.
    """
    detail = str(error) if visit.account and isinstance(error, EncounterError) else ""
    if isinstance(error, NotAuthorised):
        heading = visit.text("Consent and approval do not allow this (any more).")
        return visit.problem(403, heading, detail)
    if isinstance(error, NotFound | KeyMissing):
        return visit.problem(404, visit.text("This is not there (any more)."))
    if isinstance(error, StoreError | StackError):
        return visit.problem(503, visit.text("A part of the system does not answer. Try again."))
    if isinstance(error, BadInput) and visit.account:
        return visit.problem(400, visit.text("This cannot be done."), detail)
    at = traceback.extract_tb(error.__traceback__)[-1]
    sys.stderr.write(f"unexpected {type(error).__name__} at {Path(at.filename).name}:{at.lineno}\n")
    return visit.problem(500, visit.text("This could not be done."), detail)
