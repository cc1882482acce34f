"""Connections that end: a request's head must be here in time, however slowly it trickles.

uvicorn itself waits without end for a first request, and lets single bytes renew its patience.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_S = 10.0
# A page asks for its style, scripts and pictures one after the other on a connection.
KEEP_ALIVE_S = 15
# Of connections without a whole request so many are kept: one more ends the oldest.
WAITING = 64
LONGEST_HEAD_BYTES = 16 * 1024

_waiting: OrderedDict[InTime, None] = OrderedDict()


class InTime(H11Protocol):
    """uvicorn's HTTP/1.1, with a time for each request's head and a bound on those that wait."""

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._arrived()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Some of a request: bytes alone renew nothing."""
        super().data_received(data)
        if self._answers():
            self._arrived()

    def on_response_complete(self) -> None:
        """Wait for the next request, unless it is here already."""
        super().on_response_complete()
        if not self._answers() and not self.transport.is_closing():
            self._wait()

    def _answers(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _wait(self) -> None:
        self._arrived()
        limit_s = HEAD_S + KEEP_ALIVE_S if self.cycle else HEAD_S
        self._timer = self.loop.call_later(limit_s, self._end)
        _waiting[self] = None
        if len(_waiting) > WAITING:
            next(iter(_waiting))._end()

    def _arrived(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        _waiting.pop(self, None)

    def _end(self) -> None:
        self._arrived()
        if self.transport is not None:
            self.transport.abort()


def waiting() -> list[Any]:
    """The connections that have sent no whole request."""
    return list(_waiting)
