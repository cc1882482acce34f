"""An object of the store as a file that can be sought in: only what is read of it is fetched."""

from __future__ import annotations

import io
from typing import Any

from data_contracts.object_key import ListedObject
from infra.store import ObjectStore

# A header of a file of an hour has some 100 KiB; S3 answers a part of this size in one round trip.
_BLOCK_BYTES = 256 * 1024


class ObjectReader(io.RawIOBase):
    """Reads one version of an object, block by block; the last block is kept.

    Raises ObjectChanged where another object has taken its place, and NotFound where it is gone.
    """

    def __init__(self, store: ObjectStore, bucket: str, info: ListedObject) -> None:
        super().__init__()
        self._store = store
        self._bucket = bucket
        self._info = info
        self._at = 0
        self._block = b""
        self._block_at = 0

    def readable(self) -> bool:
        """It can be read."""
        return True

    def seekable(self) -> bool:
        """It can be sought in."""
        return True

    def tell(self) -> int:
        """Where the next read begins."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place; nothing is fetched."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._info.size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer as far as one block goes; 0 at the end."""
        view = memoryview(buffer).cast("B")
        left = self._info.size - self._at
        if left <= 0 or not len(view):
            return 0
        inside = self._at - self._block_at
        if not 0 <= inside < len(self._block):
            length = min(max(len(view), _BLOCK_BYTES), left)
            info = self._info
            self._block = self._store.get(self._bucket, info.key, self._at, length, etag=info.etag)
            self._block_at = self._at
            inside = 0
        part = self._block[inside : inside + len(view)]
        view[: len(part)] = part
        self._at += len(part)
        return len(part)
