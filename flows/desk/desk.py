"""What the desk keeps while it runs: accounts, sessions, attempts, names, and what it reaches."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from functools import cached_property

from flows.cases.camera_footage import Stills
from flows.cases.health import Health
from flows.cases.metrics import Metrics
from flows.desk.accounts import Accounts
from flows.desk.attempts import Attempts
from flows.desk.provider import Provider
from flows.desk.sessions import Sessions
from flows.desk.wall import Names
from flows.desk.wrong_passwords import WrongPasswords
from flows.runtime.environment import Environment
from infra.stack_record import replace_private

_MOST_REMEMBERED = 10_000


class SeenCases:
    """Which account saw which case, so that whoever saw one is told that it is gone: who sees it
    is written in the case and goes with it. In memory alone.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: OrderedDict[tuple[str, str], None] = OrderedDict()

    def add(self, name: str, case_id: str) -> None:
        """The account sees the case now."""
        with self._lock:
            self._seen[name, case_id] = None
            self._seen.move_to_end((name, case_id))
            while len(self._seen) > _MOST_REMEMBERED:
                self._seen.popitem(last=False)

    def __contains__(self, seen: tuple[str, str]) -> bool:
        return seen in self._seen

    def of(self, name: str) -> list[str]:
        """The cases that an account has seen."""
        with self._lock:
            return [case_id for who, case_id in self._seen if who == name]


@dataclass(frozen=True)
class Desk:
    """One running desk."""

    env: Environment
    names: Names
    accounts: Accounts
    sessions: Sessions
    attempts: Attempts = field(default_factory=Attempts)
    wrong_passwords: WrongPasswords = field(default_factory=WrongPasswords)
    seen: SeenCases = field(default_factory=SeenCases)
    stills: Stills = field(default_factory=Stills)
    provider: Provider | None = None

    @cached_property
    def health(self) -> Health:
        """What `/health` asks."""
        return Health(self.env)

    @cached_property
    def metrics(self) -> Metrics:
        """What `/metrics` shows."""
        return Metrics(self.env)

    @property
    def secure(self) -> bool:
        """Whether browsers reach it by TLS."""
        return self.names.secure


def open_desk(env: Environment, port: int) -> Desk:
    """A desk of this environment on a port."""
    wanted = env.settings.desk
    token = env.settings.paths.metrics_token_file
    if not token.exists():
        replace_private(token, secrets.token_urlsafe(32) + "\n")
    return Desk(
        env,
        Names.of(port, wanted.certificate is not None, env.settings.report_link_base),
        Accounts(env.settings.paths.desk_accounts_file),
        Sessions(60.0 * wanted.idle_minutes, 3600.0 * wanted.session_hours),
        provider=Provider(wanted.provider) if wanted.provider.issuer else None,
    )
