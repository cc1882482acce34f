"""Where recordings lie: the bucket `footage`, or files that stay where they are, listed in a table.

Both give the same: what lies below a prefix of keys, and bytes of exactly what was listed.
"""

from __future__ import annotations

import builtins
import csv
import hashlib
import io
import os
from bisect import bisect_left
from collections.abc import Iterable
from itertools import islice, takewhile
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from data_contracts import object_key
from data_contracts.errors import BadInput, NotFound, ObjectChanged
from data_contracts.object_key import ListedObject, read_segment
from infra.object_reader import ObjectReader
from infra.store import ObjectStore

TABLE_COLUMNS = ("key", "path", "size", "mtime_ns", "sha256")
# A table of a million files takes 200 MB.
_MAX_ROWS = 2_000_000


class Footage(Protocol):
    """Recordings by key. Raises NotFound where one is gone, ObjectChanged where it is another."""

    def list(self, prefix: str) -> Iterable[ListedObject]:
        """What lies below a prefix, in order of key."""

    def newest(self, camera_id: str, days: int) -> builtins.list[ListedObject]:
        """The recordings of a camera's newest `days` days that have any, in order of time."""

    def last(self, camera_id: str) -> ListedObject | None:
        """A camera's newest recording, without listing all; None where it has none."""

    def size(self, key: str) -> int:
        """How many bytes a recording has."""

    def read(self, key: str, etag: str, at_most: int) -> bytes:
        """The whole recording that was listed with this ETag."""

    def open(self, item: ListedObject) -> io.RawIOBase:
        """The recording as a file that can be sought in."""

    def digest_of(self, key: str, etag: str) -> str:
        """Its SHA-256 when it was loaded or listed; empty where none was taken."""


class BucketFootage:
    """The bucket `footage` of the object store."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def list(self, prefix: str) -> Iterable[ListedObject]:
        """What lies below a prefix, in order of key."""
        return self._store.list(object_key.FOOTAGE, prefix)

    def newest(self, camera_id: str, days: int) -> builtins.list[ListedObject]:
        """The recordings of a camera's newest `days` days that have any, in order of time."""
        found: builtins.list[builtins.list[ListedObject]] = []
        for day in self._folders(f"{camera_id}/"):
            if len(found) == days:
                break
            below = _segments(self.list(day))
            if below:
                found.append(below)
        return [item for below in reversed(found) for item in below]

    def last(self, camera_id: str) -> ListedObject | None:
        """A camera's newest recording, without listing all; None where it has none."""
        for day in self._folders(f"{camera_id}/"):
            for hour in self._folders(day):
                found = _segments(self.list(hour))
                if found:
                    return found[-1]
        return None

    def _folders(self, prefix: str) -> builtins.list[str]:
        """The folders below a prefix, the last first."""
        names = self._store.folders(object_key.FOOTAGE, prefix)
        return [f"{prefix}{name}/" for name in sorted(names, reverse=True)]

    def size(self, key: str) -> int:
        """How many bytes a recording has."""
        return self._store.stat(object_key.FOOTAGE, key).size

    def read(self, key: str, etag: str, at_most: int) -> bytes:
        """The whole recording that was listed with this ETag."""
        return self._store.get(object_key.FOOTAGE, key, at_most=at_most, etag=etag)

    def open(self, item: ListedObject) -> io.RawIOBase:
        """The recording as a file that can be sought in."""
        return ObjectReader(self._store, object_key.FOOTAGE, item)

    def digest_of(self, key: str, etag: str) -> str:
        """Its SHA-256 when it was loaded; empty where none was taken."""
        return self._store.digest_of(object_key.FOOTAGE, key, etag)


class ListedFile(NamedTuple):
    """A row of the table: a file below the folder under the key that it would have in the bucket.
    Its ETag is its size and time of change, as they were when the table was made.
    """

    key: str
    path: str
    size: int
    mtime_ns: int
    sha256: str

    @property
    def etag(self) -> str:
        """What tells this file from another in its place."""
        return _etag(self.size, self.mtime_ns)


class FolderFootage:
    """Files of a folder that stay where they are, by a table that `encounter ingest --in-place`
    wrote. Only files of the table are read, and none outside of the folder.
    """

    def __init__(self, table: Path) -> None:
        self._folder, self._files = read_table(table)
        self._keys = sorted(self._files)

    def list(self, prefix: str) -> Iterable[ListedObject]:
        """What the table has below a prefix, in order of key, as the files were when it was
        made.
        """
        at = bisect_left(self._keys, prefix)
        below = takewhile(lambda key: key.startswith(prefix), islice(self._keys, at, None))
        return [self._files[key] for key in below]

    def newest(self, camera_id: str, days: int) -> builtins.list[ListedObject]:
        """The recordings of a camera's newest `days` days that have any, in order of time."""
        own = _segments(self.list(f"{camera_id}/"))
        kept = sorted({_day(item) for item in own})[-days:]
        return [item for item in own if _day(item) in kept]

    def last(self, camera_id: str) -> ListedObject | None:
        """A camera's newest recording, without listing all; None where it has none."""
        return next(iter(reversed(_segments(self.list(f"{camera_id}/")))), None)

    def size(self, key: str) -> int:
        """How many bytes a recording has."""
        with self._opened(key) as file:
            return os.fstat(file.fileno()).st_size

    def read(self, key: str, etag: str, at_most: int) -> bytes:
        """The whole recording that was listed with this ETag."""
        with io.BufferedReader(self._opened(key, etag)) as file:
            data = file.read(at_most + 1)
            self.check(key, file.fileno(), etag)
        if len(data) > at_most:
            raise BadInput(f"{key}: more than {at_most} bytes")
        return data

    def open(self, item: ListedObject) -> io.RawIOBase:
        """The recording as a file that can be sought in."""
        return _SameFile(self, item, self._opened(item.key, item.etag))

    def digest_of(self, key: str, etag: str) -> str:
        """Its SHA-256 when the table was made."""
        found = self._files.get(key)
        return found.sha256 if found is not None and found.etag == etag else ""

    def _opened(self, key: str, etag: str = "") -> io.FileIO:
        row = self._files.get(key)
        if row is None:
            raise NotFound(f"{key}: the table of footage does not have it")
        try:
            path = (self._folder / row.path).resolve(strict=True)
            if not path.is_relative_to(self._folder) or not path.is_file():
                raise NotFound(f"{key}: its path leads out of the folder of the table")
            file = path.open("rb", buffering=0)
        except OSError as error:
            raise NotFound(f"{key}: {row.path} cannot be opened ({error.strerror})") from None
        if etag:
            try:
                self.check(key, file.fileno(), etag)
            except ObjectChanged:
                file.close()
                raise
        return file

    @staticmethod
    def check(key: str, handle: int, etag: str) -> None:
        """Raise ObjectChanged where an open file is not the one that was listed."""
        now = os.fstat(handle)
        if _etag(now.st_size, now.st_mtime_ns) != etag:
            raise ObjectChanged(f"{key}: the file is another than when the table was made")


class _SameFile(io.RawIOBase):
    """An open file that is the one that was listed at each read."""

    def __init__(self, footage: FolderFootage, item: ListedObject, file: io.FileIO) -> None:
        super().__init__()
        self._footage = footage
        self._item = item
        self._file = file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def readinto(self, buffer: Any) -> int:
        count = self._file.readinto(buffer) or 0
        self._footage.check(self._item.key, self._file.fileno(), self._item.etag)
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


def _segments(items: Iterable[ListedObject]) -> list[ListedObject]:
    """Those of the listed objects that are recordings."""
    return [item for item in items if read_segment(item.key)]


def _day(item: ListedObject) -> str:
    return item.key.split("/")[1]


def _etag(size: int, mtime_ns: int) -> str:
    return f"{size:x}-{mtime_ns:x}"


def listed_file(folder: Path, path: Path, key: str, before: ListedFile | None = None) -> ListedFile:
    """A file as a row of the table, with its SHA-256; that of the row `before` where the file did
    not change since. Raises BadInput where it changes meanwhile.
    """
    below = path.relative_to(folder).as_posix()
    with path.open("rb") as file:
        about = os.fstat(file.fileno())
        row = ListedFile(key, below, about.st_size, about.st_mtime_ns, "")
        if before is not None and before._replace(sha256="") == row:
            return before
        row = row._replace(sha256=hashlib.file_digest(file, "sha256").hexdigest())
        after = os.fstat(file.fileno())
    if _etag(after.st_size, after.st_mtime_ns) != row.etag:
        raise BadInput(f"{path}: changed while it was read: list it when it is complete")
    return row


def table_bytes(folder: Path, files: Iterable[ListedFile]) -> bytes:
    """The table as CSV: the folder in the first line, then a row a file."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["folder", str(folder.resolve())])
    writer.writerow(TABLE_COLUMNS)
    writer.writerows(sorted(files))
    return out.getvalue().encode()


def read_table(path: Path) -> tuple[Path, dict[str, ListedFile]]:
    """The folder, and its files by key. Raises BadInput with the line that is wrong."""
    try:
        rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{path}: the table of footage cannot be read: {error}") from None
    if len(rows) < 2 or rows[0][:1] != ["folder"] or tuple(rows[1]) != TABLE_COLUMNS:
        raise BadInput(
            f"{path}: expected a table of footage as `encounter ingest FOLDER --in-place` writes it"
        )
    if len(rows) > _MAX_ROWS:
        raise BadInput(f"{path}: more than {_MAX_ROWS} files: make a table for each part")
    files = {}
    for number, row in enumerate(rows[2:], start=3):
        try:
            key, below, size, mtime_ns, sha256 = row
            found = ListedFile(key, below, int(size), int(mtime_ns), sha256)
        except ValueError:
            raise BadInput(f"{path}: line {number} is not a row of the table") from None
        if read_segment(key) is None or key in files:
            raise BadInput(f"{path}: line {number}: {key!r} is not a key, or is there twice")
        files[key] = found
    return Path(rows[0][1]).resolve(), files
