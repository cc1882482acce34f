"""The desk as a program: uvicorn on this machine, or with TLS for others."""

from __future__ import annotations

import sys

import uvicorn

from flows.desk.app import make_app
from flows.desk.connections import KEEP_ALIVE_S, LONGEST_HEAD_BYTES, InTime
from flows.desk.desk import Desk, open_desk
from flows.runtime.environment import environment
from flows.runtime.prefect_api import use_server
from infra.no_dumps import no_dumps

# Requests at work at once; uvicorn answers 503 to more. A page is some milliseconds, a live page
# holds one for as long as it is open.
_MOST_AT_ONCE = 512


def command(port: int) -> list[str]:
    """The command line that serves on a port."""
    return [sys.executable, "-m", __name__, str(port)]


def make_server(desk: Desk, port: int) -> uvicorn.Server:
    """The server of a desk, not started yet."""
    wanted = desk.env.settings.desk
    config = uvicorn.Config(
        make_app(desk),
        host="0.0.0.0" if wanted.network else "127.0.0.1",  # noqa: S104  with TLS alone, by setting
        port=port,
        http=InTime,
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_MOST_AT_ONCE,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=3,
        h11_max_incomplete_event_size=LONGEST_HEAD_BYTES,
        ssl_certfile=wanted.certificate,
        ssl_keyfile=wanted.key,
    )
    return uvicorn.Server(config)


def serve(port: int) -> None:
    """Serve until stopped."""
    no_dumps()
    env = environment()
    use_server(env.settings)
    make_server(open_desk(env, port), port).run()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
