"""One request of a page: who asks, what they sent, and how they are answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from data_contracts.account import Account
from data_contracts.errors import BadInput
from flows.desk import language as languages
from flows.desk.acts import Act, role_for
from flows.desk.desk import Desk
from flows.desk.drawing import environment_of
from flows.desk.form import SentFile
from flows.desk.language import Language
from flows.desk.sessions import Session
from flows.runtime.environment import Environment, site
from tasks.artefacts.report.words import Clock

SESSION_COOKIE = "encounter-session"
DEVICE_COOKIE = "encounter-device"


@dataclass
class Visit:
    """Who asks for what. `account` and `session` are those of whoever is logged in."""

    desk: Desk
    request: Request
    form: Mapping[str, list[str]] = field(default_factory=dict)
    files: Mapping[str, list[SentFile]] = field(default_factory=dict)
    session: Session | None = None
    account: Account | None = None
    case_id: str = ""

    @property
    def env(self) -> Environment:
        """The outside."""
        return self.desk.env

    @property
    def name(self) -> str:
        """The account's name; empty where nobody is logged in."""
        return self.account.name if self.account else ""

    def sent(self, field_name: str) -> str:
        """What was sent in a field of the form; empty where nothing was."""
        return (self.form.get(field_name) or [""])[0]

    def asked(self, name: str) -> str:
        """A value of the address's query; empty where there is none."""
        found = parse_qs(self.request.url.query[:2000], max_num_fields=50)
        return (found.get(name) or [""])[0]

    def cookie(self, name: str) -> str:
        """A cookie of the request; empty where there is none."""
        return self.request.cookies.get(self.cookie_name(name), "")

    def cookie_name(self, name: str) -> str:
        """Under TLS a name that only this host can have set (RFC 6265bis, 4.1.3.2)."""
        return f"__Host-{name}" if self.desk.secure else name

    def keep_cookie(self, answer: Response, name: str, value: str, seconds: int | None) -> None:
        """Set a cookie that scripts cannot read and other sites do not send."""
        answer.set_cookie(
            self.cookie_name(name),
            value,
            max_age=seconds,
            path="/",
            secure=self.desk.secure,
            httponly=True,
            samesite="strict",
        )

    def token(self) -> Markup:
        """The hidden field that a form of the desk has: it tells it from other sites' forms."""
        csrf = self.session.csrf if self.session else ""
        return Markup('<input type="hidden" name="csrf" value="{}">').format(csrf)

    def may(self, act: Act) -> bool:
        """Whether the account's roles let it do an act."""
        return self.account is not None and role_for(self.account, act) is not None

    @cached_property
    def language(self) -> Language:
        """The language that the answer is in."""
        accepted = self.request.headers.get("accept-language", "")
        return languages.chosen(self.cookie(languages.COOKIE), accepted)

    def text(self, message: str, **values: object) -> str:
        """A text of the catalogue in the language, with its values."""
        said = languages.translations(self.language).gettext(message)
        return said % values if values else said

    @cached_property
    def clock(self) -> Clock | None:
        """The site's clock; None where no cameras are published, so that the zone is not known."""
        try:
            return Clock(site(self.env))
        except BadInput:
            return None

    def when(self, at: datetime, seconds: bool = False) -> Markup:
        """A moment in the site's zone with its offset, to the minute or second; UTC on hover."""
        local = at.astimezone(self.clock.zone if self.clock else UTC)
        utc = at.astimezone(UTC)
        offset = local.isoformat(timespec="minutes")[-6:]
        return Markup('<time datetime="{}" title="{} UTC">{} {}</time>').format(
            utc.isoformat(timespec="seconds"),
            f"{utc:%Y-%m-%d %H:%M:%S}",
            f"{local:%Y-%m-%d %H:%M:%S}" if seconds else f"{local:%Y-%m-%d %H:%M}",
            offset,
        )

    def render(self, template: str, **values: Any) -> str:
        """A template filled in."""
        told = {"visit": self, "text": self.text, "language": self.language, **values}
        return environment_of(self.language).get_template(template).render(told)

    def show(self, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """A page."""
        return HTMLResponse(self.render(template, **values), status)

    def problem(self, status: int, heading: str, detail: str = "") -> HTMLResponse:
        """A page that says what went wrong: `heading` in the language, `detail` as it is."""
        return self.show("problem.html", status, heading=heading, detail=detail)

    def go(self, path: str) -> RedirectResponse:
        """On to another page of the desk."""
        return RedirectResponse(path, 303)
