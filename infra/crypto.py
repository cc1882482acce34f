"""Encryption of a case's objects: a data key for each case.

Why it is so: docs/decisions/0002-case-envelope.md.

The envelope of an object, all lengths in bytes:

    magic "ENCV" (4) | version 1 (1) | nonce (12) | AES-256-GCM ciphertext | tag (16)

The associated data are the five header bytes, a zero byte and the object's `bucket/key`: an object
copied to another key, or a header that was changed, does not open. Nonces are random: NIST SP
800-38D, 8.3, allows 2^32 of them under one key, and a case writes some thousands of objects.
"""

from __future__ import annotations

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from data_contracts.errors import KeyMissing

KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16
HEADER = b"ENCV\x01"
# What an envelope adds to its content.
SEAL_BYTES = len(HEADER) + NONCE_BYTES + TAG_BYTES


def new_data_key() -> bytes:
    """A fresh 256-bit key for one case."""
    return secrets.token_bytes(KEY_BYTES)


def seal(key: bytes, name: str, data: bytes) -> bytes:
    """Encrypt `data` for the object `name` (`bucket/key`)."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return HEADER + nonce + AESGCM(key).encrypt(nonce, data, bound_to(name))


def unseal(key: bytes, name: str, sealed: bytes) -> bytes:
    """Decrypt what `seal` made. Raises KeyMissing where key or name is another one or the bytes
    were changed.
    """
    if sealed[:4] != HEADER[:4] or len(sealed) < len(HEADER) + NONCE_BYTES + TAG_BYTES:
        raise KeyMissing(
            f"{name}: expected an encrypted object (ENCV), got {len(sealed)} other bytes: it was "
            "not written here"
        )
    if sealed[4:5] != HEADER[4:5]:
        raise KeyMissing(
            f"{name}: envelope version {sealed[4]} is unknown; this program reads version 1: "
            "update it"
        )
    body = sealed[len(HEADER) :]
    try:
        return AESGCM(key).decrypt(body[:NONCE_BYTES], body[NONCE_BYTES:], bound_to(name))
    except InvalidTag:
        raise KeyMissing(
            f"{name}: does not open with this case's key: it was changed, moved, or sealed by an "
            "earlier key"
        ) from None


def bound_to(name: str) -> bytes:
    """The associated data of an envelope for the object `name`."""
    return HEADER + b"\0" + name.encode()
