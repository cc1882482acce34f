"""The local Prefect server behind its login: Prefect's own checks, and a wall where they have gaps.

Prefect answers health checks and shows its API's description to anyone. Here everything but the
UI's own files, which are Prefect's and the same everywhere, asks for the login first.
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

_CLOSED = ("/api", "/docs", "/redoc", "/openapi.json")


def command(port: int) -> list[str]:
    """The command line that serves on a port of 127.0.0.1."""
    return [sys.executable, "-m", __name__, str(port)]


class Wall:
    """Refuses a request without the login before Prefect sees it.

    Not those of websockets: Prefect reads their login from the first message, and refuses without.
    Nor a browser's question which origins may ask (OPTIONS), which carries no login.
    """

    def __init__(self, app: App, login: str) -> None:
        self.app = app
        self._expected = b"Basic " + base64.b64encode(login.encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on or refuse."""
        if scope["type"] == "http" and self._closed(scope) and not self._has_login(scope):
            await _refuse(send)
        else:
            await self.app(scope, receive, send)

    def _closed(self, scope: Scope) -> bool:
        return scope["method"] != "OPTIONS" and scope["path"].startswith(_CLOSED)

    def _has_login(self, scope: Scope) -> bool:
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        return len(given) == 1 and hmac.compare_digest(given[0], self._expected)


async def _refuse(send: Send) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 401, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"exception_message":"Unauthorized"}'})


def main(port: int) -> None:
    """Serve until SIGTERM."""
    no_dumps()
    login = os.environ[LOGIN_VARIABLE]
    import uvicorn
    from prefect.server.api.server import create_app

    app = Wall(create_app(final=True), login)
    # As `prefect server start` does.
    uvicorn.run(app, host="127.0.0.1", port=port, timeout_keep_alive=5, log_level="warning")


if __name__ == "__main__":
    main(int(sys.argv[1]))
