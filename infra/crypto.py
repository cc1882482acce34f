"""Encryption of a case's objects: a data key for each case, wrapped by a master key.

Why it is so: docs/decisions/0002-case-envelope.md.

The envelope of an object, all lengths in bytes:

    magic "ENCV" (4) | version 1 (1) | nonce (12) | AES-256-GCM ciphertext | tag (16)

The associated data are the five header bytes, a zero byte and the object's `bucket/key`: an object
copied to another key, or a header that was changed, does not open. Nonces are random: NIST SP
800-38D, 8.3, allows 2^32 of them under one key, and a case writes some thousands of objects.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import secrets
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from data_contracts.errors import BadInput, KeyMissing
from infra.settings import MASTER_KEY_VARIABLE, Settings
from infra.stack_record import read_private, write_private

KEY_BYTES = 32
_NONCE_BYTES = 12
_TAG_BYTES = 16
_HEADER = b"ENCV\x01"


def new_data_key() -> bytes:
    """A fresh 256-bit key for one case."""
    return secrets.token_bytes(KEY_BYTES)


def seal(key: bytes, name: str, data: bytes) -> bytes:
    """Encrypt `data` for the object `name` (`bucket/key`)."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return _HEADER + nonce + AESGCM(key).encrypt(nonce, data, _bound_to(name))


def unseal(key: bytes, name: str, sealed: bytes) -> bytes:
    """Decrypt what `seal` made. Raises KeyMissing where key or name is another one or the bytes
    were changed.
    """
    if sealed[:4] != _HEADER[:4] or len(sealed) < len(_HEADER) + _NONCE_BYTES + _TAG_BYTES:
        raise KeyMissing(
            f"{name}: expected an encrypted object (ENCV), got {len(sealed)} other bytes: it was "
            "not written here"
        )
    if sealed[4:5] != _HEADER[4:5]:
        raise KeyMissing(
            f"{name}: envelope version {sealed[4]} is unknown; this program reads version 1: "
            "update it"
        )
    body = sealed[len(_HEADER) :]
    try:
        return AESGCM(key).decrypt(body[:_NONCE_BYTES], body[_NONCE_BYTES:], _bound_to(name))
    except InvalidTag:
        raise KeyMissing(
            f"{name}: does not open with this case's key: it was changed, moved, or sealed by an "
            "earlier key"
        ) from None


def _bound_to(name: str) -> bytes:
    return _HEADER + b"\0" + name.encode()


class MasterKey(Protocol):
    """What wraps the cases' keys: the shape of a key management service."""

    @property
    def key_id(self) -> str:
        """Which master key this is; stored beside what it wrapped."""

    def wrap(self, data_key: bytes, context: str) -> bytes:
        """Encrypt a data key, bound to `context` (the case id)."""

    def unwrap(self, wrapped: bytes, context: str) -> bytes:
        """The data key again. Raises KeyMissing."""


class LocalMasterKey:
    """A master key held in this process, from a file or the environment."""

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
        return seal(self._secret, f"case-key/{context}", data_key)

    def unwrap(self, wrapped: bytes, context: str) -> bytes:
        """The data key again. Raises KeyMissing."""
        return unseal(self._secret, f"case-key/{context}", wrapped)


def load_master_key(settings: Settings) -> LocalMasterKey:
    """The master key from its source. Raises KeyMissing where there is none, BadInput where it is
    malformed.
    """
    if settings.keys.source == "env":
        text = os.environ.get(MASTER_KEY_VARIABLE, "")
        if not text:
            raise KeyMissing(
                f"keys.source is env but {MASTER_KEY_VARIABLE} is empty: set it to 32 bytes in "
                "base64"
            )
        return LocalMasterKey(_decode(text, MASTER_KEY_VARIABLE))
    path = settings.master_key_file
    return LocalMasterKey(_decode(read_private(path, "master key"), str(path)))


def ensure_master_key(settings: Settings) -> LocalMasterKey:
    """Load the master key; make its file (mode 0600) where the source is a file and there is none
    yet.
    """
    path: Path = settings.master_key_file
    if settings.keys.source == "file" and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(path, base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode() + "\n")
    return load_master_key(settings)


def _decode(text: str, where: str) -> bytes:
    try:
        return base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        raise BadInput(f"{where}: expected a master key of {KEY_BYTES} bytes in base64") from None
