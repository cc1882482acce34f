"""An HTTP proxy on loopback between a client and a real store, which does what networks do."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal, NamedTuple

# cut: the connection breaks in the middle of the body; lose: the request is carried out and its
# answer is lost; refuse: the store denies it; busy: 503; silent: no answer, ever; slow: one second.
# broken: the store lists the object and cannot read it.
# late: the store's clock is an hour behind.
Fault = Literal["cut", "lose", "refuse", "busy", "silent", "slow", "broken", "late"]
_BROKEN = b"<Error><Code>InternalError</Code><Message>no chunk</Message></Error>"
_DENIED = b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>"
_BUSY = b"<Error><Code>SlowDown</Code><Message>later</Message></Error>"
_XML = [("Content-Type", "application/xml")]
_CHANGED = ("connection", "transfer-encoding", "content-length")


class Request(NamedTuple):
    """What a client asked."""

    method: str
    path: str


class FlakyProxy:
    """Forwards to `upstream`; `fault` says what goes wrong with a request, None: nothing."""

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.fault: Callable[[Request], Fault | None] = lambda _request: None
        self.seen: list[Request] = []
        self.endpoint = ""

    def once(self, method: str, fault: Fault, times: int = 1) -> None:
        """This goes wrong with the next requests of a method, and then nothing more."""
        left = [times]

        def some(request: Request) -> Fault | None:
            if request.method != method or not left[0]:
                return None
            left[0] -= 1
            return fault

        self.fault = some


def _forwarded(upstream: str, handler: BaseHTTPRequestHandler, body: bytes) -> tuple:
    there = http.client.HTTPConnection(upstream, timeout=30)
    there.putrequest(handler.command, handler.path, skip_host=True, skip_accept_encoding=True)
    for name, value in handler.headers.items():
        there.putheader(name, value)
    there.endheaders(body)
    answer = there.getresponse()
    data = answer.read()
    there.close()
    return answer.status, answer.getheaders(), data


def _an_hour_earlier(status: int, headers: list, data: bytes) -> tuple:
    date = formatdate(time.time() - 3600, usegmt=True)
    return status, [*(h for h in headers if h[0].lower() != "date"), ("Date", date)], data


@contextmanager
def flaky_proxy(upstream: str) -> Iterator[FlakyProxy]:
    """A proxy that runs until the end of the block."""
    proxy = FlakyProxy(upstream)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Nothing."""

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            request = Request(self.command, self.path)
            proxy.seen.append(request)
            fault = proxy.fault(request)
            if fault == "silent":
                time.sleep(60)
            elif fault == "refuse":
                self._answer(403, _XML, _DENIED)
            elif fault == "broken":
                self._answer(500, _XML, _BROKEN)
            elif fault == "busy":
                self._answer(503, _XML, _BUSY)
            else:
                if fault == "slow":
                    time.sleep(1)
                done = _forwarded(upstream, self, body)
                if fault == "late":
                    done = _an_hour_earlier(*done)
                if fault == "lose":
                    self.close_connection = True
                else:
                    self._answer(*done, cut=fault == "cut")

        def _answer(self, status: int, headers: list, data: bytes, cut: bool = False) -> None:
            self.send_response_only(status)
            for name, value in headers:
                if name.lower() not in _CHANGED:
                    self.send_header(name, value)
            length = dict((n.lower(), v) for n, v in headers).get("content-length", len(data))
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2] if cut else data)
            if cut:
                self.close_connection = True

        do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _serve

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    proxy.endpoint = f"127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
