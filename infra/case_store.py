"""A case's objects, encrypted under the case's own key before they leave the process.

`CaseStore` makes, opens and destroys keys; `CaseVault` reads and writes one case's objects.
Destroying the key makes every object of the case unreadable at once, whatever copies of the
ciphertext exist. A vault asks the store for its key's existence at every read and write: a flow
that runs when its case is withdrawn stops at the next step.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from data_contracts import object_key
from data_contracts.case import CASE_ID
from data_contracts.errors import BadInput, KeyMissing, NotFound
from data_contracts.object_key import CASES
from data_contracts.time import now_utc
from infra.crypto import KEY_BYTES, SEAL_BYTES, new_data_key, seal, unseal
from infra.disguise import NameCipher, pad, padded_size, unpad
from infra.master_keys import MasterKey, MasterKeys
from infra.store import LARGEST_BYTES, ObjectInfo, ObjectStore

if TYPE_CHECKING:
    import pandas as pd

    from data_contracts.tables.table import TableContract

_KEY_FORMAT = "encounter-case-key"
_KEY_VERSION = 1
_KEY_RECORD_BYTES = 65_536
# The most that is read of a case's object, but of tables, pictures and artefacts: what is longer
# was not written here, and would fill the memory of who opens or ends the case.
PAPER_BYTES = 16 * 1024 * 1024
_SEALED_TYPE = "application/vnd.encounter.sealed"
_JSON = "application/json"


class CaseVault:
    """One case's objects. Keys are whole keys of the `cases` bucket, composed by
    `data_contracts.object_key`.

    Methods raise KeyMissing when the case's key was destroyed, NotFound where there is no object,
    StoreError.
    """

    def __init__(
        self,
        store: ObjectStore,
        case_id: str,
        data_key: bytes,
        key_etag: str,
        read_again: Callable[[], OpenedKey],
    ) -> None:
        self.store = store
        self.case_id = case_id
        self._data_key = data_key
        self._key_etag = key_etag
        self._read_again = read_again
        self._names = NameCipher(_derived(data_key, f"encounter/object names/{case_id}", b""))

    def __repr__(self) -> str:
        return f"CaseVault({self.case_id})"

    def put(self, key: str, data: bytes) -> ObjectInfo:
        """Encrypt and write. Writing the same result twice leaves one object: the last."""
        self._check(key)
        sealed = self._sealed(key, data)
        return self.store.put(CASES, self._names.stored(key), sealed, _SEALED_TYPE)._replace(
            key=key
        )

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Encrypt and write unless an object is there; whether it was written. Of two writers at
        once one wins.
        """
        self._check(key)
        sealed = self._sealed(key, data)
        return self.store.put_if_absent(CASES, self._names.stored(key), sealed, _SEALED_TYPE)

    def get(self, key: str, at_most: int | None = None) -> bytes:
        """Read and decrypt. Raises BadInput where more than `at_most` bytes (a paper's) lie
        there.
        """
        self._check(key)
        most = padded_size(PAPER_BYTES if at_most is None else at_most) + SEAL_BYTES
        sealed = self.store.get(CASES, self._names.stored(key), at_most=most)
        return unpad(unseal(self._data_key, f"{CASES}/{key}", sealed))

    def exists(self, key: str) -> bool:
        """Whether an object is there."""
        self._check(key)
        return self.store.exists(CASES, self._names.stored(key))

    def stored_name(self, key: str) -> str:
        """Under which name the store has the object."""
        self._own(key)
        return self._names.stored(key)

    def remove(self, key: str) -> int:
        """Delete all versions of one object; returns how many there were."""
        self._own(key)
        return len(self.store.remove_all_versions(CASES, self._names.stored(key)))

    def list(self, prefix: str = "") -> list[ObjectInfo]:
        """The case's objects below a prefix (empty: all of the case) by their keys; sizes are those
        in the store. What lies there under a name that the case did not make is left out.
        """
        prefix = prefix or f"{self.case_id}/"
        self._own(prefix)
        found = self.store.list(CASES, self._names.prefix(prefix))
        named = [(self._names.key(item.key), item) for item in found]
        own = [item._replace(key=key) for key, item in named if key and key.startswith(prefix)]
        return sorted(own, key=lambda item: item.key)

    def put_table(self, key: str, frame: pd.DataFrame, contract: TableContract) -> ObjectInfo:
        """Write a table as encrypted Parquet: the contract's columns only, its name and version in
        the file.
        """
        from data_contracts.tables.parquet import table_to_bytes

        return self.put(key, table_to_bytes(frame, contract))

    def get_table(self, key: str, contract: TableContract) -> pd.DataFrame:
        """Read a table. Raises ContractViolation where it was written under another contract or
        version.
        """
        from data_contracts.tables.parquet import table_from_bytes

        return table_from_bytes(self.get(key, LARGEST_BYTES), contract, key)

    def derive(self, purpose: str, salt: bytes) -> bytes:
        """32 secret bytes for a purpose, from the case's key and a salt (HKDF-SHA-256, RFC 5869):
        they die with the key.

        They are written nowhere: whoever may read the case derives them again.
        """
        self._check(f"{self.case_id}/")
        return _derived(self._data_key, f"encounter/{purpose}/{self.case_id}", salt)

    def _sealed(self, key: str, data: bytes) -> bytes:
        return seal(self._data_key, f"{CASES}/{key}", pad(data))

    def _own(self, key: str) -> None:
        if not key.startswith(f"{self.case_id}/"):
            raise BadInput(
                f"{key} is not an object of case {self.case_id}: compose keys with "
                "data_contracts.object_key"
            )

    def _check(self, key: str) -> None:
        self._own(key)
        try:
            etag = self.store.stat(CASES, object_key.wrapped_key(self.case_id)).etag
        except NotFound:
            raise _no_key(self.case_id) from None
        if etag != self._key_etag:
            self._wrapped_anew()

    def _wrapped_anew(self) -> None:
        """The key's record has changed: the same key under another master key, or another key."""
        found = self._read_again()
        if not hmac.compare_digest(found.data_key, self._data_key):
            raise KeyMissing(
                f"case {self.case_id} has another key than when it was opened: open it again"
            )
        self._key_etag = found.etag


class OpenedKey(NamedTuple):
    """A case's key, the ETag of its record, the master key that wraps it, and the record."""

    data_key: bytes
    etag: str
    master_key_id: str
    record: dict[str, Any]


def _derived(data_key: bytes, purpose: str, salt: bytes) -> bytes:
    return HKDF(hashes.SHA256(), KEY_BYTES, salt, purpose.encode()).derive(data_key)


class CaseStore:
    """Makes, opens, wraps anew and destroys the keys of cases."""

    def __init__(self, store: ObjectStore, keys: MasterKeys) -> None:
        self.store = store
        self.keys = keys

    def create_key(self, case_id: str) -> CaseVault:
        """Make the case's key where it has none (of two callers at once one's key wins) and open
        the case.
        """
        if not CASE_ID.match(case_id):
            raise BadInput(
                f"case id {case_id!r}: expected 3 to 40 capital letters, digits and hyphens"
            )
        data_key = new_data_key()
        base = {
            "format": _KEY_FORMAT,
            "version": _KEY_VERSION,
            "case_id": case_id,
            "created_utc": now_utc().isoformat(),
        }
        master = self.keys.newest()
        data = _key_record(base, data_key, master)
        key = object_key.wrapped_key(case_id)
        made = self.store.put_if_absent(CASES, key, data, _JSON)
        newest = self.keys.newest()
        if made and newest.key_id != master.key_id:
            # A rotation began in between and may have listed the cases before this one was there.
            etag = self.store.stat(CASES, key).etag
            self.store.replace(CASES, key, _key_record(base, data_key, newest), etag, _JSON)
        return self.open(case_id)

    def open(self, case_id: str) -> CaseVault:
        """Open a case. Raises KeyMissing where it has no key (any more) or its master key is not
        here.
        """
        found = self._open_key(case_id)
        return CaseVault(
            self.store, case_id, found.data_key, found.etag, lambda: self._open_key(case_id)
        )

    def wrap_anew(self, case_id: str) -> bool:
        """Wrap the case's key with the newest master key; whether it was under another.

        A key that is destroyed meanwhile stays destroyed, and a vault that is open stays open.
        Raises KeyMissing where the key cannot be unwrapped.
        """
        found = self._open_key(case_id)
        newest = self.keys.newest()
        if found.master_key_id == newest.key_id:
            return False
        data = _key_record(found.record, found.data_key, newest)
        key = object_key.wrapped_key(case_id)
        return self.store.replace(CASES, key, data, found.etag, _JSON)

    def master_key_id(self, case_id: str) -> str | None:
        """The id of the master key that wraps the case's key; None where the case has none. Raises
        KeyMissing where the record is damaged.
        """
        try:
            data = self.store.get(CASES, object_key.wrapped_key(case_id), at_most=_KEY_RECORD_BYTES)
        except NotFound:
            return None
        return str(_read_key_record(case_id, data)["master_key_id"])

    def _open_key(self, case_id: str) -> OpenedKey:
        key = object_key.wrapped_key(case_id)
        try:
            etag = self.store.stat(CASES, key).etag
            data = self.store.get(CASES, key, at_most=_KEY_RECORD_BYTES)
        except NotFound:
            raise _no_key(case_id) from None
        record = _read_key_record(case_id, data)
        master_key_id = str(record["master_key_id"])
        return OpenedKey(self._unwrap(case_id, record), etag, master_key_id, record)

    def has_key(self, case_id: str) -> bool:
        """Whether the case can be opened at all."""
        return self.store.exists(CASES, object_key.wrapped_key(case_id))

    def destroy_key(self, case_id: str) -> int:
        """Delete all versions of the case's key; what it sealed can never be read again. Returns
        how many.
        """
        return len(self.store.remove_all_versions(CASES, object_key.wrapped_key(case_id)))

    def case_ids(self) -> list[str]:
        """The cases that have objects."""
        return [name for name in self.store.folders(CASES) if CASE_ID.match(name)]

    def _unwrap(self, case_id: str, record: dict[str, Any]) -> bytes:
        master_key_id = str(record["master_key_id"])
        master = self.keys.find(master_key_id)
        if master is None:
            raise KeyMissing(
                f"case {case_id} was sealed under master key {master_key_id[:16]}, this "
                f"process has {self.keys.newest().key_id}: "
                "use the home or the key the case was made with"
            )
        return master.unwrap(base64.b64decode(record["wrapped"]), case_id)


def _key_record(base: dict[str, Any], data_key: bytes, master: MasterKey) -> bytes:
    wrapped = base64.b64encode(master.wrap(data_key, base["case_id"])).decode()
    record = base | {"master_key_id": master.key_id, "wrapped": wrapped}
    return json.dumps(record, indent=1).encode()


def _read_key_record(case_id: str, data: bytes) -> dict[str, Any]:
    try:
        record = json.loads(data)
        found = (record["format"], record["version"])
        record["master_key_id"]
        base64.b64decode(record["wrapped"], validate=True)
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error):
        raise KeyMissing(
            f"the key record of case {case_id} is damaged: restore it from a backup"
        ) from None
    if found != (_KEY_FORMAT, _KEY_VERSION):
        raise KeyMissing(
            f"the key record of case {case_id} is of format {str(found)[:80]}: update this program"
        )
    return {**record, "case_id": case_id}


def _no_key(case_id: str) -> KeyMissing:
    return KeyMissing(
        f"case {case_id} has no key: it was never filed, or it was withdrawn or closed and is gone "
        "for good"
    )
