"""Accounts of the desk: who may log in, as what, and who sees which case."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field

from data_contracts.record import Record

Role = Literal["tracer", "consent-officer", "approver", "reviewer", "administrator", "auditor"]
ROLES: tuple[Role, ...] = get_args(Role)
NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{1,31}$"


class Account(Record):
    """One person. `password` is an argon2id hash in its usual text form; `totp` the secret of the
    one-time codes in base32, empty where none are asked for; `must_change`: somebody else knows
    the password, so it opens nothing but the page that changes it. `subject`: issuer and subject
    of who logs in through a provider; then no password opens it. `closed`: an administrator took
    it away, and the provider's login does not bring it back.
    """

    name: str = Field(pattern=NAME_PATTERN)
    password: str = Field(min_length=60)
    roles: tuple[Role, ...]
    totp: str = Field(default="", pattern=r"^([A-Z2-7]{32})?$")
    must_change: bool = False
    subject: str = Field(default="", max_length=700)
    closed: bool = False


class AccountFile(Record):
    """All accounts of an installation, and the secret that device marks are made with."""

    version: Literal[1] = 1
    secret: str = Field(min_length=43)
    accounts: tuple[Account, ...] = ()


class Assignment(Record):
    """Which accounts see a case; lies in the case, sealed under its key, and goes with it."""

    version: Literal[1] = 1
    accounts: tuple[str, ...] = ()
