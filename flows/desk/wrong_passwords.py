"""Wrong passwords in the audit log, without letting whoever tries them fill it."""

from __future__ import annotations

import threading
import time

from data_contracts.account import Role
from data_contracts.errors import StoreError
from flows.runtime.acting import Acting, acting
from flows.runtime.audit import audit
from flows.runtime.environment import Environment

# A wrong password is written to the audit log at most this often; those in between are counted in
# the next entry.
_WRONG_EVERY_S = 60.0
_NOBODYS: Role = "tracer"


class WrongPasswords:
    """Counts wrong passwords and writes them down."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting = 0
        self._written_s = float("-inf")

    def count(self, env: Environment, account: str, role: Role = _NOBODYS) -> None:
        """One more, by who calls themselves `account`. Where the log cannot be written it waits for
        the next.
        """
        with self._lock:
            self._waiting += 1
            if time.monotonic() - self._written_s < _WRONG_EVERY_S:
                return
            try:
                with acting(Acting("account", account, role)):
                    counts = {"attempts": self._waiting}
                    reason = "desk: wrong password"
                    audit(env, "refuse", outcome="refused", reason=reason, counts=counts)
            except StoreError:
                return
            self._waiting = 0
            self._written_s = time.monotonic()
