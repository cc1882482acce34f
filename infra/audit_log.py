"""The audit log in the object store: one object an entry, written once, in one chain however many
processes write.

The entry's number is in its key and the write is conditional on the key being free, so of two
writers at once one takes the number and the other goes on behind it: the chain never forks and no
entry is lost. Where the bucket has object lock, entries are locked. Why it is so:
docs/decisions/0008-audit-chain.md.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from data_contracts import object_key
from data_contracts.audit import (
    CHECKPOINT_TYPE,
    GENESIS,
    AuditEntry,
    AuditEvent,
    Checkpoint,
    Link,
    canonical,
    entry_hash,
    link,
    read_link,
)
from data_contracts.errors import BadInput, NotFound, StoreError
from data_contracts.object_key import AUDIT
from data_contracts.time import now_utc
from infra.settings import Settings
from infra.signing import InstallationKey, find_signing_key
from infra.store import ObjectInfo, ObjectStore

# After so many numbers taken by others in a row, the end is looked up anew instead of walked to.
_WALK = 16
# Each failed attempt means that another writer succeeded; so many in a row and something else is
# wrong.
_ATTEMPTS = 2000
_READERS = 8


class StoredEntry(NamedTuple):
    """One version of an entry's object. `data` None: a delete marker, which hides the versions
    before it.
    """

    sequence: int
    data: bytes | None


class _Head(NamedTuple):
    sequence: int
    hash: str


class AuditLog:
    """Appends to and reads the audit log. Safe to share between threads; methods raise
    StoreError.
    """

    def __init__(
        self, store: ObjectStore, settings: Settings, key: InstallationKey | None = None
    ) -> None:
        """`key`: the installation's; where this process has none it appends, but signs no
        checkpoints.
        """
        self.store = store
        self.key = key
        self._settings = settings.audit
        self._witness = settings.paths.checkpoints_file
        self._lock = threading.Lock()
        self._head: _Head | None = None
        self._locks: bool | None = None

    def append(self, event: AuditEvent, checkpoint: bool = False) -> Link:
        """Write an event as the log's next entry. With `checkpoint`, and at every nth entry, a
        signed checkpoint follows.

        Raises StoreError when it could not be written: what the event records must then not go on.
        """
        with self._lock:
            written = self._append(event)
            if checkpoint or written.entry.sequence % self._settings.checkpoint_every == 0:
                self._checkpoint()
            return written

    def checkpoint(self) -> Link | None:
        """Sign and append a checkpoint of everything so far; None where this process has no key or
        nothing is written.
        """
        with self._lock:
            return self._checkpoint()

    @property
    def locked(self) -> bool:
        """Whether the store locks entries, so that nobody can delete them before their time."""
        if self._locks is None:
            self._locks = self.store.object_lock(AUDIT)
        return self._locks

    def read(self) -> Iterator[StoredEntry]:
        """All versions of all entries by number, the oldest version first."""
        found = sorted(
            self._versions(object_key.AUDIT_ENTRIES), key=lambda i: (i.key, i.last_modified)
        )
        numbered = [(n, i) for i in found if (n := object_key.read_audit_entry(i.key)) is not None]
        with ThreadPoolExecutor(_READERS) as pool:
            yield from pool.map(self._stored, numbered)

    def strangers(self) -> list[str]:
        """Keys below the entries' prefix that are no entry's."""
        found = {i.key for i in self._versions(object_key.AUDIT_ENTRIES)}
        return sorted(key for key in found if object_key.read_audit_entry(key) is None)

    def witnessed(self) -> list[str]:
        """The signed checkpoints that this home has made, oldest first."""
        return read_checkpoints(self._witness)

    def _append(self, event: AuditEvent, checkpoints: bool = False) -> Link:
        for attempt in range(1, _ATTEMPTS + 1):
            head = self._head or self._find_head()
            made = link(head.hash, self._entry(event, head, checkpoints))
            try:
                written = self._put(made)
            except StoreError:
                self._head = None
                raise
            taken = None if written else self._hash_at(head.sequence + 1)
            # A write whose answer was lost is repeated by the client, and then finds itself.
            if written or taken == made.hash:
                self._head = _Head(made.entry.sequence, made.hash)
                return made
            self._head = (
                _Head(head.sequence + 1, taken) if taken is not None and attempt % _WALK else None
            )
        raise StoreError(
            f"the audit log could not be written after {_ATTEMPTS} attempts: encounter audit verify"
        )

    def _put(self, made: Link) -> bool:
        until = now_utc() + timedelta(days=self._settings.lock_days) if self.locked else None
        key = object_key.audit_entry(made.entry.sequence)
        return self.store.put_if_absent(
            AUDIT, key, canonical(made), "application/json", locked_until=until
        )

    def _entry(self, event: AuditEvent, head: _Head, checkpoints: bool) -> AuditEntry:
        now = now_utc()
        signed = ""
        if checkpoints and self.key is not None:
            point = Checkpoint(sequence=head.sequence, head=head.hash, time=now)
            signed = self.key.sign(CHECKPOINT_TYPE, point.model_dump(mode="json"))
        return AuditEntry(
            **event.model_dump(),
            sequence=head.sequence + 1,
            entry_id=secrets.token_hex(16),
            recorded_utc=now,
            checkpoint=signed,
        )

    def _checkpoint(self) -> Link | None:
        if self.key is None or (self._head or self._find_head()).sequence == 0:
            return None
        actor = f"key:{self.key.public.key_id}"
        made = self._append(
            AuditEvent(action="checkpoint", actor=actor, role="service"), checkpoints=True
        )
        keep_checkpoint(self._witness, made.entry.checkpoint)
        return made

    def _find_head(self) -> _Head:
        """The last entry. Folders are listed, then one folder: never all entries. Hidden (marked)
        entries count too.
        """
        for folder in reversed(self.store.folders(AUDIT, object_key.AUDIT_ENTRIES)):
            found = self._versions(f"{object_key.AUDIT_ENTRIES}{folder}/")
            numbers = [
                n
                for i in found
                if not i.is_delete_marker and (n := object_key.read_audit_entry(i.key))
            ]
            if numbers:
                self._head = _Head(max(numbers), self._hash_at(max(numbers)) or GENESIS)
                return self._head
        self._head = _Head(0, GENESIS)
        return self._head

    def _hash_at(self, sequence: int) -> str | None:
        """The hash of an entry, None where it is gone. Of several versions the first that is whole:
        it was there before.

        What is no entry is someone else's, and hashed as it is: nobody can stop a deletion by
        filling the next place, and the check reports it.
        """
        versions = [
            i for i in self._versions(object_key.audit_entry(sequence)) if not i.is_delete_marker
        ]
        hashes = []
        for info in sorted(versions, key=lambda i: i.last_modified):
            data = self.store.get(AUDIT, info.key, version_id=info.version_id)
            try:
                found = read_link(data)
            except BadInput:
                hashes.append(hashlib.sha256(data).hexdigest())
                continue
            if entry_hash(found.previous, found.entry) == found.hash:
                return found.hash
            hashes.append(found.hash)
        return hashes[0] if hashes else None

    def _versions(self, prefix: str) -> list[ObjectInfo]:
        return self.store.list_versions(AUDIT, prefix)

    def _stored(self, numbered: tuple[int, ObjectInfo]) -> StoredEntry:
        sequence, info = numbered
        if info.is_delete_marker:
            return StoredEntry(sequence, None)
        try:
            return StoredEntry(
                sequence, self.store.get(AUDIT, info.key, version_id=info.version_id)
            )
        except NotFound:
            return StoredEntry(sequence, None)


def open_audit_log(store: ObjectStore, settings: Settings) -> AuditLog:
    """The audit log with this installation's key, where this process has it."""
    return AuditLog(store, settings, find_signing_key(settings))


def read_checkpoints(path: Path) -> list[str]:
    """Checkpoints from a file, one a line; none where there is no file. Raises BadInput when it
    cannot be read.
    """
    try:
        return [
            line.strip() for line in path.read_text(encoding="ascii").splitlines() if line.strip()
        ]
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: checkpoints cannot be read ({error})") from None


def keep_checkpoint(path: Path, signed: str) -> None:
    """Append a checkpoint to this home's file (mode 0600): it outlives whatever happens to the
    store.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with os.fdopen(
        os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w", encoding="ascii"
    ) as file:
        file.write(signed + "\n")
