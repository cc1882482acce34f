"""Accounts of the reports' page: one a person, in a file that its owner alone can read.

Passwords are kept as scrypt hashes (RFC 7914) with a salt each. A browser that logged in gets a
device mark: it opens nothing by itself, but its attempts are counted apart from strangers', so
that nobody who tries passwords keeps a reviewer out (OWASP's "device cookies").
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
import threading
import time
from pathlib import Path

from pydantic import Field, ValidationError

from data_contracts.errors import BadInput, KeyMissing
from data_contracts.record import Record
from infra.stack_record import read_private, replace_private

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,31}")
LEAST_PASSWORD = 12
LONGEST_PASSWORD = 1024
# OWASP's password storage sheet: N 2^15, r 8, p 3 (32 MiB, about 0.2 s here).
_SCRYPT_COST = {"n": 1 << 15, "r": 8, "p": 3, "maxmem": 64 << 20, "dklen": 32}
# A page asks for its pictures and tables with the same password: it is not hashed again so soon.
_REMEMBER_S = 300.0
DEVICE_DAYS = 90


class Account(Record):
    """One person: salt and hash of the password in base64."""

    name: str
    salt: str = Field(min_length=22)
    hash: str = Field(min_length=43)


class AccountFile(Record):
    """All accounts, and the secret that device marks are made with."""

    secret: str = Field(min_length=43)
    accounts: tuple[Account, ...] = ()


class Accounts:
    """The accounts of a file, read at each use: a change counts at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._process_secret = secrets.token_bytes(32)
        self._remembered: dict[bytes, float] = {}
        # Each hash takes 32 MiB: two at a time, whoever asks.
        self._hashing = threading.Semaphore(2)

    def names(self) -> list[str]:
        """Who has an account."""
        return [account.name for account in self._read_file().accounts]

    def add(self, name: str, password: str | None = None) -> str:
        """Make an account, or give it a new password; returns the password, a random one where
        none is given. Raises BadInput.
        """
        if not NAME.fullmatch(name):
            raise BadInput(
                f"account {name!r}: expected 2 to 32 small letters, digits, dots, hyphens"
            )
        word = secrets.token_urlsafe(18) if password is None else password
        if not LEAST_PASSWORD <= len(word) <= LONGEST_PASSWORD:
            raise BadInput(f"a password has {LEAST_PASSWORD} to {LONGEST_PASSWORD} characters")
        salt = secrets.token_bytes(16)
        made = Account(
            name=name, salt=_base64_text(salt), hash=_base64_text(self._password_hash(word, salt))
        )
        known = self._read_file()
        if not self.path.exists():
            known = AccountFile(secret=secrets.token_urlsafe(32))
        others = tuple(account for account in known.accounts if account.name != name)
        self._write_file(known.model_copy(update={"accounts": (*others, made)}))
        return word

    def remove(self, name: str) -> None:
        """Take an account away. Raises BadInput where there is none."""
        known = self._read_file()
        self._must_know(name)
        left = tuple(account for account in known.accounts if account.name != name)
        self._write_file(known.model_copy(update={"accounts": left}))

    def verify(self, name: str, password: str) -> bool:
        """Whether the password is the account's. Takes as long where there is no such account."""
        account = self._find_account(name)
        if not password or len(password) > LONGEST_PASSWORD:
            return False
        key = self._short_digest(account, password) if account else b""
        if account and self._remembered.get(key, 0.0) > time.monotonic():
            return True
        salt = base64.b64decode(account.salt) if account else bytes(16)
        right = base64.b64decode(account.hash) if account else bytes(32)
        same = (
            hmac.compare_digest(self._password_hash(password, salt), right) and account is not None
        )
        if same:
            self._remembered = {key: time.monotonic() + _REMEMBER_S, **self._still_remembered()}
        return same

    def link(self, name: str) -> str:
        """A device mark to hand over. Raises BadInput where there is no such account."""
        self._must_know(name)
        return self.device_mark(name)

    def device_mark(self, name: str) -> str:
        """A mark for a browser of this account. Void when the account's password changes."""
        until = int(time.time()) + DEVICE_DAYS * 86_400
        return f"{name}:{until}:{self._signature_of(name, until)}"

    def device(self, mark: str) -> str | None:
        """The account whose mark this is; None where it is none, or out of date."""
        name, _, rest = mark.partition(":")
        until, _, signature = rest.partition(":")
        if not re.fullmatch(r"[0-9]{1,12}", until) or int(until) < time.time():
            return None
        expected = self._signature_of(name, int(until))
        same = hmac.compare_digest(signature.encode(), expected.encode())
        return name if expected and same else None

    def _must_know(self, name: str) -> None:
        if name not in self.names():
            raise BadInput(f"no account {name!r}; there are: {', '.join(self.names()) or 'none'}")

    def _signature_of(self, name: str, until: int) -> str:
        account = self._find_account(name)
        if account is None:
            return ""
        secret = self._read_file().secret.encode()
        said = f"device\0{name}\0{until}\0{account.hash}".encode()
        return hmac.new(secret, said, hashlib.sha256).hexdigest()

    def _find_account(self, name: str) -> Account | None:
        return next((a for a in self._read_file().accounts if a.name == name), None)

    def _short_digest(self, account: Account, password: str) -> bytes:
        said = f"{account.name}\0{account.hash}\0{password}".encode()
        return hmac.new(self._process_secret, said, hashlib.sha256).digest()

    def _still_remembered(self) -> dict[bytes, float]:
        now = time.monotonic()
        return {key: until for key, until in self._remembered.items() if until > now}

    def _password_hash(self, password: str, salt: bytes) -> bytes:
        # HMAC, which scrypt begins with, fills its key up with zero bytes: "x" and "x\0" would be
        # one password.
        whole = hashlib.sha512(password.encode()).digest()
        with self._hashing:
            return hashlib.scrypt(whole, salt=salt, **_SCRYPT_COST)

    def _read_file(self) -> AccountFile:
        try:
            return AccountFile.model_validate_json(read_private(self.path, "accounts' file"))
        except KeyMissing:
            return AccountFile(secret="-" * 43)  # no account, so nothing is signed with it
        except ValidationError:
            raise BadInput(
                f"{self.path}: expected the reports' accounts; delete it and add them again"
            ) from None

    def _write_file(self, accounts: AccountFile) -> None:
        replace_private(self.path, json.dumps(accounts.model_dump(mode="json"), indent=1))


def _base64_text(data: bytes) -> str:
    return base64.b64encode(data).decode()
