"""Logging in through a provider (OpenID Connect), where a setting names one."""

from __future__ import annotations

import re
from typing import Any

from starlette.responses import Response

from data_contracts.account import NAME_PATTERN, ROLES, Account, Role
from data_contracts.errors import BadInput, NotAuthorised, NotFound, StackError
from flows.desk.page import page
from flows.desk.pages.login import begin_session, own_path
from flows.desk.provider import LOGIN_S, Provider
from flows.desk.visit import Visit
from flows.runtime.acting import Acting, acting
from flows.runtime.audit import audit

PATH = "/provider"
BACK = f"{PATH}/back"
COOKIE = "encounter-provider"


def _provider(visit: Visit) -> Provider:
    if visit.desk.provider is None:
        raise NotFound("no provider of logins is set")
    return visit.desk.provider


@page("GET", PATH, None)
def go_to_provider(visit: Visit) -> Response:
    """Begin a login and send the browser to the provider."""
    provider = _provider(visit)
    login = provider.pending.begin(_own_address(visit, BACK), own_path(visit.asked("next")))
    answer = visit.go(provider.address(login))
    # Lax: the browser comes back from another site.
    answer.set_cookie(
        visit.cookie_name(COOKIE),
        login.browser,
        max_age=int(LOGIN_S),
        path="/",
        secure=visit.desk.secure,
        httponly=True,
        samesite="lax",
    )
    return answer


@page("GET", BACK, None)
def come_back(visit: Visit) -> Response:
    """The provider's answer: a session for the account of the person, or why there is none."""
    provider = _provider(visit)
    login = provider.pending.take(visit.asked("state"), visit.cookie(COOKIE))
    if login is None:
        return visit.problem(400, visit.text("This login is over or was another browser's."))
    try:
        if visit.asked("iss") not in ("", provider.settings.issuer):
            raise NotAuthorised("the answer is another provider's")
        if visit.asked("error") or not visit.asked("code"):
            raise NotAuthorised("the provider let nobody in")
        claims = provider.claims(login, visit.asked("code"))
        account = account_of(visit, provider, claims)
    except StackError:
        raise
    except (NotAuthorised, BadInput) as error:
        visit.desk.wrong_passwords.count(visit.env, "unknown")
        return _refused(visit, error)
    begun = begin_session(visit, account, "/")
    # What a session's cookie (SameSite=Strict) opens is asked for by a page of the desk.
    answer = visit.show("signed_in.html", to=login.to)
    for name, value in begun.raw_headers:
        if name == b"set-cookie":
            answer.raw_headers.append((name, value))
    answer.delete_cookie(visit.cookie_name(COOKIE), path="/", secure=visit.desk.secure)
    return answer


def _refused(visit: Visit, error: Exception) -> Response:
    """Why, in words that tell an attacker nothing of the accounts."""
    heading = visit.text("The provider's login does not open the desk.")
    problem = visit.problem(403, heading, str(error))
    problem.delete_cookie(visit.cookie_name(COOKIE), path="/", secure=visit.desk.secure)
    return problem


def account_of(visit: Visit, provider: Provider, claims: dict[str, Any]) -> Account:
    """The account of who logged in at the provider, with the roles that it says now; made where a
    setting says so. Raises NotAuthorised.
    """
    accounts = visit.desk.accounts
    subject = f"{provider.settings.issuer} {claims['sub']}"
    roles = roles_of(provider, claims)
    found = accounts.of_subject(subject)
    if found is not None and found.closed:
        raise NotAuthorised("an administrator closed this account")
    if not roles and (found is None or provider.settings.roles):
        raise NotAuthorised("the provider gives this person no role here")
    if found is not None:
        if roles and found.roles != roles:
            _write_down(visit, found.name, roles[0], "roles changed by the provider")
            accounts.set_roles(found.name, roles)
        return accounts.get(found.name)
    if not provider.settings.make_accounts:
        raise NotAuthorised("an administrator has to make the account first")
    name = str(claims.get(provider.settings.name_claim) or "").strip().lower()
    if not re.match(NAME_PATTERN, name) or accounts.find(name) is not None:
        raise NotAuthorised("the provider's name of this person cannot be an account's here")
    _write_down(visit, name, roles[0], "account made by the provider")
    accounts.add(name, roles, subject=subject)
    return accounts.get(name)


def roles_of(provider: Provider, claims: dict[str, Any]) -> tuple[Role, ...]:
    """The roles that a person's claim is mapped to, in the order of the list of all."""
    given = claims.get(provider.settings.role_claim) or ()
    values = [given] if isinstance(given, str) else list(given)
    mapped = {provider.settings.roles.get(str(value)) for value in values}
    return tuple(role for role in ROLES if role in mapped)


def _write_down(visit: Visit, name: str, role: Role, what: str) -> None:
    with acting(Acting("account", name, role)):
        audit(visit.env, "configure", reason=f"desk: {what}")


def _own_address(visit: Visit, path: str) -> str:
    """A page's whole address, by the name under which the desk was asked (one of its own)."""
    host = visit.request.headers.get("host", "").lower()
    scheme = "https" if visit.desk.secure else "http"
    return f"{scheme}://{host}{path}"


@page("GET", f"{PATH}/out", None)
def logged_out(visit: Visit) -> Response:
    """After a logout: the login at the provider goes on until it is ended there."""
    there = _provider(visit).end_session(_own_address(visit, "/login"))
    return visit.show("signed_out.html", there=there)
