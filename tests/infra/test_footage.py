"""Recordings that stay where they are: the same answers as from the bucket, and nothing outside of
the table.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from data_contracts.errors import BadInput, NotFound, ObjectChanged
from data_contracts.object_key import FOOTAGE
from infra.footage import (
    BucketFootage,
    FolderFootage,
    Footage,
    ListedFile,
    listed_file,
    read_table,
    table_bytes,
)
from infra.store import ObjectStore

DATA = bytes(range(256)) * 40
KEYS = [f"place-cam/2026-11-16/{name}" for name in ("08/00.00.mp4", "08/10.00.dav", "09/00.00.ts")]


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """A folder with three files under names of a recorder, and one that is not to be read."""
    folder = tmp_path / "nvr"
    folder.mkdir()
    for number in range(3):
        (folder / f"ch1 {number}.bin").write_bytes(DATA + bytes([number]))
    (tmp_path / "secret").write_bytes(b"secret")
    return folder


def folder_footage(folder: Path, rows: list[ListedFile] | None = None) -> FolderFootage:
    """Footage by a table."""
    made = [
        listed_file(folder, folder / f"ch1 {number}.bin", key) for number, key in enumerate(KEYS)
    ]
    table = folder.parent / "footage.csv"
    table.write_bytes(table_bytes(folder, made if rows is None else rows))
    return FolderFootage(table)


@pytest.fixture(params=["folder", pytest.param("bucket", marks=pytest.mark.stack)])
def footage(request: pytest.FixtureRequest, recordings: Path) -> Iterator[Footage]:
    """Both ways of keeping footage."""
    if request.param == "folder":
        yield folder_footage(recordings)
        return
    store: ObjectStore = request.getfixturevalue("store")
    for number, key in enumerate(KEYS):
        path = recordings / f"ch1 {number}.bin"
        store.put_file(FOOTAGE, key, path, with_digest=True)
    yield BucketFootage(store)
    store.remove_all_versions(FOOTAGE, "place-cam/")


def test_both_give_the_same(footage: Footage) -> None:
    """Lists below a prefix, sizes, bytes, seeking, the digest; another ETag and another key are
    refused.
    """
    listed = list(footage.list("place-cam/2026-11-16/08/"))
    assert [item.key for item in listed] == KEYS[:2]
    assert [item.size for item in listed] == [len(DATA) + 1] * 2
    first = listed[0]
    assert footage.size(first.key) == len(DATA) + 1
    assert footage.read(first.key, first.etag, 2**20) == DATA + b"\0"
    with footage.open(first) as file:
        file.seek(200)
        assert file.read(10) == DATA[200:210]
    assert len(footage.digest_of(first.key, first.etag)) == 64
    assert footage.digest_of(first.key, "another") == ""
    with pytest.raises(ObjectChanged):
        footage.read(first.key, "another", 2**20)
    with pytest.raises(BadInput, match="more than 100"):
        footage.read(first.key, first.etag, 100)
    with pytest.raises(NotFound):
        footage.read("place-cam/2026-11-16/08/20.00.mp4", first.etag, 2**20)


def test_the_newest_of_a_camera(footage: Footage) -> None:
    """The last recording, and all of the newest days that have any; of another camera none."""
    last = footage.last("place-cam")
    assert last is not None
    assert last.key == KEYS[-1]
    assert [item.key for item in footage.newest("place-cam", 1)] == KEYS
    assert footage.last("place") is None
    assert footage.newest("place", 2) == []


def test_newest_days_are_counted_by_footage(recordings: Path) -> None:
    """A day without footage is none."""
    days = ("2026-11-01", "2026-11-14", "2026-11-16")
    keys = [f"cam/{day}/08/00.00.mp4" for day in days]
    rows = [
        listed_file(recordings, recordings / f"ch1 {number}.bin", key)
        for number, key in enumerate(keys)
    ]
    footage = folder_footage(recordings, rows)
    assert [item.key for item in footage.newest("cam", 2)] == keys[1:]
    last = footage.last("cam")
    assert last is not None
    assert last.key == keys[-1]


def test_a_file_that_changed_is_not_read(recordings: Path) -> None:
    """Its size or time of change tell; a file that went is not found."""
    footage = folder_footage(recordings)
    item = next(iter(footage.list(KEYS[0])))
    (recordings / "ch1 0.bin").write_bytes(DATA + b"\1")
    os.utime(recordings / "ch1 0.bin", ns=(1, 1))
    with pytest.raises(ObjectChanged):
        footage.read(item.key, item.etag, 2**20)
    with pytest.raises(ObjectChanged):
        footage.open(item)
    (recordings / "ch1 0.bin").unlink()
    with pytest.raises(NotFound):
        footage.read(item.key, item.etag, 2**20)


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "link", "sub/../../secret", "."])
def test_nothing_outside_of_the_folder_is_read(recordings: Path, path: str) -> None:
    """Whatever the table says, and whatever a link in the folder leads to."""
    (recordings / "link").symlink_to(recordings.parent / "secret")
    (recordings / "sub").mkdir()
    footage = folder_footage(recordings, [ListedFile(KEYS[0], path, 6, 1, "")])
    for ask in (footage.size, lambda key: footage.read(key, "6-1", 2**20)):
        with pytest.raises(NotFound):
            ask(KEYS[0])


def test_digests_are_taken_once(recordings: Path) -> None:
    """A row of a file that did not change is kept as it is."""
    path = recordings / "ch1 0.bin"
    row = listed_file(recordings, path, KEYS[0])
    marked = row._replace(sha256="0" * 64)
    assert listed_file(recordings, path, KEYS[0], marked) == marked
    path.write_bytes(b"other")
    assert listed_file(recordings, path, KEYS[0], marked).sha256 != "0" * 64


@pytest.mark.parametrize(
    "text",
    [
        "",
        "key,path\n",
        "folder,/x\nkey,path,size,mtime_ns,sha256\nnot-a-key,a,1,1,\n",
        "folder,/x\nkey,path,size,mtime_ns,sha256\na/2026-11-16/08/00.00.mp4,a,one,1,\n",
        "folder,/x\nkey,path,size,mtime_ns,sha256\n" + "a/2026-11-16/08/00.00.mp4,a,1,1,\n" * 2,
    ],
)
def test_a_wrong_table_is_told(tmp_path: Path, text: str) -> None:
    """With its name and the line."""
    table = tmp_path / "t.csv"
    table.write_text(text)
    with pytest.raises(BadInput, match=r"t\.csv"):
        read_table(table)
