"""The place of the master keys that the settings name."""

from __future__ import annotations

from infra.master_keys import EnvironmentKeys, FileKeys, MasterKeys
from infra.no_dumps import no_dumps
from infra.settings import Settings


def load_master_keys(settings: Settings) -> MasterKeys:
    """The master keys of this installation. Raises KeyMissing where there is none, BadInput where
    they are malformed.
    """
    keys = _place(settings)
    keys.read()
    return keys


def ensure_master_keys(settings: Settings) -> MasterKeys:
    """Load the master keys; make one where the place is a file or a token and has none yet."""
    keys = _place(settings)
    if not keys.by_hand and keys.is_empty():
        keys.add()
    keys.read()
    return keys


def _place(settings: Settings) -> MasterKeys:
    no_dumps()  # whoever asks holds the keys from here on
    if settings.keys.source == "env":
        return EnvironmentKeys()
    if settings.keys.source == "pkcs11":
        # The binding is an extra: only who uses it needs it.
        from infra.pkcs11_keys import TokenKeys

        return TokenKeys(settings)
    return FileKeys(settings.master_key_file)
