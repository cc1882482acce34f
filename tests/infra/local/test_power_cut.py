"""A power cut under the local store: what it acknowledged is there afterwards.

The data lie on a file system of their own, in a file. What a disk would have after a power cut is
what that file has when nobody asked for anything to be written out: it is copied while the store
runs, and a store is started on the copy.
"""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest
from own_disk import make_disk, mounted, needs_mounts

from data_contracts.audit import AuditEvent
from data_contracts.object_key import CASES
from infra.audit_log import open_audit_log
from infra.local import stack as stack_module
from infra.local import store_bytes, store_disk
from infra.settings import load_settings
from infra.signing import ensure_signing_key
from infra.store import ObjectStore

pytestmark = pytest.mark.stack
EVENT = AuditEvent(action="view", actor="account:00aa", role="reviewer", case_id="K-POWER-1")
OBJECTS = 20


def _write_and_pull_the_plug(home: Path, image: Path, copy: Path) -> None:
    """Twenty objects and an entry of the audit log; two seconds later the disk as it is then."""
    with mounted(image) as disk:
        settings = load_settings(home=home)
        try:
            info = stack_module.up(settings, data_dir=disk / "data", parts=("store",))
            store = ObjectStore(info.settings.s3)
            ensure_signing_key(info.settings)
            for number in range(OBJECTS):
                store.put(CASES, f"K-1/{number}", bytes([number]) * 5000)
            open_audit_log(store, info.settings).append(EVENT)
            time.sleep(2)
            shutil.copyfile(image, copy)
        finally:
            stack_module.down(load_settings(home=home))


@needs_mounts
def test_what_was_acknowledged_is_there_after_a_power_cut(tmp_path: Path) -> None:
    """All twenty objects can be read, the audit log too, and it goes on."""
    image = tmp_path / "disk.img"
    make_disk(image, 150)
    home = tmp_path / "home"
    copy = tmp_path / "after.img"
    _write_and_pull_the_plug(home, image, copy)
    with mounted(copy) as disk:
        # The machine was started anew since.
        (disk / "data" / "runs-on").write_text("another-start")
        try:
            info = stack_module.up(
                load_settings(home=home), data_dir=disk / "data", parts=("store",)
            )
            store = ObjectStore(info.settings.s3)
            read = [store.get(CASES, f"K-1/{number}") for number in range(OBJECTS)]
            assert read == [bytes([number]) * 5000 for number in range(OBJECTS)]
            log = open_audit_log(store, info.settings)
            assert log.append(EVENT).entry.sequence == 2
        finally:
            stack_module.down(load_settings(home=home))


def test_what_was_deleted_stays_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A deletion that had not reached the object's volume when the plug was pulled: no byte of the
    object is left once the store is up again and tidied.
    """
    monkeypatch.setattr(store_disk, "SETTLED_S", 0)
    secret = os.urandom(5000)
    data = tmp_path / "home" / "store" / "data"

    def there() -> bool:
        return any(secret[:500] in path.read_bytes() for path in data.glob("*.dat"))

    settings = load_settings(home=tmp_path / "home")
    try:
        store = ObjectStore(stack_module.up(settings, parts=("store",)).settings.s3)
        store.put(CASES, "K-1/secret", secret)
        store.put(CASES, "K-1/other", b"1")
        before = {p: p.read_bytes() for p in data.glob("*.???") if p.suffix in (".dat", ".idx")}
        store.remove_all_versions(CASES, "K-1/secret")
        stack_module.down(load_settings(home=tmp_path / "home"))
        for path, content in before.items():
            path.write_bytes(content)
        (data / "runs-on").write_text("another-start")
        info = stack_module.up(load_settings(home=tmp_path / "home"), parts=("store",))
        assert there(), "the test shows nothing"
        assert info.settings.paths.tidy_due_file.exists()
        store_bytes.compact(info.settings, info.record)
        assert not there()
        assert ObjectStore(info.settings.s3).get(CASES, "K-1/other") == b"1"
    finally:
        stack_module.down(load_settings(home=tmp_path / "home"))
