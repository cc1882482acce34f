"""The local store's index: names of deleted objects leave its pages, and an older data folder is
served as it is.
"""

from __future__ import annotations

import threading
import tomllib
from pathlib import Path

import pytest

from data_contracts.mention import mention
from data_contracts.object_key import CASES
from infra.local import store_index
from infra.local.sqlite_file import compact, opened
from infra.settings import Settings
from infra.stack_record import read_record
from infra.store import ObjectStore

CASE = "K-INDEXED-77"


def index_of(settings: Settings) -> Path:
    """The shared store's index."""
    record = read_record(settings.paths)
    assert record is not None
    index = store_index.local_index(record)
    assert index is not None
    return index


@pytest.mark.stack
def test_names_of_deleted_objects_leave_the_index(settings: Settings, store: ObjectStore) -> None:
    """Deleted with its folders and compacted, a case is in no byte of the index; before, freed
    pages named it.
    """
    index = index_of(settings)
    for number in range(60):
        store.put(CASES, f"{CASE}/runs/{'long-' * 30}{number}.bin", b"x")
    assert mention(CASE).search(index.read_bytes())
    store.remove_all_versions(CASES, f"{CASE}/")
    store.remove_folders(CASES, f"{CASE}/")
    with opened(index, CASE) as db:
        assert db.execute(
            'SELECT count(*) FROM "cases" WHERE names(directory) OR names(name)'
        ).fetchone() == (0,)
    assert mention(CASE).search(index.read_bytes()), (
        "free pages keep what was deleted until they are rewritten"
    )
    compact(index)
    assert not mention(CASE).search(index.read_bytes())


@pytest.mark.stack
def test_the_store_serves_while_its_index_is_rewritten(
    settings: Settings, store: ObjectStore
) -> None:
    """Writes go through while the index is rewritten again and again, and all of them are there."""
    done = threading.Event()

    def rewrite() -> None:
        while not done.is_set():
            compact(index_of(settings))

    worker = threading.Thread(target=rewrite)
    worker.start()
    try:
        for number in range(40):
            store.put(CASES, f"{CASE}/x/{number}.bin", bytes([number]))
    finally:
        done.set()
        worker.join()
    assert [store.get(CASES, f"{CASE}/x/{number}.bin") for number in range(40)] == [
        bytes([n]) for n in range(40)
    ]
    store.remove_all_versions(CASES, f"{CASE}/")


def test_any_path_can_be_configured(tmp_path: Path) -> None:
    """A folder's name may have quotes, backslashes and letters of any script."""
    folder = tmp_path / 'ward "7\\B" \u8bca\U0001f3e5'
    assert tomllib.loads(store_index.configuration(folder) or "")["sqlite"]["dbFile"] == str(
        folder / store_index.FILE
    )


def test_a_folder_of_before_keeps_its_index(tmp_path: Path) -> None:
    """A data folder whose names are in LevelDB goes on with it: another index would show an empty
    store.
    """
    assert str(tmp_path / store_index.FILE) in (store_index.configuration(tmp_path) or "")
    (tmp_path / "filerldb2").mkdir()
    assert store_index.configuration(tmp_path) is None
