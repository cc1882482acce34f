"""The ports behind S3: only this home's certificate opens them, and what fails there is said."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import urllib3
import urllib3.exceptions

from data_contracts.errors import StackError
from data_contracts.object_key import AUDIT
from infra.local import store_bytes, store_locks, weed
from infra.local.stack import StackInfo
from infra.store import ObjectStore

pytestmark = pytest.mark.stack


def test_the_log_is_not_destroyed_by_one_get(store_info: StackInfo, store: ObjectStore) -> None:
    """The master's port deletes a whole bucket when asked; without the certificate it is not
    reached, by HTTP or by TLS.
    """
    store.put(AUDIT, "entries/kept-by-the-certificate", b"1")
    port = store_info.record.ports["master"]
    path = f"127.0.0.1:{port}/col/delete?collection={AUDIT}"
    assert urllib3.request("GET", f"http://{path}", retries=False).status == 400
    with (
        pytest.warns(urllib3.exceptions.InsecureRequestWarning),
        pytest.raises(urllib3.exceptions.HTTPError),
    ):
        urllib3.PoolManager(cert_reqs="CERT_NONE", retries=False).request("GET", f"https://{path}")
    assert store.get(AUDIT, "entries/kept-by-the-certificate") == b"1"
    store.remove_all_versions(AUDIT, "entries/kept-by-the-certificate")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a socket to another user")
def test_a_planted_socket_is_refused(store_info: StackInfo) -> None:
    """The store's parts talk over sockets in /tmp, where anyone may put one first."""
    ports = dict.fromkeys(store_locks.PORTS, 1)
    path = Path(f"/tmp/seaweedfs-filer-grpc-{1 + 10000}.sock")
    path.touch()
    try:
        store_locks.check_sockets(ports)
        os.chown(path, 65534, 65534)
        with pytest.raises(StackError, match="belongs to another user"):
            weed.start(store_info.settings, ports, store_info.settings.paths.store / "data")
    finally:
        path.unlink()


def test_with_the_certificate_it_is_compacted_and_forgets(store_info: StackInfo) -> None:
    """What the purge asks of the master and the filer works."""
    assert store_bytes.compact(store_info.settings, store_info.record)
    weed.forget_names(store_info.settings, store_info.record)


def test_names_that_were_not_forgotten_are_an_error(
    store_info: StackInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The filer does not answer: deleted objects' names are still there, and the purge must know
    it.
    """
    ports = store_info.record.ports | {"filer": 1}
    record = store_info.record.model_copy(update={"ports": ports})
    with pytest.raises(StackError, match=r"log of changes.*connection"):
        weed.forget_names(store_info.settings, record)

    def never(*_: object, **__: object) -> None:
        raise subprocess.TimeoutExpired("weed", 1)

    monkeypatch.setattr(weed.subprocess, "run", never)
    with pytest.raises(StackError, match="no end after"):
        weed.forget_names(store_info.settings, store_info.record)
