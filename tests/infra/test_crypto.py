"""The envelope and the master key."""

from __future__ import annotations

import base64
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.errors import BadInput, KeyMissing
from infra.crypto import (
    LocalMasterKey,
    ensure_master_key,
    load_master_key,
    new_data_key,
    seal,
    unseal,
)
from infra.settings import load_settings

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
    "data", [b"", b"ENCV", b"plain text that is long enough to be an envelope of ours"]
)
def test_what_was_never_sealed(data: bytes) -> None:
    """Plain or cut bytes are refused with a message, not decrypted to rubbish."""
    with pytest.raises(KeyMissing, match="expected an encrypted object"):
        unseal(KEY, "a", data)


def test_wrapped_keys_are_bound_to_their_case() -> None:
    """A data key wrapped for one case cannot be used for another, nor under another master key."""
    master = LocalMasterKey(KEY)
    data_key = new_data_key()
    wrapped = master.wrap(data_key, "K-1")
    assert master.unwrap(wrapped, "K-1") == data_key
    with pytest.raises(KeyMissing):
        master.unwrap(wrapped, "K-2")
    with pytest.raises(KeyMissing):
        LocalMasterKey(new_data_key()).unwrap(wrapped, "K-1")


def test_master_key_file(tmp_path: Path) -> None:
    """The file is made once, readable by its owner only; a file that others can read is refused."""
    settings = load_settings(home=tmp_path)
    with pytest.raises(KeyMissing, match="encounter up"):
        load_master_key(settings)
    made = ensure_master_key(settings)
    assert ensure_master_key(settings).key_id == made.key_id == load_master_key(settings).key_id
    path = settings.master_key_file
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    with pytest.raises(BadInput, match="chmod 600"):
        load_master_key(settings)


def test_master_key_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key comes from the variable, whose absence and malformation are told apart; no file is
    made.
    """
    settings = load_settings(home=tmp_path, keys={"source": "env"})
    with pytest.raises(KeyMissing, match="ENCOUNTER_MASTER_KEY is empty"):
        ensure_master_key(settings)
    for bad in ("not base64!", base64.b64encode(b"short").decode()):
        monkeypatch.setenv("ENCOUNTER_MASTER_KEY", bad)
        with pytest.raises(BadInput, match="32 bytes"):
            load_master_key(settings)
    monkeypatch.setenv("ENCOUNTER_MASTER_KEY", base64.b64encode(KEY).decode())
    assert load_master_key(settings).key_id == LocalMasterKey(KEY).key_id
    assert not settings.master_key_file.exists()


def test_keys_are_not_shown() -> None:
    """The repr of a master key shows its id, not the key."""
    assert KEY.hex() not in repr(LocalMasterKey(KEY))
    assert LocalMasterKey(KEY).key_id in repr(LocalMasterKey(KEY))
