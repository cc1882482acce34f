"""Sessions: who is logged in, kept by the server in memory; the browser has a random token.

Only the token's digest is kept. A session ends after a time without use, after a time at all, at
logout, and when the account's password, roles or one-time codes change. A desk that is started
again has none.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from data_contracts.account import Account

# Of one account at once; one more ends the one that was not used longest.
MOST_OF_ACCOUNT = 8


@dataclass
class Session:
    """One login. `credentials` is a digest of the account as it was at the login; `fresh_totp` a
    secret of one-time codes that the person has been shown and not confirmed.
    """

    name: str
    credentials: str
    begun_s: float
    used_s: float
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    fresh_totp: str = ""
    streams: int = 0


class Sessions:
    """The sessions of one process."""

    def __init__(
        self, idle_s: float, longest_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._idle_s = idle_s
        self._longest_s = longest_s
        self._clock = clock
        self._lock = threading.Lock()
        self._by_digest: dict[str, Session] = {}

    def open(self, account: Account) -> str:
        """Begin a session; the token for the browser."""
        token = secrets.token_urlsafe(32)
        now = self._clock()
        with self._lock:
            self._drop_ended(now)
            own = [d for d, s in self._by_digest.items() if s.name == account.name]
            own.sort(key=lambda digest: self._by_digest[digest].used_s)
            for digest in own[: len(own) + 1 - MOST_OF_ACCOUNT]:
                del self._by_digest[digest]
            made = Session(account.name, credentials_of(account), now, now)
            self._by_digest[_digest(token)] = made
        return token

    def find(self, token: str, used: bool = True) -> Session | None:
        """The session of a token. `used`: it was a person, so the idle time begins anew."""
        now = self._clock()
        with self._lock:
            self._drop_ended(now)
            found = self._by_digest.get(_digest(token)) if token else None
            if found is not None and used:
                found.used_s = now
            return found

    def close(self, token: str) -> None:
        """End a session; one that is not there is ended already."""
        with self._lock:
            self._by_digest.pop(_digest(token), None)

    def _drop_ended(self, now: float) -> None:
        ended = [
            digest
            for digest, session in self._by_digest.items()
            if now - session.used_s > self._idle_s or now - session.begun_s > self._longest_s
        ]
        for digest in ended:
            del self._by_digest[digest]


def credentials_of(account: Account) -> str:
    """A digest that changes with whatever ends an account's sessions."""
    return hashlib.sha256(account.model_dump_json().encode()).hexdigest()


def is_of(session: Session, account: Account | None) -> bool:
    """Whether a session's account is there and as it was at the login."""
    if account is None or account.name != session.name:
        return False
    return hmac.compare_digest(session.credentials, credentials_of(account))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
