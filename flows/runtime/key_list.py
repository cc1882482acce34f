"""The present list of trusted keys: read from the locked bucket, held against the pinned root, the
chain of its versions, and the highest version that this home has seen.
"""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import timedelta
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from data_contracts import object_key
from data_contracts.authorisation import TrustedKeys
from data_contracts.errors import BadInput, KeyMissing, NotAuthorised
from data_contracts.key_list import KeyList, SignedKeyList
from data_contracts.signature import PublicKey
from data_contracts.time import now_utc
from infra.case_store import PAPER_BYTES
from infra.settings import Settings
from infra.stack_record import read_private, replace_private
from infra.store import ObjectInfo, ObjectStore
from tasks.consent.key_list import check_version, root_key

_known_lists: dict[tuple[object, ...], KeyList | None] = {}


class Seen(NamedTuple):
    """The highest version that this home has accepted, and under which root."""

    number: int
    digest: str
    root: str


def pinned_root(settings: Settings) -> PublicKey:
    """The root's public key: from the settings, else from this home's file. Raises KeyMissing with
    what to do.
    """
    if settings.keys.root_public is not None:
        return root_key(settings.keys.root_public)
    try:
        return root_key(read_private(settings.paths.root_file, "root's public key").strip())
    except KeyMissing:
        raise KeyMissing(
            "no root is pinned, so no key can be trusted: make one with `encounter keys root new "
            "--out FILE`, or set keys.root_public to the root's public key"
        ) from None


def present_list(store: ObjectStore, settings: Settings) -> KeyList | None:
    """The highest valid version, or None where there is none yet.

    What is not signed as it must be is not a version, whoever wrote it. Raises NotAuthorised where
    the store's list is older than one that this home has seen, KeyMissing where no root is pinned.
    """
    root = pinned_root(settings)
    listed = [
        item
        for item in store.list_versions(object_key.AUDIT, object_key.KEY_LISTS)
        if not item.is_delete_marker
    ]
    listed.sort(key=lambda i: (i.key, i.last_modified))
    seen_file = settings.paths.key_list_file(settings.s3.bucket_prefix)
    marks = tuple((i.key, i.version_id, i.etag) for i in listed)
    known = (store.endpoint, settings.s3.bucket_prefix, root.key_id, marks)
    if known not in _known_lists:
        _known_lists.clear()
        _known_lists[known] = _read_chain(store, listed, root, read_seen(seen_file))
    found = _known_lists[known]
    _remember_version(seen_file, found, root)
    return found


def trusted_keys_of(store: ObjectStore, settings: Settings) -> TrustedKeys:
    """The keys of the present list. Raises BadInput where there is none yet."""
    found = present_list(store, settings)
    if found is None:
        raise BadInput("no trusted keys on this site: add them with `encounter keys add FILE`")
    return found.trusted


def store_list(
    store: ObjectStore, settings: Settings, signed: SignedKeyList, *, locked: bool
) -> KeyList:
    """Write a version behind the present one, also where something lies in its place that is not a
    version: a revocation waits for nobody. Raises NotAuthorised where it may not follow it,
    BadInput where another version took its place meanwhile.
    """
    version = check_version(present_list(store, settings), signed, pinned_root(settings))
    until = now_utc() + timedelta(days=settings.audit.lock_days) if locked else None
    key = object_key.key_list(version.number)
    data = signed.model_dump_json(indent=1).encode()
    if not store.put_if_absent(object_key.AUDIT, key, data, "application/json", until):
        there = store.stat(object_key.AUDIT, key).etag
        check_version(present_list(store, settings), signed, pinned_root(settings))
        store.replace(object_key.AUDIT, key, data, there, "application/json", until)
    if present_list(store, settings) != version:
        raise BadInput(f"{key}: another version is there; see encounter keys list, do it again")
    return version


def read_seen(path: Path) -> Seen | None:
    """What this home remembers, or None where it has seen no list."""
    try:
        value = json.loads(read_private(path, "note of the highest key list"))
        return Seen(int(value["number"]), str(value["digest"]), str(value["root"]))
    except KeyMissing:
        return None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise BadInput(f"{path}: damaged; restore it from a backup of this home") from None


def _remember_version(path: Path, found: KeyList | None, root: PublicKey) -> None:
    seen = read_seen(path)
    if seen is not None and (found is None or found.number < seen.number):
        raise NotAuthorised(
            f"the store's list of keys is version {found.number if found else 0}, this home has "
            f"seen version {seen.number}: an older list was put in its place"
        )
    if found is not None and (seen is None or found.number > seen.number):
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            now = Seen(found.number, found.digest, root.key_id)
            replace_private(path, json.dumps(now._asdict()))


def _read_chain(
    store: ObjectStore, listed: list[ObjectInfo], root: PublicKey, seen: Seen | None
) -> KeyList | None:
    """The last version of the chain. What this home has seen under this root needs no checking
    again.
    """
    before: KeyList | None = None
    if seen is not None and seen.root != root.key_id:
        seen = None
    for key, versions in groupby(listed, key=lambda i: i.key):
        number = object_key.read_key_list(key)
        if number is None or (seen is not None and number < seen.number):
            continue
        found = None
        for item in versions:
            found = found or _accepted_list(store, item, before, root, seen)
        if found is None:
            break
        before = found
    return before


def _accepted_list(
    store: ObjectStore,
    item: ObjectInfo,
    before: KeyList | None,
    root: PublicKey,
    seen: Seen | None,
) -> KeyList | None:
    try:
        data = store.get(
            object_key.AUDIT, item.key, version_id=item.version_id, at_most=PAPER_BYTES
        )
        signed = SignedKeyList.model_validate_json(data)
        if signed.version.number != object_key.read_key_list(item.key):
            return None
        if seen is not None and signed.version.number == seen.number:
            return signed.version if signed.version.digest == seen.digest else None
        return check_version(before, signed, root)
    except (BadInput, ValidationError, NotAuthorised):
        return None
