"""The local Prefect server behind its login: Prefect's own checks, and a wall where they have gaps.

Prefect answers health checks and shows its API's description to anyone. Here everything but the
UI's own files, which are Prefect's and the same everywhere, asks for the login first. The UI comes
with a product analysis of its maker's that no setting turns off: each answer tells the browser to
ask nobody but this server.
"""

from __future__ import annotations

import base64
import hmac
import os
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from infra.local.prefect_server import LOGIN_VARIABLE
from infra.no_dumps import no_dumps

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_CLOSED_PATHS = ("/api", "/docs", "/redoc", "/openapi.json")
# The UI asks for it without the login, and says that the server is down where it is refused.
_HEALTH = "/api/health"


def command(port: int) -> list[str]:
    """The command line that serves on a port of 127.0.0.1."""
    return [sys.executable, "-m", __name__, str(port)]


class Wall:
    """Refuses a request without the login before Prefect sees it.

    Not those of websockets: Prefect reads their login from the first message, and refuses without.
    Nor a browser's question which origins may ask (OPTIONS), which carries no login.
    """

    def __init__(self, app: App, login: str, port: int) -> None:
        self.app = app
        self._told = _to_the_browser(port)
        self._expected = b"Basic " + base64.b64encode(login.encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on or refuse."""

        async def tell(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *self._told]
            await send(message)

        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif self._is_closed(scope) and not self._has_login(scope):
            await _send_refusal(tell)
        else:
            await self.app(scope, receive, tell)

    def _is_closed(self, scope: Scope) -> bool:
        if scope["path"] == _HEALTH and (b"sec-fetch-site", b"same-origin") in scope["headers"]:
            return False
        return scope["method"] != "OPTIONS" and scope["path"].startswith(_CLOSED_PATHS)

    def _has_login(self, scope: Scope) -> bool:
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        return len(given) == 1 and hmac.compare_digest(given[0], self._expected)


def _to_the_browser(port: int) -> list[tuple[bytes, bytes]]:
    rules = (
        "default-src 'self'",
        f"connect-src 'self' ws://127.0.0.1:{port}",
        "script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
    return [
        (b"content-security-policy", "; ".join(rules).encode()),
        (b"referrer-policy", b"no-referrer"),
        (b"x-content-type-options", b"nosniff"),
    ]


async def _send_refusal(send: Send) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 401, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"exception_message":"Unauthorized"}'})


def main(port: int) -> None:
    """Serve until SIGTERM."""
    no_dumps()
    login = os.environ[LOGIN_VARIABLE]
    import uvicorn
    from prefect.server.api.server import create_app

    app = Wall(create_app(final=True), login, port)
    # As `prefect server start` does.
    uvicorn.run(app, host="127.0.0.1", port=port, timeout_keep_alive=5, log_level="warning")


if __name__ == "__main__":
    main(int(sys.argv[1]))
