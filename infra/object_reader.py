"""An object of the store as a file that can be sought in: only what is read of it is fetched.

What was fetched is kept up to `_KEPT_BYTES`, so that an index, or a stretch that is read twice, is
fetched once.
"""

from __future__ import annotations

import io
from collections import OrderedDict
from typing import Any

from data_contracts.errors import StoreError
from data_contracts.object_key import ListedObject
from infra.store import ObjectStore

# Who looks here and there, as at the headers of fragments, gets no more than this at a time.
_BLOCK_BYTES = 64 * 1024
# A unit's stretch at 4 Mbit/s: two minutes.
_KEPT_BYTES = 64 * 2**20
# Who reads on gets more with each request: a quarter of what was read in a row, so that no more
# than that is fetched in vain. S3 answers parts of these sizes in about one round trip.
_AHEAD_SHARE = 4
_LEAST_AHEAD = 256 * 1024
_MOST_AHEAD = 4 * 2**20


class ObjectReader(io.RawIOBase):
    """Reads one version of an object, block by block.

    Raises ObjectChanged where another object has taken its place, and NotFound where it is gone.
    """

    def __init__(self, store: ObjectStore, bucket: str, info: ListedObject) -> None:
        super().__init__()
        self._store = store
        self._bucket = bucket
        self._info = info
        self._at = 0
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._next = 0
        self._in_a_row = 0

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
        number, inside = divmod(self._at, _BLOCK_BYTES)
        part = self._block(number)[inside : inside + len(view)]
        view[: len(part)] = part
        self._at += len(part)
        return len(part)

    def _block(self, number: int) -> bytes:
        if number not in self._blocks:
            self._fetch(number)
        self._blocks.move_to_end(number)
        return self._blocks[number]

    def _fetch(self, number: int) -> None:
        """Fetch a block and, where reading goes on, those after it that are not there."""
        ahead = 0
        if number == self._next:
            ahead = min(max(_LEAST_AHEAD, self._in_a_row // _AHEAD_SHARE), _MOST_AHEAD)
        else:
            self._in_a_row = 0
        at = number * _BLOCK_BYTES
        end = min(at + ahead, self._info.size)
        count = 1
        while at + count * _BLOCK_BYTES < end and number + count not in self._blocks:
            count += 1
        length = min(count * _BLOCK_BYTES, self._info.size - at)
        info = self._info
        data = self._store.get(self._bucket, info.key, at, length, etag=info.etag)
        if len(data) != length:
            raise StoreError(
                f"{self._bucket}/{info.key}: asked for {length} bytes at {at}, got {len(data)}: "
                "look at the store's log and retry"
            )
        for i in range(count):
            self._blocks[number + i] = data[i * _BLOCK_BYTES : (i + 1) * _BLOCK_BYTES]
        self._next = number + count
        self._in_a_row += length
        while len(self._blocks) * _BLOCK_BYTES > _KEPT_BYTES:
            self._blocks.popitem(last=False)
