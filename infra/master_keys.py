"""Master keys: what wraps the keys of the cases, and the places that they come from.

A place (a file, the environment, a hardware security module) holds one master key, and more while a
rotation is under way: the newest wraps, the older ones still unwrap. Why it is so:
docs/decisions/0011-master-keys.md.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import secrets
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from data_contracts.errors import BadInput, KeyMissing
from infra.crypto import KEY_BYTES, seal, unseal
from infra.held_file import in_turn
from infra.settings import MASTER_KEY_VARIABLE
from infra.stack_record import read_private, replace_private


class MasterKey(Protocol):
    """Wraps and unwraps; the key itself may be out of this process's reach."""

    @property
    def key_id(self) -> str:
        """Which master key this is; stored beside what it wrapped."""

    def wrap(self, data_key: bytes, context: str) -> bytes:
        """Encrypt a data key, bound to `context` (the case id)."""

    def unwrap(self, wrapped: bytes, context: str) -> bytes:
        """The data key again. Raises KeyMissing."""


class MasterKeys(ABC):
    """A place that holds master keys. `by_hand`: keys are made and destroyed there by a person."""

    by_hand = False

    def __init__(self) -> None:
        self._known: dict[str, MasterKey] = {}

    @abstractmethod
    def read(self) -> Sequence[MasterKey]:
        """The keys there are now, newest first, at least one. Raises KeyMissing, BadInput."""

    @abstractmethod
    def add(self) -> MasterKey:
        """Make a new key, the newest from now on. Raises BadInput where that is not done here."""

    @abstractmethod
    def destroy(self, key_id: str) -> None:
        """Destroy an older key: what is wrapped under it is lost."""

    def is_empty(self) -> bool:
        """Whether no key was made here yet."""
        return False

    def newest(self) -> MasterKey:
        """The key that wraps, as the place has it at this moment."""
        return self.read()[0]

    def find(self, key_id: str) -> MasterKey | None:
        """A key by its id; the place is read again where it was not known before."""
        if key_id not in self._known:
            self._known = {key.key_id: key for key in self.read()}
        return self._known.get(key_id)


class LocalMasterKey:
    """A master key held in this process."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) != KEY_BYTES:
            raise BadInput(f"the master key: expected {KEY_BYTES} bytes, got {len(secret)}")
        self._secret = secret

    def __repr__(self) -> str:
        return f"LocalMasterKey({self.key_id})"

    @property
    def key_id(self) -> str:
        """The first 16 hex digits of a hash of the key: tells keys apart and reveals nothing of
        use.
        """
        return hashlib.sha256(b"encounter master key id\0" + self._secret).hexdigest()[:16]

    def wrap(self, data_key: bytes, context: str) -> bytes:
        """Encrypt a data key, bound to `context`."""
        return seal(self._secret, wrapped_name(context), data_key)

    def unwrap(self, wrapped: bytes, context: str) -> bytes:
        """The data key again. Raises KeyMissing."""
        return unseal(self._secret, wrapped_name(context), wrapped)


def wrapped_name(context: str) -> str:
    """The name that a wrapped data key is bound to."""
    return f"case-key/{context}"


class FileKeys(MasterKeys):
    """Keys in a file of mode 0600, one a line in base64, the newest first."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def read(self) -> Sequence[MasterKey]:
        """The file's keys."""
        return _decoded(read_private(self.path, "master key"), str(self.path))

    def is_empty(self) -> bool:
        """Whether there is no file."""
        return not self.path.exists()

    def add(self) -> MasterKey:
        """Put a fresh key first; makes the file where there is none."""
        secret = secrets.token_bytes(KEY_BYTES)
        with in_turn(self.path.with_name(f".{self.path.name}.lock")):
            self._write([base64.b64encode(secret).decode(), *self._lines()])
        return LocalMasterKey(secret)

    def destroy(self, key_id: str) -> None:
        """Write the file without the key. What the disk keeps of it, it keeps: encrypt the disk."""
        with in_turn(self.path.with_name(f".{self.path.name}.lock")):
            lines = self._lines()
            keys = _decoded("\n".join(lines), str(self.path))
            self._write(
                [line for line, key in zip(lines, keys, strict=True) if key.key_id != key_id]
            )

    def _lines(self) -> list[str]:
        return read_private(self.path, "master key").split() if self.path.exists() else []

    def _write(self, lines: Sequence[str]) -> None:
        replace_private(self.path, "\n".join(lines) + "\n")


class EnvironmentKeys(MasterKeys):
    """Keys in ENCOUNTER_MASTER_KEY, in base64, the newest first, spaces between them."""

    by_hand = True

    def read(self) -> Sequence[MasterKey]:
        """The variable's keys."""
        text = os.environ.get(MASTER_KEY_VARIABLE, "")
        if not text.strip():
            raise KeyMissing(
                f"keys.source is env but {MASTER_KEY_VARIABLE} is empty: set it to 32 bytes in "
                "base64"
            )
        return _decoded(text, MASTER_KEY_VARIABLE)

    def add(self) -> MasterKey:
        """Refuses: a process cannot change the environment of the others."""
        raise BadInput(
            f"keys.source is env: put a new key before the present one in {MASTER_KEY_VARIABLE} "
            "(a space between them) for every process, restart them, then run this again"
        )

    def destroy(self, key_id: str) -> None:
        """Refuses: see `add`."""
        raise BadInput(
            f"keys.source is env: take key {key_id} out of {MASTER_KEY_VARIABLE} of every process "
            "and destroy it where it is kept"
        )


class HeldKeys(MasterKeys):
    """Keys that live in this process alone, such as those of a test."""

    def __init__(self, *keys: MasterKey) -> None:
        super().__init__()
        self._keys = keys

    def read(self) -> Sequence[MasterKey]:
        """The keys it was made with."""
        return self._keys

    def add(self) -> MasterKey:
        """Put a fresh key first."""
        key = LocalMasterKey(secrets.token_bytes(KEY_BYTES))
        self._keys = (key, *self._keys)
        return key

    def destroy(self, key_id: str) -> None:
        """Forget a key."""
        self._keys = tuple(key for key in self._keys if key.key_id != key_id)


def _decoded(text: str, where: str) -> list[LocalMasterKey]:
    try:
        secret = [base64.b64decode(word, validate=True) for word in text.split()]
    except binascii.Error:
        raise BadInput(f"{where}: expected a master key of {KEY_BYTES} bytes in base64") from None
    if not secret:
        raise BadInput(
            f"{where}: expected a master key of {KEY_BYTES} bytes in base64, got nothing"
        )
    return [LocalMasterKey(one) for one in secret]
