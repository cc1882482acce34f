"""Connections that end: a request's head must be here in time, however slowly it trickles."""

from __future__ import annotations

import io
import socket
import threading
import time
from collections import OrderedDict
from contextlib import suppress
from http.server import HTTPServer
from socketserver import ThreadingMixIn
from typing import Any

HEAD_S = 10.0
# For the whole answer: the largest is a clip of some megabytes.
ANSWER_S = 60.0
WAITING = 64


class InTime(io.RawIOBase):
    """Reads from a socket until a moment; then TimeoutError, also while single bytes arrive."""

    def __init__(self, connection: socket.socket, seconds: float) -> None:
        self._connection = connection
        self._end = time.monotonic() + seconds

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """What has come, within the time that is left."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("the request took too long")
        self._connection.settimeout(left)
        return self._connection.recv_into(buffer)


class Server(ThreadingMixIn, HTTPServer):
    """A thread a connection. Of those that have not sent their request at most WAITING are kept:
    one more ends the oldest.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: Any) -> None:
        super().__init__(address, handler)
        self._waiting: OrderedDict[socket.socket, None] = OrderedDict()
        self._lock = threading.Lock()

    def waits(self, connection: socket.socket) -> None:
        """A connection that has not sent its request yet."""
        with self._lock:
            self._waiting[connection] = None
            oldest = next(iter(self._waiting)) if len(self._waiting) > WAITING else None
        if oldest is not None:
            self.arrived(oldest)
            with suppress(OSError):
                oldest.shutdown(socket.SHUT_RDWR)

    def arrived(self, connection: socket.socket) -> None:
        """It has sent its request, or has ended."""
        with self._lock:
            self._waiting.pop(connection, None)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away or dawdles is not news; a trace would name paths."""
