"""The audit log in the object store: one object an entry, written once, in one chain however many
processes write.

The entry's number is in its key and the write is conditional on the key being free, so of two
writers at once one takes the number and the other goes on behind it: the chain never forks and no
entry is lost. Where the bucket has object lock, entries are locked. Why it is so:
docs/decisions/0008-audit-chain.md.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Any, NamedTuple

from data_contracts import object_key
from data_contracts.audit import (
    CHECKPOINT_TYPE,
    GENESIS,
    MAX_ENTRY_BYTES,
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
from infra.audit_end import last_entry
from infra.checkpoint_file import keep_checkpoint, read_checkpoints, signed_entry
from infra.settings import Settings
from infra.signing import InstallationKey, find_signing_key
from infra.store import ObjectInfo, ObjectStore
from infra.store_errors import Unreadable

# After so many numbers taken by others in a row, the end is looked up anew instead of walked to.
_WALK = 16
# Each failed attempt means that another writer succeeded; so many in a row and something else is
# wrong.
_ATTEMPTS = 2000
_READERS = 8
# What is read of an object that is too long to be an entry: enough to be hashed and reported.
_BEGINNING = 65_536


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
        self._lost: set[int] = set()
        self._locks: bool | None = None

    def append(self, event: AuditEvent, checkpoint: bool = False) -> Link:
        """Write an event as the log's next entry. With `checkpoint`, and at every nth entry, a
        signed checkpoint follows.

        Raises StoreError when it could not be written: what the event records must then not go on.
        """
        with self._lock:
            self._note_what_is_lost()
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

    def read(self, last: int | None = None) -> Iterator[StoredEntry]:
        """All versions of all entries by number, the oldest version first; of the `last` so many
        where that is given.
        """
        found = self._versions(object_key.AUDIT_ENTRIES)
        numbered = [(n, i) for i in found if (n := object_key.read_audit_entry(i.key)) is not None]
        numbered.sort(key=lambda item: (item[0], item[1].last_modified))
        numbered = numbered if last is None else numbered[-last:]
        with ThreadPoolExecutor(_READERS) as pool:
            yield from pool.map(self._stored, numbered)

    def strangers(self) -> list[str]:
        """Keys below the entries' prefix that are not an entry's."""
        found = {i.key for i in self._versions(object_key.AUDIT_ENTRIES)}
        return sorted(key for key in found if object_key.read_audit_entry(key) is None)

    def last(self) -> Link | None:
        """The last entry that can be read; None in an empty log."""
        with self._lock:
            number = self._find_head().sequence
        for sequence in range(number, max(0, number - _WALK), -1):
            versions = self._versions(object_key.audit_entry(sequence))
            for info in sorted(versions, key=lambda i: i.last_modified):
                if not info.is_delete_marker:
                    with suppress(BadInput):
                        return read_link(self._bytes(info))
        return None

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

    def _checkpoint(self, **told: Any) -> Link | None:
        if self.key is None or (self._head or self._find_head()).sequence == 0:
            return None
        actor = f"key:{self.key.public.key_id}"
        event = AuditEvent(action="checkpoint", actor=actor, role="service", **told)
        made = self._append(event, checkpoints=True)
        keep_checkpoint(self._witness, made.entry.checkpoint)
        return made

    def _note_what_is_lost(self) -> None:
        """Where the last entry cannot be read any more (a disk lost it), the log goes on behind it
        with an entry that says so, signed where this process has the key.
        """
        last = (self._head or self._find_head()).sequence
        if last not in self._lost:
            return
        self._lost.clear()
        told = f"the store cannot read entry {last} any more: the log goes on behind it"
        if self._checkpoint(outcome="failed", reason=told) is None:
            actor = "service:encounter"
            self._append(
                AuditEvent(
                    action="checkpoint", actor=actor, role="service", outcome="failed", reason=told
                )
            )

    def _find_head(self) -> _Head:
        """The last entry that is reached without a hole. Folders are listed, then the last ones:
        never all entries. Hidden (marked) entries count too.
        """
        names = self.store.folders(AUDIT, object_key.AUDIT_ENTRIES)
        folders = {n for name in names if (n := object_key.read_audit_folder(name)) is not None}
        number = last_entry(folders, self._numbers_of, self._signed_entry())
        self._head = _Head(number, (self._hash_at(number) if number else None) or GENESIS)
        return self._head

    def _numbers_of(self, folder: int) -> set[int]:
        found = self._versions(object_key.audit_folder(folder))
        numbers = (object_key.read_audit_entry(i.key) for i in found if not i.is_delete_marker)
        return {number for number in numbers if number is not None}

    def _signed_entry(self) -> int:
        """The entry of the last checkpoint that this home made; 0 where it made none."""
        try:
            made = self.witnessed()
        except BadInput:
            return 0
        return signed_entry(made[-1]) if made else 0

    def _hash_at(self, sequence: int) -> str | None:
        """The hash of an entry, None where it is gone. Of several versions the first that is whole:
        it was there before.

        What is not an entry is someone else's, and hashed as it is: nobody can stop a deletion by
        filling the next place, and the check reports it.
        """
        versions = [
            i for i in self._versions(object_key.audit_entry(sequence)) if not i.is_delete_marker
        ]
        hashes = []
        for info in sorted(versions, key=lambda i: i.last_modified):
            data = self._bytes(info)
            if data == _lost(info):
                self._lost.add(sequence)
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
            return StoredEntry(sequence, self._bytes(info))
        except NotFound:
            return StoredEntry(sequence, None)

    def _bytes(self, info: ObjectInfo) -> bytes:
        """A version's bytes; of one that is too long to be an entry the beginning; of one that the
        store lists and cannot read, after the client's tries, what stands for it in the chain.
        """
        length = _BEGINNING if info.size > MAX_ENTRY_BYTES else 0
        try:
            return self.store.get(
                AUDIT, info.key, length=length, version_id=info.version_id, at_most=MAX_ENTRY_BYTES
            )
        except Unreadable:
            return _lost(info)


def _lost(info: ObjectInfo) -> bytes:
    """The same for everybody who meets it, and no entry: the check reports it."""
    return f"cannot be read: {info.etag}, {info.size} bytes".encode()


def open_audit_log(store: ObjectStore, settings: Settings) -> AuditLog:
    """The audit log with this installation's key, where this process has it."""
    return AuditLog(store, settings, find_signing_key(settings))
