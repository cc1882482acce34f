"""The object store: any S3. The only module that calls the S3 client.

Buckets are named by their logical names (`data_contracts.object_key`); the prefix of the settings
is put before them here and nowhere else. A put is atomic: an object is seen whole or not at all.
Objects are safe to share by threads and to pickle to other processes (the connection is made anew
there).
"""

from __future__ import annotations

import base64
import builtins
import hashlib
import io
import secrets
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeVar

import urllib3
from minio import Minio
from minio.commonconfig import COMPLIANCE, ENABLED
from minio.deleteobjects import DeleteObject
from minio.error import S3Error
from minio.objectlockconfig import ObjectLockConfig
from minio.versioningconfig import VersioningConfig

from data_contracts import object_key
from data_contracts.errors import BadInput, NotFound, ObjectChanged, StoreError
from infra.settings import S3Settings
from infra.store_errors import BrokenOff, Exists, Unreadable, Unsupported, mapped

# One request up to this size, multipart above: S3's own limit for one PUT is 5 GiB, memory is ours.
_PART_BYTES = 64 * 1024 * 1024
_POOL_CONNECTIONS = 32
# The most that is read of any object: a segment of footage or a table of a whole case. Who may
# write to a bucket can put more there, and would fill the memory of whoever reads it.
LARGEST_BYTES = 1024 * 1024 * 1024
_BACKOFF_S = 0.2
# Which call wrote an object on a condition: a random word, of that one write.
_WRITTEN_BY = "x-amz-meta-written-by"
_DIGEST = "x-amz-meta-sha256"
_BYTES_TYPE = "application/octet-stream"

T = TypeVar("T")


class ObjectInfo(NamedTuple):
    """What the store says about one object or one version of it."""

    key: str
    etag: str
    size: int
    version_id: str | None
    last_modified: datetime
    is_delete_marker: bool = False


class Upload(NamedTuple):
    """A multipart upload that was begun and not completed."""

    key: str
    upload_id: str


class ObjectStore:
    """Objects by bucket and key. All methods raise StoreError, or NotFound where the object does
    not exist.
    """

    def __init__(self, settings: S3Settings) -> None:
        if not settings.endpoint:
            raise StoreError(
                "no object store is known: start one with `encounter up` or set "
                "ENCOUNTER_S3__ENDPOINT"
            )
        self.settings = settings
        self.endpoint = settings.endpoint
        timeout = urllib3.Timeout(connect=settings.connect_timeout_s, read=settings.read_timeout_s)
        retries = urllib3.Retry(
            total=settings.retries,
            connect=min(1, settings.retries),
            backoff_factor=_BACKOFF_S,
            status_forcelist=(500, 502, 503, 504),
            raise_on_status=False,
        )
        http = urllib3.PoolManager(maxsize=_POOL_CONNECTIONS, timeout=timeout, retries=retries)

        def connect() -> Minio:
            return Minio(
                self.endpoint,
                access_key=settings.access_key,
                secret_key=settings.secret_key.get_secret_value(),
                secure=settings.secure,
                region=settings.region,
                http_client=http,
            )

        self._http = http
        self._client = mapped(connect, self.endpoint, "")

    def __reduce__(self) -> tuple[type[ObjectStore], tuple[S3Settings]]:
        return ObjectStore, (self.settings,)

    def __repr__(self) -> str:
        return f"ObjectStore({self.endpoint})"

    def bucket(self, name: str) -> str:
        """The bucket's name at the server."""
        return self.settings.bucket_prefix + name

    def _call_client(self, bucket: str, key: str, call: Callable[[str], T]) -> T:
        """Call the client with the bucket's real name, its errors mapped."""
        name = self.bucket(bucket)
        return mapped(lambda: call(name), self.endpoint, name, key)

    def _read(self, bucket: str, key: str, call: Callable[[str], T]) -> T:
        """The same for bytes: an answer that breaks off in the middle is asked for again, which the
        connection does not do, and so are bytes that a busy store cannot give at the moment.
        """
        for attempt in range(self.settings.retries):
            try:
                return self._call_client(bucket, key, call)
            except (BrokenOff, Unreadable):
                time.sleep(_BACKOFF_S * 2**attempt)
        return self._call_client(bucket, key, call)

    def time(self) -> datetime | None:
        """The store's own clock, by the Date of an answer (to the second); None where it sends
        none.
        """
        scheme = "https" if self.settings.secure else "http"
        url = f"{scheme}://{self.endpoint}/"
        answer = mapped(lambda: self._http.request("HEAD", url), self.endpoint, "")
        date = answer.headers.get("Date", "")
        try:
            return parsedate_to_datetime(date).astimezone(UTC)
        except ValueError:
            return None

    def ensure_buckets(self) -> None:
        """Create missing buckets. `audit` is versioned, with object lock where the store has it:
        see docs/audit.md.
        """
        for logical in object_key.BUCKETS:
            self._call_client(
                logical,
                "",
                self._ensure_audit if logical == object_key.AUDIT else self._ensure_bucket,
            )

    def _ensure_bucket(self, name: str) -> None:
        if not self._client.bucket_exists(name):
            self._client.make_bucket(name)

    def _ensure_audit(self, name: str) -> None:
        if not self._client.bucket_exists(name):
            with suppress(S3Error):  # a store without object lock refuses
                self._client.make_bucket(name, object_lock=True)
        self._ensure_bucket(name)
        if self._client.get_bucket_versioning(name).status != ENABLED:
            self._client.set_bucket_versioning(name, VersioningConfig(ENABLED))
        try:
            self._client.get_object_lock_config(name)
        except S3Error:
            with suppress(
                S3Error
            ):  # some stores lock a bucket that is there already; `object_lock` tells
                self._client.set_object_lock_config(name, ObjectLockConfig(None, None, None))

    def has_bucket(self, bucket: str) -> bool:
        """Whether the bucket is there."""
        return self._call_client(bucket, "", self._client.bucket_exists)

    def is_versioned(self, bucket: str) -> bool:
        """Whether the bucket keeps versions of its objects."""
        found = self._call_client(bucket, "", self._client.get_bucket_versioning)
        return bool(found.status == ENABLED)

    def object_lock(self, bucket: str) -> bool:
        """Whether objects of this bucket can be locked. Raises StoreError where the store cannot be
        asked.
        """
        try:
            self._call_client(bucket, "", lambda name: self._client.get_object_lock_config(name))
        except Unsupported:
            return False
        return True

    def put(
        self, bucket: str, key: str, data: bytes, content_type: str = _BYTES_TYPE
    ) -> ObjectInfo:
        """Write an object, replacing what was there."""
        return self._put_stream(bucket, key, io.BytesIO(data), len(data), content_type)

    def put_file(
        self,
        bucket: str,
        key: str,
        path: Path,
        content_type: str = _BYTES_TYPE,
        *,
        with_digest: bool = False,
    ) -> ObjectInfo:
        """Write a file as an object without reading it into memory at once. `with_digest`: its
        SHA-256 is written beside it, for `digest_of`; raises BadInput, and keeps nothing, where the
        file changes meanwhile.
        """
        with path.open("rb") as file:
            before = path.stat()
            if not with_digest:
                return self._put_stream(bucket, key, file, before.st_size, content_type)
            notes = {_DIGEST: hashlib.file_digest(file, "sha256").hexdigest()}
            file.seek(0)
            put = self._put_stream(bucket, key, file, before.st_size, content_type, notes)
        after = path.stat()
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            self.remove_all_versions(bucket, key)
            raise BadInput(f"{path}: changed while it was loaded: load it when it is complete")
        return put

    def digest_of(self, bucket: str, key: str, etag: str) -> str:
        """The SHA-256 that was written beside the object with this ETag; empty where it was put
        without one, is gone or was replaced.
        """
        try:
            there = self._call_client(bucket, key, lambda name: self._client.stat_object(name, key))
        except NotFound:
            return ""
        same = _object_info(there).etag == etag
        return (there.metadata or {}).get(_DIGEST, "") if same else ""

    def _put_stream(
        self,
        bucket: str,
        key: str,
        data: BinaryIO,
        size: int,
        content_type: str,
        notes: dict[str, str] | None = None,
    ) -> ObjectInfo:
        done = self._call_client(
            bucket,
            key,
            lambda name: self._client.put_object(
                name, key, data, size, content_type, notes or None, part_size=_PART_BYTES
            ),
        )
        return ObjectInfo(key, done.etag or "", size, done.version_id, datetime.now(UTC))

    def put_if_absent(
        self,
        bucket: str,
        key: str,
        data: bytes,
        content_type: str = _BYTES_TYPE,
        locked_until: datetime | None = None,
    ) -> bool:
        """Write an object unless one is there (`If-None-Match: *`): of two writers exactly one gets
        True.

        `locked_until`: nobody can delete this version before then (COMPLIANCE; the bucket must have
        object lock).
        """
        headers = {"If-None-Match": "*", "Content-Type": content_type}
        headers |= _lock(data, locked_until)
        try:
            return self._put_on_condition(bucket, key, data, headers)
        except Exists:
            return False

    def _put_on_condition(
        self, bucket: str, key: str, data: bytes, headers: dict[str, str]
    ) -> bool:
        """A write whose answer was lost is sent again by the connection and then meets itself: the
        word that goes with it tells it from another writer's. Raises Exists for that one's.
        """
        word = secrets.token_hex(16)
        given = {**headers, _WRITTEN_BY: word}
        try:
            # put_object renames headers that it does not know; the client's version is pinned for
            # this call.
            self._call_client(
                bucket, key, lambda name: self._client._put_object(name, key, data, given)
            )
        except Exists:
            there = self._call_client(bucket, key, lambda name: self._client.stat_object(name, key))
            if (there.metadata or {}).get(_WRITTEN_BY) != word:
                raise
        return True

    def replace(
        self,
        bucket: str,
        key: str,
        data: bytes,
        etag: str,
        content_type: str = _BYTES_TYPE,
        locked_until: datetime | None = None,
    ) -> bool:
        """Write an object in the place of the one with this ETag (`If-Match`); False where another
        is there, or none any more. `locked_until` as for `put_if_absent`.
        """
        headers = {"If-Match": f'"{etag.strip(chr(34))}"', "Content-Type": content_type}
        headers |= _lock(data, locked_until)
        try:
            return self._put_on_condition(bucket, key, data, headers)
        except (Exists, NotFound):
            return False

    def get(
        self,
        bucket: str,
        key: str,
        offset: int = 0,
        length: int = 0,
        version_id: str | None = None,
        at_most: int = LARGEST_BYTES,
        etag: str = "",
    ) -> bytes:
        """Read an object, or `length` bytes from `offset` (0: to the end); the newest version
        unless one is named. Raises BadInput, with no more read than that, where there are more than
        `at_most` bytes, and ObjectChanged where it is not the one with this `etag` any more.
        """
        only = {"If-Match": f'"{etag}"'} if etag else {}

        def read(name: str) -> bytes | None:
            response = self._client.get_object(
                name,
                key,
                offset=offset,
                length=length,
                version_id=version_id,
                request_headers=only,
            )
            try:
                if etag and response.headers.get("ETag", "").strip('"') != etag:
                    raise Exists(key)  # a store that does not know If-Match
                told = response.headers.get("Content-Length", "0")
                if told.isdecimal() and int(told) > at_most:
                    return None
                return response.read(at_most + 1)
            finally:
                response.close()
                response.release_conn()

        try:
            data = self._read(bucket, key, read)
        except Exists:
            raise ObjectChanged(
                f"{bucket}/{key}: expected the object with ETag {etag}, another lies there now"
            ) from None
        if data is None or len(data) > at_most:
            raise BadInput(f"{bucket}/{key}: more than {at_most} bytes: it was not written here")
        return data

    def download(self, bucket: str, key: str, path: Path) -> Path:
        """Read an object into a file, which appears whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._read(bucket, key, lambda name: self._client.fget_object(name, key, str(path)))
        return path

    def stat(self, bucket: str, key: str) -> ObjectInfo:
        """What the store says about an object."""
        return _object_info(
            self._call_client(bucket, key, lambda name: self._client.stat_object(name, key))
        )

    def exists(self, bucket: str, key: str) -> bool:
        """Whether an object is there."""
        try:
            self.stat(bucket, key)
        except NotFound:
            return False
        return True

    def holds(self, bucket: str, key: str, path: Path) -> bool:
        """Whether the object has the bytes of a file, by its ETag; False where it is not there."""
        try:
            there = self.stat(bucket, key)
        except NotFound:
            return False
        return there.size == path.stat().st_size and there.etag == _etag_of(path)

    def list(self, bucket: str, prefix: str) -> builtins.list[ObjectInfo]:
        """The objects below a prefix in key order. The footage bucket is never listed whole (a city
        has billions).
        """
        _need_prefix(bucket, prefix)
        return [
            info
            for info in self._list_all(bucket, prefix, recursive=True)
            if not info.key.endswith("/")
        ]

    def folders(self, bucket: str, prefix: str = "") -> builtins.list[str]:
        """The names directly below a prefix that have objects below them, such as the case ids."""
        names = [
            i.key for i in self._list_all(bucket, prefix, recursive=False) if i.key.endswith("/")
        ]
        return [name[len(prefix) :].strip("/") for name in names]

    def list_versions(self, bucket: str, prefix: str) -> builtins.list[ObjectInfo]:
        """All versions and delete markers below a prefix."""
        _need_prefix(bucket, prefix)
        return [
            i
            for i in self._list_all(bucket, prefix, recursive=True, versions=True)
            if not i.key.endswith("/")
        ]

    def remove_all_versions(self, bucket: str, prefix: str) -> builtins.list[ObjectInfo]:
        """Delete every version of every object below a prefix and check that nothing is left.

        Returns what was deleted; nothing there is a success. A prefix without a final slash also
        matches longer names: give `K-1/`, or the whole key of one object.
        """
        if not prefix:
            raise StoreError(
                f"refusing to delete all of bucket {bucket}: give a prefix such as K-2026-0042/"
            )
        doomed = self.list_versions(bucket, prefix)
        if doomed:
            self.remove_versions(bucket, doomed)
        left = self.list_versions(bucket, prefix)
        if left:
            raise StoreError(
                f"{len(left)} objects below {bucket}/{prefix} are still there after deletion: "
                "another writer is busy or an object lock holds them; stop it and delete again"
            )
        return doomed

    def uploads(self, bucket: str, prefix: str) -> builtins.list[Upload]:
        """Multipart uploads below a prefix that were begun and not completed."""
        _need_prefix(bucket, prefix)
        out: builtins.list[Upload] = []
        key_marker = id_marker = None
        while True:
            page = self._uploads_page(bucket, prefix, key_marker, id_marker)
            out += [
                Upload(u.object_name, u.upload_id)
                for u in page.uploads
                if u.object_name.startswith(prefix)
            ]
            if not page.is_truncated:
                return out
            key_marker = page.next_key_marker
            id_marker = page.next_upload_id_marker

    def _uploads_page(
        self, bucket: str, prefix: str, key_marker: str | None, id_marker: str | None
    ) -> Any:
        return self._call_client(
            bucket,
            prefix,
            # The client's own method for this is private; its version is pinned.
            lambda name: self._client._list_multipart_uploads(
                name,
                prefix=prefix,
                key_marker=key_marker,
                upload_id_marker=id_marker,
                max_uploads=1000,
            ),
        )

    def abort_uploads(self, bucket: str, prefix: str) -> int:
        """End incomplete multipart uploads below a prefix, their parts with them; returns how many
        there were.
        """
        doomed = self.uploads(bucket, prefix)
        for upload in doomed:
            with suppress(NotFound):
                self._call_client(
                    bucket,
                    upload.key,
                    lambda name, u=upload: self._client._abort_multipart_upload(
                        name, u.key, u.upload_id
                    ),  # type: ignore[misc]
                )
        return len(doomed)

    def remove_folders(self, bucket: str, prefix: str) -> None:
        """Remove the empty folders that some stores (SeaweedFS) keep below a prefix such as `K-1/`
        and still list.

        Where the store has no folders nothing is asked of it. Does nothing while an object is left
        below the prefix.
        """
        if not prefix.endswith("/") or self.list_versions(bucket, prefix):
            return
        parent, _, name = prefix.rstrip("/").rpartition("/")
        if name in self.folders(bucket, f"{parent}/" if parent else ""):
            self._remove_folder(bucket, prefix)

    def _remove_folder(self, bucket: str, folder: str) -> None:
        for item in self._list_all(bucket, folder, recursive=False):
            if item.key.endswith("/") and item.key != folder:
                self._remove_folder(bucket, item.key)
        self._call_client(bucket, folder, lambda name: self._client.remove_object(name, folder))

    def _list_all(
        self, bucket: str, prefix: str, *, recursive: bool, versions: bool = False
    ) -> builtins.list[ObjectInfo]:
        def walk(name: str) -> builtins.list[ObjectInfo]:
            found = self._client.list_objects(
                name, prefix=prefix, recursive=recursive, include_version=versions
            )
            return [_object_info(item) for item in found]

        return self._call_client(bucket, prefix, walk)

    def remove_versions(self, bucket: str, doomed: Iterable[ObjectInfo]) -> None:
        """Delete these versions and delete markers; one that is gone already is a success."""
        request = [DeleteObject(i.key, i.version_id) for i in doomed]
        failed = self._call_client(
            bucket, "", lambda name: builtins.list(self._client.remove_objects(name, iter(request)))
        )
        errors = [e for e in failed if e.code != "NoSuchKey"]
        if errors:
            raise StoreError(
                f"{len(errors)} objects in {bucket} could not be deleted "
                f"({errors[0].code}): check the user's rights and object locks, then delete again"
            )


def _lock(data: bytes, until: datetime | None) -> dict[str, str]:
    """The headers that lock a version; a locked write must say its digest."""
    if until is None:
        return {}
    digest = hashlib.md5(data, usedforsecurity=False).digest()
    return {
        "x-amz-object-lock-mode": COMPLIANCE,
        "x-amz-object-lock-retain-until-date": f"{until.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "Content-MD5": base64.b64encode(digest).decode(),
    }


def _etag_of(path: Path) -> str:
    """The ETag that a store gives a file put by `put_file`: the MD5 of its bytes or, of several
    parts, of the parts' MD5s with their number.
    """
    digests = []
    with path.open("rb") as file:
        while part := file.read(_PART_BYTES):
            digests.append(hashlib.md5(part, usedforsecurity=False).digest())
    if len(digests) <= 1:
        return (digests or [hashlib.md5(usedforsecurity=False).digest()])[0].hex()
    whole = hashlib.md5(b"".join(digests), usedforsecurity=False).hexdigest()
    return f"{whole}-{len(digests)}"


def _need_prefix(bucket: str, prefix: str) -> None:
    if bucket == object_key.FOOTAGE and not prefix:
        raise StoreError(
            "refusing to list the whole footage bucket: give a camera's hour "
            "(object_key.hour_prefixes)"
        )


def _object_info(item: object) -> ObjectInfo:
    return ObjectInfo(
        key=getattr(item, "object_name", None) or "",
        etag=(getattr(item, "etag", None) or "").strip('"'),
        size=int(getattr(item, "size", None) or 0),
        version_id=getattr(item, "version_id", None),
        last_modified=getattr(item, "last_modified", None) or datetime.fromtimestamp(0, UTC),
        is_delete_marker=bool(getattr(item, "is_delete_marker", False)),
    )
