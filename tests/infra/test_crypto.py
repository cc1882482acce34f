"""The envelope of a case's objects."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.errors import KeyMissing
from infra.crypto import seal, unseal

KEY = bytes(range(32))


@given(st.binary(max_size=2000))
def test_round_trip(data: bytes) -> None:
    """Any bytes come back."""
    assert unseal(KEY, "cases/K-1/x", seal(KEY, "cases/K-1/x", data)) == data


def test_format_is_as_documented() -> None:
    """The envelope opens with nothing but AES-GCM and the decision record's description of it."""
    sealed = seal(KEY, "cases/K-1/x", b"hello")
    assert sealed[:5] == b"ENCV\x01"
    assert AESGCM(KEY).decrypt(sealed[5:17], sealed[17:], b"ENCV\x01\x00cases/K-1/x") == b"hello"
    assert len(sealed) == 4 + 1 + 12 + 5 + 16


def test_never_the_same_twice() -> None:
    """The same data sealed twice differs: the nonce is fresh."""
    assert seal(KEY, "a", b"same") != seal(KEY, "a", b"same")


@pytest.mark.parametrize("at", range(0, 38, 3))
def test_any_changed_byte_is_noticed(at: int) -> None:
    """A changed byte anywhere (header, nonce, ciphertext, tag) does not open."""
    sealed = bytearray(seal(KEY, "a", b"hello"))
    sealed[at] ^= 1
    with pytest.raises(KeyMissing):
        unseal(KEY, "a", bytes(sealed))


def test_objects_cannot_be_swapped() -> None:
    """An object copied to another key of the same case does not open there."""
    with pytest.raises(KeyMissing, match="moved"):
        unseal(KEY, "cases/K-1/b", seal(KEY, "cases/K-1/a", b"hello"))


@pytest.mark.parametrize(
    "data", [b"", b"ENCV", b"plain text that is long enough to be an envelope"]
)
def test_what_was_never_sealed(data: bytes) -> None:
    """Plain or cut bytes are refused with a message, not decrypted to rubbish."""
    with pytest.raises(KeyMissing, match="expected an encrypted object"):
        unseal(KEY, "a", data)
