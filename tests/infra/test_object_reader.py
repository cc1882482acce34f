"""Objects read in parts: the bytes of the object, and few of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_contracts.errors import ObjectChanged
from data_contracts.object_key import FOOTAGE
from infra.object_reader import ObjectReader
from infra.store import ObjectStore
from tasks.footage.video import probe

pytestmark = pytest.mark.stack

DEMO = Path(__file__).parents[2] / "demo" / "footage"
SEGMENT = "entrance/2026-11-16/00/00.00.mp4"
KEY = "reader-cam/2026-11-16/00/00.00.mp4"


def test_a_header_is_read_without_the_pictures(store: ObjectStore) -> None:
    """How long a file of 60 MB lasts is known from less than 2 MB of it."""
    data = (DEMO / SEGMENT).read_bytes()
    free = (60 * 2**20).to_bytes(4, "big") + b"free" + bytes(60 * 2**20 - 8)
    put = store.put(FOOTAGE, KEY, data[:32] + free + data[32:])
    got = []
    read = store.get

    def counted(*given, **named):
        got.append(read(*given, **named))
        return got[-1]

    store.get = counted
    try:
        probe(ObjectReader(store, FOOTAGE, put))
    finally:
        store.get = read
    assert sum(map(len, got)) < 2 * 2**20


def test_reading_in_parts_gives_the_bytes(store: ObjectStore) -> None:
    """Whatever is sought and read are the object's bytes; another object in its place is not
    read.
    """
    data = bytes(range(256)) * 5000
    put = store.put(FOOTAGE, KEY, data)
    reader = ObjectReader(store, FOOTAGE, put)
    for at, length in ((0, 10), (1_000_000, 400_000), (300_000, 5), (len(data) - 3, 10)):
        reader.seek(at)
        out = b""
        while len(out) < length and (part := reader.read(length - len(out))):
            out += part
        assert out == data[at : at + length]
    store.put(FOOTAGE, KEY, data[1:])
    with pytest.raises(ObjectChanged):
        ObjectReader(store, FOOTAGE, put).read(10)
    store.remove_all_versions(FOOTAGE, KEY)
