"""Master keys in each place that they can come from: a file, the environment, a token."""

from __future__ import annotations

import base64
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from data_contracts.errors import BadInput, KeyMissing
from infra.crypto import new_data_key
from infra.key_source import ensure_master_keys, load_master_keys
from infra.master_keys import HeldKeys, LocalMasterKey, MasterKeys
from infra.settings import Settings, load_settings

KEY = bytes(range(32))


@pytest.fixture(params=["file", "env", "held", "pkcs11"])
def keys(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> MasterKeys:
    """Each place, with one key in it."""
    if request.param == "held":
        return HeldKeys(LocalMasterKey(KEY))
    if request.param == "pkcs11":
        return ensure_master_keys(request.getfixturevalue("token_settings")())
    monkeypatch.setenv("ENCOUNTER_MASTER_KEY", base64.b64encode(KEY).decode())
    return ensure_master_keys(load_settings(home=tmp_path, keys={"source": request.param}))


class TestEveryPlace:
    """What every place promises."""

    def test_wrapped_keys_are_bound_to_their_case(self, keys: MasterKeys) -> None:
        """A data key wrapped for one case does not open for another, nor under another key, nor
        changed; two wraps of one key differ.
        """
        master = keys.newest()
        data_key = new_data_key()
        wrapped = master.wrap(data_key, "K-1")
        assert wrapped != master.wrap(data_key, "K-1")
        assert data_key not in wrapped
        assert master.unwrap(wrapped, "K-1") == data_key
        with pytest.raises(KeyMissing):
            master.unwrap(wrapped, "K-2")
        with pytest.raises(KeyMissing):
            LocalMasterKey(new_data_key()).unwrap(wrapped, "K-1")
        for damaged in (wrapped[:-1], wrapped[:-1] + bytes([wrapped[-1] ^ 1]), b"", b"ENCV\x01"):
            with pytest.raises(KeyMissing):
                master.unwrap(damaged, "K-1")

    def test_the_newest_wraps_and_the_old_still_unwrap(self, keys: MasterKeys) -> None:
        """A key that is added comes first at once; the older is found until it is destroyed."""
        old = keys.newest()
        wrapped = old.wrap(KEY, "K-1")
        if keys.by_hand:
            with pytest.raises(BadInput, match="before the present one"):
                keys.add()
            with pytest.raises(BadInput, match="take key"):
                keys.destroy(old.key_id)
            return
        new = keys.add()
        assert [k.key_id for k in keys.read()] == [new.key_id, old.key_id]
        found = keys.find(old.key_id)
        assert found is not None
        assert found.unwrap(wrapped, "K-1") == KEY
        with pytest.raises(KeyMissing):
            new.unwrap(wrapped, "K-1")
        keys.destroy(old.key_id)
        assert [k.key_id for k in keys.read()] == [new.key_id]

    def test_keys_are_not_shown(self, keys: MasterKeys) -> None:
        """The repr of a master key shows its id and nothing else; an id that is unknown is None."""
        master = keys.newest()
        assert repr(master).endswith(f"({master.key_id})")
        assert keys.find("no such key") is None


def test_master_key_file(tmp_path: Path) -> None:
    """The file is made once, readable by its owner only; a file that others can read is refused."""
    settings = load_settings(home=tmp_path)
    with pytest.raises(KeyMissing, match="encounter up"):
        load_master_keys(settings)
    made = ensure_master_keys(settings).newest().key_id
    assert made == ensure_master_keys(settings).newest().key_id
    path = settings.master_key_file
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    with pytest.raises(BadInput, match="chmod 600"):
        load_master_keys(settings)
    path.chmod(0o600)
    path.write_text("\n")
    with pytest.raises(BadInput, match="got nothing"):
        load_master_keys(settings)


def test_master_key_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key comes from the variable, whose absence and malformation are told apart; no file is
    made; a second key is the older.
    """
    settings = load_settings(home=tmp_path, keys={"source": "env"})
    with pytest.raises(KeyMissing, match="ENCOUNTER_MASTER_KEY is empty"):
        ensure_master_keys(settings)
    for bad in ("not base64!", base64.b64encode(b"short").decode()):
        monkeypatch.setenv("ENCOUNTER_MASTER_KEY", bad)
        with pytest.raises(BadInput, match="32 bytes"):
            load_master_keys(settings)
    two = [base64.b64encode(key).decode() for key in (bytes(32), KEY)]
    monkeypatch.setenv("ENCOUNTER_MASTER_KEY", " ".join(two))
    found = [key.key_id for key in load_master_keys(settings).read()]
    assert found == [LocalMasterKey(key).key_id for key in (bytes(32), KEY)]
    assert not settings.master_key_file.exists()


def test_a_key_in_a_token_cannot_be_taken_out(token_settings: Callable[..., Settings]) -> None:
    """Whoever holds the PIN can use the key and cannot read, change or wrap it."""
    import pkcs11
    from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass

    settings = token_settings()
    ensure_master_keys(settings)
    chosen = settings.keys.pkcs11
    token = pkcs11.lib(str(chosen.module)).get_token(token_label=chosen.token)
    with token.open(rw=True) as session:
        key = session.get_key(object_class=ObjectClass.SECRET_KEY, label=chosen.label)
        assert key[Attribute.NEVER_EXTRACTABLE]
        assert key[Attribute.ALWAYS_SENSITIVE]
        with pytest.raises(pkcs11.exceptions.PKCS11Error):
            key[Attribute.VALUE]
        with pytest.raises(pkcs11.exceptions.PKCS11Error):
            key[Attribute.EXTRACTABLE] = True
        other = session.generate_key(KeyType.AES, 256)
        with pytest.raises(pkcs11.exceptions.PKCS11Error):
            other.wrap_key(key, mechanism=Mechanism.AES_KEY_WRAP)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"pin": "000000"}, "refuses the PIN"),
        ({"token": "nobody's"}, 'no token "nobody\'s"'),
        ({"module": "/no/such/module.so"}, "cannot be opened"),
        ({"label": "never made"}, "no key 'never made'"),
    ],
)
def test_a_token_that_cannot_be_used_says_why(
    token_settings: Callable[..., Settings], changes: dict[str, str], said: str
) -> None:
    """One line each, with what to look at."""
    import pkcs11

    pkcs11.lib("/usr/lib/softhsm/libsofthsm2.so").reinitialize()  # log every session out
    with pytest.raises(KeyMissing, match=said):
        load_master_keys(token_settings(**changes))


def test_a_lost_session_is_opened_again(token_settings: Callable[..., Settings]) -> None:
    """A module that was reset in between is logged into anew at the next use."""
    import pkcs11

    keys = ensure_master_keys(token_settings())
    wrapped = keys.newest().wrap(KEY, "K-1")
    pkcs11.lib("/usr/lib/softhsm/libsofthsm2.so").reinitialize()
    assert keys.newest().unwrap(wrapped, "K-1") == KEY
