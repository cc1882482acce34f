"""A full disk under the local stack: it starts, stops and purges, says so before, and says that
bytes of deleted objects are gone only when they are.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from closing import environment_of, filled_case, nothing_of
from own_disk import fill, make_disk, mounted, needs_mounts
from typer.testing import CliRunner

from data_contracts.errors import StackError, StoreError
from data_contracts.object_key import CASES
from flows.cases.destroy import destroy_case
from flows.cli.main import app
from flows.runtime.environment import Environment
from infra.case_store import CaseStore
from infra.key_source import load_master_keys
from infra.local import disk_room, store_bytes
from infra.local import stack as stack_module
from infra.local.stack import StackInfo
from infra.settings import HOME_VARIABLE, load_settings
from infra.signing import ensure_signing_key
from infra.store import ObjectStore

pytestmark = [pytest.mark.stack, needs_mounts]
_RESERVE_MB = "20"


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A disk of 200 MB with a home on it, whose stack is stopped at the end."""
    monkeypatch.setenv("ENCOUNTER_STACK__RESERVE_MB", _RESERVE_MB)
    # It does not end by itself while it cannot write.
    monkeypatch.setenv("ENCOUNTER_STACK__STOP_TIMEOUT_S", "5")
    make_disk(tmp_path / "disk.img", 200)
    with mounted(tmp_path / "disk.img") as folder:
        monkeypatch.setenv(HOME_VARIABLE, str(folder / "home"))
        try:
            yield folder
        finally:
            (folder / "filler").unlink(missing_ok=True)
            stack_module.down(load_settings())


def _up() -> StackInfo:
    return stack_module.up(load_settings(), parts=("store",))


def _deleted(store: ObjectStore, objects: dict[str, bytes]) -> None:
    """Objects that were put and deleted, once the store counts them as deleted."""
    for key, data in objects.items():
        store.put(CASES, key, data)
    for key in objects:
        store.remove_all_versions(CASES, key)
    time.sleep(2.5)


def _on_disk(disk: Path, data: bytes) -> bool:
    volumes = (disk / "home" / "store" / "data").glob("*.dat")
    return any(data[:500] in path.read_bytes() for path in volumes)


def _full_with_a_case(disk: Path) -> tuple[Environment, str]:
    """A running store with a case, and not one byte free."""
    info = _up()
    ensure_signing_key(info.settings)
    store = ObjectStore(info.settings.s3)
    env = environment_of(info.settings, store, CaseStore(store, load_master_keys(info.settings)))
    case_id = filled_case(env, objects=3).case_id
    fill(disk)
    return env, case_id


def test_a_full_disk_is_started_on_and_purged(disk: Path) -> None:
    """Not one byte is free: the stack stops, starts, and ends a case with a receipt."""
    env, case_id = _full_with_a_case(disk)
    with pytest.raises(StoreError):
        env.store.put(CASES, "K-2/big", os.urandom(100_000))
    assert stack_module.down(load_settings()) == ["store"]
    fill(disk)
    _up()
    assert destroy_case(case_id, "closed", env).destroyed["key_versions"] == 1
    assert nothing_of(env.store, case_id)


def test_a_purge_makes_its_own_room(disk: Path) -> None:
    """The disk fills while the stack runs: the purge itself gives up the reserve."""
    env, case_id = _full_with_a_case(disk)
    assert destroy_case(case_id, "closed", env).destroyed["key_versions"] == 1
    assert nothing_of(env.store, case_id)
    assert not disk_room.reserve(disk / "home").exists()


def test_bytes_that_are_still_there_are_told(disk: Path) -> None:
    """Without room for it the store compacts nothing and answers with success: that is an error
    with the numbers, and done where there is room.
    """
    info = _up()
    store = ObjectStore(info.settings.s3)
    secret = os.urandom(1_000_000)
    for number in range(11):
        store.put(CASES, f"K-1/kept-{number}", os.urandom(4_000_000))
    _deleted(store, {"K-1/secret": secret})
    filler = fill(disk, leave_bytes=20_000_000)
    with pytest.raises(
        StackError, match=r"holds 10\d+ bytes.* takes 4\d MB of room and [234]\d are"
    ):
        store_bytes.compact(info.settings, info.record)
    assert _on_disk(disk, secret)
    filler.unlink()
    before = disk_room.free_bytes(disk)
    assert store_bytes.compact(info.settings, info.record)
    assert not _on_disk(disk, secret)
    assert disk_room.free_bytes(disk) > before


def test_the_reserve_makes_room_for_compaction(disk: Path) -> None:
    """What is too little by less than the reserve is enough."""
    info = _up()
    store = ObjectStore(info.settings.s3)
    secret = os.urandom(1_000_000)
    more = {f"K-1/more-{number}": os.urandom(4_000_000) for number in range(5)}
    _deleted(store, {"K-1/secret": secret, **more})
    fill(disk, leave_bytes=17_000_000)
    assert store_bytes.compact(info.settings, info.record)
    assert not _on_disk(disk, secret)


def test_it_warns_before(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`encounter status` says how much is free, and from the threshold on that it is low."""
    load_settings().paths.make()
    monkeypatch.setenv("ENCOUNTER_STACK__LOW_DISK_MB", "100")
    fill(disk, leave_bytes=120_000_000)
    assert not json.loads(CliRunner().invoke(app, ["status", "--json"]).stdout)["disks"][0]["low"]
    fill(disk, leave_bytes=90_000_000)
    told = CliRunner().invoke(app, ["status"]).stdout
    assert "low (below 100 MB)" in " ".join(told.split())
    fill(disk)
    told = CliRunner().invoke(app, ["status"]).stdout
    assert "full, no case is started" in " ".join(told.split())


def test_the_reserve_is_a_part_of_what_is_free(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth at most; given up when the disk is full, and made again when there is room."""
    monkeypatch.setenv("ENCOUNTER_STACK__RESERVE_MB", "5000")
    settings = load_settings()
    settings.paths.make()
    disk_room.keep_reserves(settings)
    kept = disk_room.rooms(settings)[0].reserve_bytes
    assert 15_000_000 < kept < 22_000_000
    assert not disk_room.give_up_reserves(settings), "the disk is not full"
    filler = fill(disk)
    assert disk_room.give_up_reserves(settings)
    disk_room.keep_reserves(settings)
    assert disk_room.rooms(settings)[0].reserve_bytes == 0, "there is no room to spare"
    filler.unlink()
    disk_room.keep_reserves(settings)
    assert disk_room.rooms(settings)[0].reserve_bytes == pytest.approx(kept, rel=0.01)
