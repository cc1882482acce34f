"""A store behind a bad network: what breaks is tried again, what was written counts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flaky_proxy import Fault, FlakyProxy, flaky_proxy

from data_contracts.errors import StoreError
from data_contracts.object_key import AUDIT, SITE
from infra.settings import Settings
from infra.store import ObjectStore

pytestmark = pytest.mark.stack
DATA = bytes(range(256)) * 200


@pytest.fixture
def proxy(store: ObjectStore) -> Iterator[FlakyProxy]:
    """Between the client and the shared store."""
    with flaky_proxy(store.endpoint) as found:
        yield found


@pytest.fixture
def flaky(proxy: FlakyProxy, settings: Settings) -> ObjectStore:
    """The store through the proxy."""
    changed = {"endpoint": proxy.endpoint, "read_timeout_s": 2.0}
    return ObjectStore(settings.s3.model_copy(update=changed))


@pytest.mark.parametrize("fault", ["cut", "busy", "silent", "slow"])
def test_a_read_is_tried_again(
    flaky: ObjectStore, proxy: FlakyProxy, tmp_path: Path, fault: Fault
) -> None:
    """Whole or in part, into memory or into a file; an answer cut in its middle is not taken."""
    flaky.put(SITE, "flaky/read", DATA)
    for read in (
        lambda: flaky.get(SITE, "flaky/read"),
        lambda: flaky.download(SITE, "flaky/read", tmp_path / "down").read_bytes(),
    ):
        proxy.once("GET", fault)
        assert read() == DATA
    proxy.once("GET", fault)
    assert flaky.get(SITE, "flaky/read", offset=100, length=50) == DATA[100:150]
    proxy.once("GET", fault)
    assert [i.key for i in flaky.list(SITE, "flaky/read")] == ["flaky/read"]


def test_bytes_that_are_away_for_a_moment_are_asked_for_again(
    flaky: ObjectStore, proxy: FlakyProxy
) -> None:
    """A busy store knows an object and cannot give its bytes yet."""
    flaky.put(SITE, "flaky/away", DATA)
    proxy.once("GET", "broken", times=4)
    assert flaky.get(SITE, "flaky/away") == DATA


def test_a_read_that_always_breaks_is_an_error(flaky: ObjectStore, proxy: FlakyProxy) -> None:
    """After a few tries, in one line."""
    flaky.put(SITE, "flaky/broken", DATA)
    proxy.once("GET", "cut", times=1000)
    with pytest.raises(StoreError, match="broke"):
        flaky.get(SITE, "flaky/broken")
    assert 1 < len([r for r in proxy.seen if r.method == "GET"]) < 10


@pytest.mark.parametrize("bucket", [SITE, AUDIT])
def test_a_write_that_meets_itself_was_written(
    flaky: ObjectStore, proxy: FlakyProxy, bucket: str
) -> None:
    """The answer of a conditional write is lost, the connection sends it again, and the store
    refuses the second: True, for it is there. Another writer of the same bytes gets False.
    """
    key = f"flaky/once-{time.time_ns()}"
    proxy.once("PUT", "lose")
    assert flaky.put_if_absent(bucket, key, b"same")
    proxy.once("PUT", "lose")
    assert not flaky.put_if_absent(bucket, key, b"same")
    assert len(flaky.list_versions(bucket, key)) == 1


def test_a_replacement_that_meets_itself_was_made(flaky: ObjectStore, proxy: FlakyProxy) -> None:
    """And one of somebody else is not taken for it."""
    first = flaky.put(SITE, "flaky/replaced", b"1")
    proxy.once("PUT", "lose")
    assert flaky.replace(SITE, "flaky/replaced", b"2", first.etag)
    assert flaky.get(SITE, "flaky/replaced") == b"2"
    proxy.once("PUT", "lose")
    assert not flaky.replace(SITE, "flaky/replaced", b"3", first.etag)


def test_a_store_that_hangs_is_told_in_time(flaky: ObjectStore, proxy: FlakyProxy) -> None:
    """A store that never answers costs its tries, not the night."""
    proxy.once("GET", "silent", times=1000)
    begun = time.monotonic()
    with pytest.raises(StoreError, match="in time"):
        flaky.get(SITE, "flaky/silent")
    assert time.monotonic() - begun < 20


def test_a_clock_that_is_wrong_is_told(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store refuses requests whose time is far from its own: the error says to set the clock."""
    ahead = datetime.now(UTC) + timedelta(hours=2)
    monkeypatch.setattr("minio.api.time.utcnow", lambda: ahead)
    with pytest.raises(StoreError, match="clock"):
        store.get(SITE, "flaky/read")
