"""Limits on trying passwords: back-off by address, by account and by browser, and a bound on all
strangers together.

A refused attempt costs nothing and lengthens nothing: a wait ends when it was said to end.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

# This many wrong passwords are free; then the wait doubles from one second to a minute.
FREE = 5
LONGEST_WAIT_S = 60.0
# All strangers together: a burst, then one attempt each so many seconds. Bounds guesses to some
# thousands a day and the time spent on hashing to a few percent of a core.
BURST = 20
REFILL_S = 5.0
# Addresses kept in memory; the one that was quiet longest is forgotten.
_MOST_REMEMBERED = 10_000
_FORGIVEN_S = 900.0


@dataclass
class _Record:
    wrong: int = 0
    free_at: float = 0.0
    last: float = 0.0


class Attempts:
    """Counts wrong passwords by who tries and at what: an address and an account, or the device
    mark of a known browser.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._by_who: OrderedDict[str, _Record] = OrderedDict()
        self._tokens = float(BURST)
        self._filled = clock()

    def wait_s(self, *whos: str, known: bool) -> float:
        """Seconds until all of `whos` may try; 0: the attempt is admitted. `known`: a browser that
        logged in before, which the bound on strangers does not hold up.
        """
        with self._lock:
            now = self._clock()
            free_at = [self._by_who[who].free_at for who in whos if who in self._by_who]
            wait = max(free_at, default=now) - now
            if wait > 0:
                return wait
            return 0.0 if known else self._take_token(now)

    def wrong(self, *whos: str) -> None:
        """A password was wrong."""
        with self._lock:
            now = self._clock()
            for who in whos:
                self._count(who, now)
            while len(self._by_who) > _MOST_REMEMBERED:
                self._by_who.popitem(last=False)

    def right(self, *whos: str, known: bool) -> None:
        """A password was right: what it took is given back, and earlier errors are forgotten."""
        with self._lock:
            for who in whos:
                self._by_who.pop(who, None)
            if not known:
                self._tokens = min(float(BURST), self._tokens + 1)

    def _count(self, who: str, now: float) -> None:
        record = self._by_who.pop(who, None) or _Record()
        if now - record.last > _FORGIVEN_S:
            record = _Record()
        record.wrong += 1
        record.last = now
        if record.wrong >= FREE:
            record.free_at = now + min(LONGEST_WAIT_S, 2.0 ** (record.wrong - FREE))
        self._by_who[who] = record

    def _take_token(self, now: float) -> float:
        self._tokens = min(float(BURST), self._tokens + (now - self._filled) / REFILL_S)
        self._filled = now
        if self._tokens < 1:
            return (1 - self._tokens) * REFILL_S
        self._tokens -= 1
        return 0.0
