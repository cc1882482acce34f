"""What a process needs from outside: settings, object store, keys, cameras and models."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from data_contracts import object_key
from data_contracts.authorisation import TrustedKeys
from data_contracts.camera import MAX_BYTES, Site, read_site
from data_contracts.errors import BadInput, NotFound, ObjectChanged
from flows.runtime.key_list import trusted_keys_of
from infra.audit_log import AuditLog, open_audit_log
from infra.camera_index import index_file, open_index, write_index
from infra.case_store import CaseStore
from infra.footage import BucketFootage, FolderFootage, Footage
from infra.held_file import in_turn
from infra.key_source import load_master_keys
from infra.settings import Settings, load_settings
from infra.store import ObjectStore
from infra.token_list import TokenList

if TYPE_CHECKING:
    from models.interface import FaceScores, PersonScores
    from models.registry import Models


@dataclass(frozen=True)
class Environment:
    """The outside, opened once per process."""

    settings: Settings
    store: ObjectStore
    cases: CaseStore
    audit_log: AuditLog

    @cached_property
    def footage(self) -> Footage:
        """Where the recordings lie: in the store, or where a table says."""
        table = self.settings.footage.table
        return FolderFootage(table) if table else BucketFootage(self.store)

    @cached_property
    def tokens(self) -> TokenList:
        """The list of tokens that were filed or withdrawn."""
        lock_days = self.settings.audit.lock_days
        return TokenList(self.store, self.cases.keys, lock_days, locked=self.audit_log.locked)


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Settings, store and master key of this process. Raises BadInput or StoreError in one line."""
    settings = load_settings()
    store = ObjectStore(settings.s3)
    return Environment(
        settings,
        store,
        CaseStore(store, load_master_keys(settings)),
        open_audit_log(store, settings),
    )


def trusted_keys(env: Environment) -> TrustedKeys:
    """The present list of trusted keys: see `flows.runtime.key_list`."""
    return trusted_keys_of(env.store, env.settings)


def site(env: Environment) -> Site:
    """The cameras of the camera file in force: it is asked for at every authorising, so that the
    store is asked for the file's ETag alone, and cameras come from this machine's index of it.
    """
    try:
        return _present_site(env)
    except ObjectChanged:
        # Another file was published between the two questions.
        return _present_site(env)
    except NotFound as error:
        raise BadInput(
            "no cameras on this site: publish them with `encounter site publish cameras.geojson`"
        ) from error


def _present_site(env: Environment) -> Site:
    etag = env.store.stat(object_key.SITE, object_key.CAMERAS).etag
    return _site_of(env.store, env.settings.paths.cameras, etag)


@lru_cache(maxsize=4)
def _site_of(store: ObjectStore, folder: Path, etag: str) -> Site:
    """The site of a camera file. The first process that sees it makes its index, which holds the
    cameras alone; where none can be written all are kept in memory.
    """
    whose = f"{store.endpoint} {store.settings.bucket_prefix} {etag}"
    path = index_file(folder, hashlib.sha256(whose.encode()).hexdigest()[:32])
    found = open_index(path)
    if found is not None:
        return found
    try:
        with in_turn(folder / "making"):
            return open_index(path) or _indexed(store, path, etag)
    except OSError:
        return _parsed(store, etag)


def _indexed(store: ObjectStore, path: Path, etag: str) -> Site:
    parsed = _parsed(store, etag)
    write_index(path, parsed)
    return open_index(path) or parsed


def _parsed(store: ObjectStore, etag: str) -> Site:
    return read_site(store.get(object_key.SITE, object_key.CAMERAS, at_most=MAX_BYTES, etag=etag))


def models(env: Environment) -> Models:
    """The models of this process, loaded once. Raises ModelUnavailable with what to do."""
    from models.registry import load

    return load(env.settings.models)


def detector_scores(env: Environment) -> tuple[PersonScores, FaceScores]:
    """What the scores of the chosen detectors are worth; loads no network."""
    from models.registry import detector_scores as of_models

    return of_models(env.settings.models)
