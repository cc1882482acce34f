"""Who acts in this process or request, for the audit log."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal, NamedTuple

from data_contracts.audit import ActorRole


class Acting(NamedTuple):
    """Who acts in this process or request. `name` is made a pseudonym before it is written, except
    a service's.
    """

    kind: Literal["user", "account", "service"]
    name: str
    role: ActorRole
    # Asks the same again and again by schedule: the same refusal is written once a day.
    repeats: bool = False


_NOBODY_SAID = Acting("service", "encounter", "service")
_acting_now: ContextVar[Acting] = ContextVar("acting", default=_NOBODY_SAID)


def who_acts_now() -> Acting:
    """The present actor."""
    return _acting_now.get()


@contextmanager
def acting(who: Acting) -> Iterator[None]:
    """Entries written inside are this actor's."""
    before = _acting_now.set(who)
    try:
        yield
    finally:
        _acting_now.reset(before)


def service(name: str, repeats: bool = False) -> Acting:
    """A flow or a background pass."""
    return Acting("service", name, "service", repeats)


def this_user(role: ActorRole = "operator") -> Acting:
    """The account of the operating system that runs this process; not what the environment
    claims.
    """
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    return Acting("user", name, role)
