"""Accounts of the desk: one a person, in a file that its owner alone can read.

Passwords are kept as argon2id hashes. A browser that logged in gets a device mark: it opens nothing
by itself, but its attempts are counted apart from strangers', so that nobody who tries passwords
keeps a colleague out (OWASP's "device cookies").
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path

import pyotp
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from pydantic import ValidationError

from data_contracts.account import NAME_PATTERN, ROLES, Account, AccountFile, Role
from data_contracts.errors import BadInput, KeyMissing
from infra.held_file import in_turn
from infra.stack_record import read_private, replace_private

LEAST_PASSWORD = 12
LONGEST_PASSWORD = 1024
DEVICE_DAYS = 90
# RFC 6238: a code counts for its half minute, and for those before and after.
_CODE_S = 30
_CODE_DRIFT = (-1, 0, 1)


class Accounts:
    """The accounts of a file, read at each use: a change counts at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        # argon2id as RFC 9106 recommends where memory is scarce: 64 MiB, three passes, four lanes.
        self._hasher = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=4)
        # Each hash takes 64 MiB: two at a time, whoever asks.
        self._hashing = threading.Semaphore(2)
        self._spent_codes: dict[str, int] = {}

    def all(self) -> tuple[Account, ...]:
        """Every account by name."""
        return tuple(sorted(self._read_file().accounts, key=lambda account: account.name))

    def names(self) -> list[str]:
        """Who has an account."""
        return [account.name for account in self.all()]

    def find(self, name: str) -> Account | None:
        """The account of that name, or None."""
        return next((a for a in self._read_file().accounts if a.name == name), None)

    def get(self, name: str) -> Account:
        """The account of that name. Raises BadInput where there is none."""
        found = self.find(name)
        if found is None:
            there = ", ".join(self.names()) or "none"
            raise BadInput(f"no account {name[:40]!r}; there are: {there}")
        return found

    def of_subject(self, subject: str) -> Account | None:
        """The account of who is this at a provider of logins (`Account.subject`), or None."""
        return next((a for a in self._read_file().accounts if a.subject == subject), None)

    def add(
        self,
        name: str,
        roles: Iterable[str],
        password: str | None = None,
        subject: str = "",
    ) -> str:
        """Make an account; returns its password, a random one that must be changed where none is
        given. With a `subject` at a provider of logins no password opens it. Raises BadInput, also
        where there is one of that name or subject.
        """
        if subject and self.of_subject(subject) is not None:
            raise BadInput("there is an account for this person at the provider already")
        if not re.match(NAME_PATTERN, name):
            raise BadInput(
                f"account {name[:40]!r}: expected 2 to 32 small letters, digits, dots, hyphens"
            )
        word = _password(name, password)
        made = Account(
            name=name,
            password=self._hash(word),
            roles=checked_roles(roles),
            must_change=password is None and not subject,
            subject=subject,
        )
        self._change(lambda known: (*_without(known, name), made))
        return word

    def set_password(self, name: str, password: str | None = None) -> str:
        """Give an account a new password, a random one that must be changed where none is given;
        returns it. Its sessions and device marks end. Raises BadInput.
        """
        if self.get(name).subject:
            raise BadInput(f"{name} logs in through the provider: there is no password to set")
        word = _password(name, password)
        self._replace(name, password=self._hash(word), must_change=password is None)
        return word

    def set_roles(self, name: str, roles: Iterable[str]) -> None:
        """Give an account these roles and no others. Raises BadInput."""
        self._replace(name, roles=checked_roles(roles))

    def set_totp(self, name: str, secret: str) -> None:
        """Ask for one-time codes of this secret from now on; empty: ask for none."""
        self._replace(name, totp=secret)

    def remove(self, name: str) -> None:
        """Take an account away; that of who logs in through a provider is closed, so that their
        next login does not make it anew. Raises BadInput where there is none.
        """
        if self.get(name).subject:
            self._replace(name, closed=True)
            return
        self._change(lambda known: tuple(a for a in known if a.name != name))

    def reopen(self, name: str) -> None:
        """Let who logs in through a provider come in again. Raises BadInput where there is none."""
        self._replace(name, closed=False)

    def verify(self, name: str, password: str, code: str = "") -> Account | None:
        """The account, where password and one-time code are right. Takes as long where there is no
        such account.
        """
        account = self.find(name)
        known = self._matches(account.password if account else self._nobody, password)
        if account is None or not known or account.subject:
            return None
        return account if not account.totp or self.take_code(account, account.totp, code) else None

    def matches(self, name: str, password: str) -> bool:
        """Whether a password is an account's."""
        account = self.find(name)
        return account is not None and self._matches(account.password, password)

    def take_code(self, account: Account, secret: str, code: str) -> bool:
        """Whether a one-time code is right now; each counts once."""
        now = int(time.time()) // _CODE_S
        for step in (now + drift for drift in _CODE_DRIFT):
            right = pyotp.TOTP(secret).at(step * _CODE_S)
            if hmac.compare_digest(right.encode(), code.strip().encode()):
                spent = self._spent_codes.get(account.name, 0)
                self._spent_codes[account.name] = max(step, spent)
                return step > spent
        return False

    def link(self, name: str) -> str:
        """A device mark to hand over. Raises BadInput where there is no such account."""
        self.get(name)
        return self.device_mark(name)

    def device_mark(self, name: str) -> str:
        """A mark for a browser of this account. Void when the account's password changes."""
        until = int(time.time()) + DEVICE_DAYS * 86_400
        return f"{name}:{until}:{self._signature_of(name, until)}"

    def device(self, mark: str) -> str | None:
        """The account whose mark this is; None where it is none, or out of date."""
        name, _, rest = mark.partition(":")
        until, _, signature = rest.partition(":")
        if not re.fullmatch(r"[0-9]{1,12}", until, re.ASCII) or int(until) < time.time():
            return None
        expected = self._signature_of(name, int(until))
        same = hmac.compare_digest(signature.encode(), expected.encode())
        return name if expected and same else None

    @cached_property
    def _nobody(self) -> str:
        """A hash that no password has, so that unknown names take as long."""
        return self._hash(secrets.token_urlsafe(32))

    def _hash(self, password: str) -> str:
        with self._hashing:
            return self._hasher.hash(password)

    def _matches(self, hashed: str, password: str) -> bool:
        if not password or len(password) > LONGEST_PASSWORD:
            return False
        try:
            with self._hashing:
                return self._hasher.verify(hashed, password)
        except (VerificationError, InvalidHashError):
            return False

    def _signature_of(self, name: str, until: int) -> str:
        account = self.find(name)
        if account is None:
            return ""
        secret = self._read_file().secret.encode()
        said = f"device\0{name}\0{until}\0{account.password}".encode()
        return hmac.new(secret, said, hashlib.sha256).hexdigest()

    def _replace(self, name: str, **changes: object) -> None:
        self.get(name)

        def changed(account: Account) -> Account:
            return account.model_copy(update=changes) if account.name == name else account

        self._change(lambda known: tuple(map(changed, known)))

    def _change(self, change: Callable[[tuple[Account, ...]], tuple[Account, ...]]) -> None:
        with in_turn(self.path.with_suffix(".lock")):
            known = self._read_file()
            if not self.path.exists():
                known = AccountFile(secret=secrets.token_urlsafe(32))
            changed = known.model_copy(update={"accounts": change(known.accounts)})
            replace_private(self.path, json.dumps(changed.model_dump(mode="json"), indent=1))

    def _read_file(self) -> AccountFile:
        try:
            return AccountFile.model_validate_json(read_private(self.path, "accounts' file"))
        except KeyMissing:
            return AccountFile(secret="-" * 43)  # no account, so nothing is signed with it
        except ValidationError:
            raise BadInput(
                f"{self.path}: expected the desk's accounts; delete it and add them again"
            ) from None


def checked_roles(roles: Iterable[str]) -> tuple[Role, ...]:
    """Roles by their names, in the order of the list of all. Raises BadInput."""
    wanted = set(roles)
    if not wanted or wanted - set(ROLES):
        raise BadInput(f"expected one role or more of: {', '.join(ROLES)}")
    return tuple(role for role in ROLES if role in wanted)


def _without(known: tuple[Account, ...], name: str) -> tuple[Account, ...]:
    """The accounts, where none has the name. Raises BadInput."""
    if any(account.name == name for account in known):
        raise BadInput(f"there is an account {name} already: give it a new password instead")
    return known


def _password(name: str, given: str | None) -> str:
    """The password to set: the given one, or a random one. Raises BadInput."""
    if given is None:
        return secrets.token_urlsafe(18)
    if not LEAST_PASSWORD <= len(given) <= LONGEST_PASSWORD:
        raise BadInput(f"a password has {LEAST_PASSWORD} to {LONGEST_PASSWORD} characters")
    if len(set(given)) < 5 or name in given.lower():
        raise BadInput("a password has five different characters or more, and not its own account")
    return given
