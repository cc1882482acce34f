"""What stands before every page: own names only, own pages only, headers that keep others out, an
answer that is taken in time.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# For each piece of an answer, which are some hundred kilobytes at most.
ANSWER_S = 60.0
# What a page may load and do: its own files. No script or style stands in a page.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": POLICY,
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "server": "encounter",
}
_HSTS = ("strict-transport-security", "max-age=31536000")
_READS = ("GET", "HEAD")


class Names(NamedTuple):
    """Under what the desk answers: hosts, and the origins of its own pages."""

    hosts: frozenset[str]
    origins: frozenset[str]
    secure: bool

    @classmethod
    def of(cls, port: int, tls: bool, link_base: str) -> Names:
        """Loopback by this port, and the address that links begin with."""
        own = {f"127.0.0.1:{port}", f"localhost:{port}"}
        scheme = "https" if tls else "http"
        origins = {f"{scheme}://{host}" for host in own}
        linked = urlsplit(link_base.lower())
        if linked.netloc:
            own.add(linked.netloc)
            origins.add(f"{linked.scheme}://{linked.netloc}")
        return cls(frozenset(own), frozenset(origins), tls or linked.scheme == "https")


class Wall:
    """Refuses before the pages see a request."""

    def __init__(self, app: App, names: Names) -> None:
        self._app = app
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on or refuse."""
        if scope["type"] != "http":
            return
        given = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }

        async def tell(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = self._with_headers(message.get("headers", ()))
                # The status only: a path names a case.
                sys.stderr.write(f"{scope['method']} {message['status']}\n")
            await asyncio.wait_for(send(message), ANSWER_S)

        if given.get("host", "").lower() not in self._names.hosts:
            await _refuse(tell, 421, "this address is not the desk")
        elif not self._asked_for_itself(scope["method"], given):
            await _refuse(tell, 403, "open the desk itself: other pages may not use it")
        else:
            await self._app(scope, receive, tell)

    def _asked_for_itself(self, method: str, given: dict[str, str]) -> bool:
        """Whether a person opened it, or a page of the desk asked; programs that are no browser
        send no such headers. What changes something comes from the desk's own pages.
        """
        site = given.get("sec-fetch-site", "none")
        if method not in _READS:
            return site in ("none", "same-origin") and given.get("origin") in self._names.origins
        opened = (given.get("sec-fetch-mode"), given.get("sec-fetch-dest"))
        return site in ("none", "same-origin") or opened == ("navigate", "document")

    def _with_headers(self, headers: Any) -> list[tuple[bytes, bytes]]:
        there = {name.lower() for name, _ in headers}
        ours = [*_HEADERS.items(), *([_HSTS] if self._names.secure else [])]
        added = [(n.encode(), v.encode()) for n, v in ours if n.encode() not in there]
        return [*headers, *added]


async def _refuse(send: Send, status: int, text: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": f"{text}\n".encode()})
