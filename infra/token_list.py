"""The list of tokens that were filed or withdrawn: what makes a token good for one filing only.

In the audit bucket lies for each token, under a keyed digest of its id, an object that says for
which filing it was used, one where it was withdrawn, one where its case ended, and one for each run
that read footage under it. All are under object lock where the store has it, and outlive the case:
they name nobody, and without the list's key nobody can tell which token a digest is of.

A filing is known by a secret that is derived from the case's key: it dies with the key, so after
withdrawal, closing or expiry nothing can be filed under the same tokens again, whoever destroyed
the case and however. Nothing has to be written at the end of a case for that. That it ended is
written for another reason: who kept the case's objects, its wrapped key too, may put them back.

All versions of an object count, delete markers too: hiding or replacing one can make a token
useless, never usable again. Where the store has no object lock, whoever may delete versions in the
audit bucket can make a token unknown, which ends its case and lets it be filed once more.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from contextlib import suppress
from datetime import datetime, timedelta
from typing import NamedTuple

from data_contracts import object_key
from data_contracts.authorisation import Grant, Standing
from data_contracts.errors import BadInput, KeyMissing, NotAuthorised
from data_contracts.object_key import AUDIT
from data_contracts.time import now_utc
from infra.case_store import CaseVault
from infra.crypto import KEY_BYTES
from infra.master_keys import MasterKey, MasterKeys
from infra.store import ObjectInfo, ObjectStore

_FILED = "filed"
_WITHDRAWN = "withdrawn"
_ENDED = "ended"
_RUNS = "runs"
_KEY_CONTEXT = "token-list"
# A digest, or a wrapped key in a line of JSON; longer is not ours.
_LONGEST_BYTES = 4096


class TokenId(NamedTuple):
    """What tells a token: its signer's key and its `jti`. `expires_utc`: how long it could be
    used.
    """

    key_id: str
    token_id: str
    expires_utc: datetime


def id_of(grant: Grant) -> TokenId:
    """The id of a token whose signature was checked."""
    return TokenId(grant.key_id, grant.token_id, grant.expires_utc)


class TokenList:
    """Reads and writes the list. Methods raise StoreError; then nothing is allowed."""

    def __init__(
        self, store: ObjectStore, keys: MasterKeys, lock_days: int, *, locked: bool
    ) -> None:
        """`locked`: whether the audit bucket has object lock."""
        self.store = store
        self._keys = keys
        self._lock_days = lock_days
        self._locked = locked
        self._secret: bytes | None = None

    def __repr__(self) -> str:
        return "TokenList()"

    def before_filing(self, token: TokenId, vault: CaseVault | None = None) -> Standing:
        """What a filing may do with a token: use it where it is new, or where this very filing (of
        `vault`) broke off after it had taken it.
        """
        found = self._versions(token)
        if found.withdrawn:
            return "withdrawn"
        if found.ended:
            return "spent"
        if not found.filed:
            return "usable"
        mine = vault is not None and self._is_mine(found.filed, vault)
        return "usable" if mine else "spent"

    def standing(self, token: TokenId, vault: CaseVault) -> Standing:
        """Whether a token still stands for the case of this vault."""
        found = self._versions(token)
        if found.withdrawn:
            return "withdrawn"
        if found.ended:
            return "spent"
        if not found.filed:
            return "unregistered"
        return "usable" if self._is_mine(found.filed, vault) else "spent"

    def take(self, token: TokenId, vault: CaseVault) -> None:
        """Use a token for the case of this vault. Raises NotAuthorised where another filing has
        it.
        """
        self._write(token, _FILED, _filing(vault))
        if self.standing(token, vault) != "usable":
            raise NotAuthorised("refused: the token was used for a case before")

    def withdraw(self, token: TokenId) -> None:
        """Write down that a token was withdrawn. Twice is once."""
        self._write(token, _WITHDRAWN, b"")

    def end(self, token: TokenId) -> None:
        """Write down that a token's case has ended. Twice is once."""
        self._write(token, _ENDED, b"")

    def has_ended(self, token: TokenId) -> bool:
        """Whether that was written down."""
        return self._versions(token).ended

    def runs(self, token: TokenId) -> int:
        """How many runs have read footage under a token."""
        return len(self._versions(token).runs)

    def take_run(self, token: TokenId, most: int) -> None:
        """Count one more run. Raises NotAuthorised where there were as many as are allowed."""
        while (had := self.runs(token)) < most:
            if self._write(token, f"{_RUNS}/{had + 1:03d}", b""):
                return
        raise NotAuthorised(
            f"the approval allows {most} runs, and there were {had}: a new one must be signed"
        )

    def wrap_anew(self) -> bool:
        """Keep the list's key under the newest master key too: part of a rotation. Whether it was
        not there yet.
        """
        newest = self._keys.newest()
        if self._wrapped(newest) is not None or not self._any_key():
            return False
        self._keep_key(self._open(), newest)
        return True

    def is_carried_over(self) -> bool:
        """Whether the newest master key alone opens the list, or there is none yet."""
        return not self._any_key() or self._wrapped(self._keys.newest()) is not None

    def _versions(self, token: TokenId) -> _Found:
        prefix = object_key.token(self._digest(token), "")
        filed = []
        runs = set()
        withdrawn = False
        ended = False
        for item in self.store.list_versions(AUDIT, prefix):
            name = item.key.removeprefix(prefix)
            if name == _FILED:
                filed.append(item)
            elif name == _WITHDRAWN:
                withdrawn = True
            elif name == _ENDED:
                ended = True
            elif name.startswith(f"{_RUNS}/"):
                runs.add(name)
        return _Found(filed, withdrawn, ended, runs)

    def _is_mine(self, filed: list[ObjectInfo], vault: CaseVault) -> bool:
        """Whether every version that can be read is this filing's, and one can."""
        written = [i for i in filed if not i.is_delete_marker]
        mine = _filing(vault)
        return bool(written) and all(self._content(i) == mine for i in written)

    def _content(self, item: ObjectInfo) -> bytes:
        """What a version says; nothing where it is too long to be ours."""
        with suppress(BadInput):
            return self.store.get(
                AUDIT, item.key, version_id=item.version_id, at_most=_LONGEST_BYTES
            )
        return b""

    def _digest(self, token: TokenId) -> str:
        if self._secret is None:
            self._secret = self._open()
        name = f"{token.key_id}\0{token.token_id}".encode()
        return hmac.digest(self._secret, name, "sha256").hex()

    def _write(self, token: TokenId, name: str, data: bytes) -> bool:
        until = max(now_utc() + timedelta(days=self._lock_days), token.expires_utc)
        key = object_key.token(self._digest(token), name)
        return self._put(key, data, until)

    def _put(self, key: str, data: bytes, until: datetime) -> bool:
        return self.store.put_if_absent(
            AUDIT, key, data, locked_until=until if self._locked else None
        )

    def _open(self) -> bytes:
        if not self._any_key():
            self._keep_key(secrets.token_bytes(KEY_BYTES), self._keys.newest())
        for master in self._keys.read():
            wrapped = self._wrapped(master)
            if wrapped is not None:
                return master.unwrap(wrapped, _KEY_CONTEXT)
        raise KeyMissing(
            "the list of tokens is under a master key that is not here: use the home or the key "
            "that it was made with, or carry it over by rotating the master key there"
        )

    def _any_key(self) -> bool:
        return bool(self.store.list_versions(AUDIT, object_key.LIST_KEYS))

    def _keep_key(self, secret: bytes, master: MasterKey) -> None:
        record = {"wrapped": base64.b64encode(master.wrap(secret, _KEY_CONTEXT)).decode()}
        until = now_utc() + timedelta(days=self._lock_days)
        self._put(object_key.token_list_key(master.key_id), json.dumps(record).encode(), until)

    def _wrapped(self, master: MasterKey) -> bytes | None:
        """The list's key as it was first written under a master key; later versions are not
        ours.
        """
        key = object_key.token_list_key(master.key_id)
        found = [i for i in self.store.list_versions(AUDIT, key) if not i.is_delete_marker]
        for item in sorted(found, key=lambda i: i.last_modified):
            try:
                wrapped = base64.b64decode(json.loads(self._content(item))["wrapped"])
                master.unwrap(wrapped, _KEY_CONTEXT)
            except (ValueError, KeyError, TypeError, RecursionError, binascii.Error, KeyMissing):
                continue
            return wrapped
        return None


class _Found(NamedTuple):
    filed: list[ObjectInfo]
    withdrawn: bool
    ended: bool
    runs: set[str]


def _filing(vault: CaseVault) -> bytes:
    return hashlib.sha256(vault.derive("token list", b"")).hexdigest().encode()
