"""The object store against a real S3 server."""

from __future__ import annotations

import pickle
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from data_contracts.errors import NotFound, ObjectChanged, StoreError
from data_contracts.object_key import AUDIT, CASES, FOOTAGE, SITE
from infra.local.stack import StackInfo
from infra.settings import S3Settings, Settings
from infra.store import ObjectStore

pytestmark = pytest.mark.stack


def _changed(settings: Settings, **update: Any) -> ObjectStore:
    return ObjectStore(settings.s3.model_copy(update={"retries": 0, **update}))


def test_put_get_stat(store: ObjectStore) -> None:
    """What is put is got, whole or in part, and the store knows its size and ETag."""
    data = bytes(range(256)) * 10
    put = store.put(SITE, "t/a.bin", data, "application/x-test")
    assert store.get(SITE, "t/a.bin") == data
    assert store.get(SITE, "t/a.bin", offset=10, length=5) == data[10:15]
    info = store.stat(SITE, "t/a.bin")
    assert (info.size, info.etag) == (len(data), put.etag)
    assert info.last_modified.tzinfo is not None


def test_only_the_object_asked_for_is_read(store: ObjectStore) -> None:
    """With the ETag that was listed an object that was replaced since is not read; the one that is
    there now is, and one that is gone is missing.
    """
    planned = store.put(FOOTAGE, "cam/2026-01-01/12/00.00.mp4", b"planned")
    assert store.get(FOOTAGE, planned.key, etag=planned.etag) == b"planned"
    other = store.put(FOOTAGE, planned.key, b"another")
    with pytest.raises(ObjectChanged, match=planned.etag):
        store.get(FOOTAGE, planned.key, etag=planned.etag)
    assert store.get(FOOTAGE, planned.key, etag=other.etag) == b"another"
    store.remove_all_versions(FOOTAGE, planned.key)
    with pytest.raises(NotFound):
        store.get(FOOTAGE, planned.key, etag=planned.etag)


@pytest.mark.parametrize("size", [0, 1000, 7 * 2**20])
def test_a_file_is_there_byte_for_byte(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """A file is there once it was put, in one part or several; a repaired one of equal size is
    another.
    """
    monkeypatch.setattr("infra.store._PART_BYTES", 5 * 2**20)
    path = tmp_path / "00.00.mp4"
    path.write_bytes(bytes(size))
    key = f"cam/2026-01-01/13/{size % 60:02d}.00.mp4"
    assert not store.holds(FOOTAGE, key, path)
    store.put_file(FOOTAGE, key, path)
    assert store.holds(FOOTAGE, key, path)
    path.write_bytes(bytes(size - 1) + b"x" if size else b"")
    assert store.holds(FOOTAGE, key, path) == (size == 0)
    store.remove_all_versions(FOOTAGE, key)


def test_empty_object(store: ObjectStore) -> None:
    """An object of no bytes is an object."""
    store.put(SITE, "t/empty", b"")
    assert store.get(SITE, "t/empty") == b""
    assert store.exists(SITE, "t/empty")


def test_list_has_etags_and_only_the_prefix(store: ObjectStore) -> None:
    """Listing an hour gives its objects in order with the ETags that stat gives, and nothing of
    other hours.
    """
    for name in (
        "cam/2026-01-01/10/00.00.mp4",
        "cam/2026-01-01/10/10.00.mp4",
        "cam/2026-01-01/11/00.00.mp4",
    ):
        store.put(FOOTAGE, name, name.encode())
    found = store.list(FOOTAGE, "cam/2026-01-01/10/")
    assert [i.key for i in found] == ["cam/2026-01-01/10/00.00.mp4", "cam/2026-01-01/10/10.00.mp4"]
    assert found[0].etag == store.stat(FOOTAGE, found[0].key).etag
    assert store.list(FOOTAGE, "nothing/here/") == []


def test_footage_is_never_listed_whole(store: ObjectStore) -> None:
    """Listing a city's footage by mistake is refused; so is deleting a whole bucket."""
    with pytest.raises(StoreError, match="whole footage bucket"):
        store.list(FOOTAGE, "")
    with pytest.raises(StoreError, match="refusing to delete all"):
        store.remove_all_versions(CASES, "")


def test_put_if_absent_has_one_winner(store: ObjectStore) -> None:
    """Of eight writers at once exactly one wins, and its bytes stay."""
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda i: store.put_if_absent(SITE, "t/once", bytes([i])), range(8)))
    assert sum(won) == 1
    assert store.get(SITE, "t/once") == bytes([won.index(True)])


def test_all_versions_are_removed(store: ObjectStore) -> None:
    """In a versioned bucket every version and delete marker goes; deleting nothing is a success."""
    for i in range(3):
        store.put(AUDIT, "t/v", bytes([i]))
    store._client.remove_object(AUDIT, "t/v")
    assert len(store.list_versions(AUDIT, "t/v")) == 4
    assert len(store.remove_all_versions(AUDIT, "t/v")) == 4
    assert store.list_versions(AUDIT, "t/v") == []
    assert store.remove_all_versions(AUDIT, "t/v") == []


def test_an_audit_entry_cannot_be_overwritten_unseen(store: ObjectStore) -> None:
    """Writing over an audit entry keeps the earlier version."""
    store.put(AUDIT, "t/entry", b"first")
    store.put(AUDIT, "t/entry", b"second")
    assert len(store.list_versions(AUDIT, "t/entry")) == 2


def test_remove_more_than_a_thousand(store: ObjectStore) -> None:
    """Deletion goes on past S3's limit of 1,000 keys a request, and leaves a neighbour with a
    longer name alone.
    """
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: store.put(SITE, f"many/{i:04d}", b"x"), range(1005)))
    store.put(SITE, "many-more/1", b"x")
    assert len(store.remove_all_versions(SITE, "many/")) == 1005
    assert store.list(SITE, "many/") == []
    assert store.exists(SITE, "many-more/1")


def test_folders(store: ObjectStore) -> None:
    """The names directly below a prefix."""
    store.put(SITE, "f/one/a", b"")
    store.put(SITE, "f/two/b/c", b"")
    assert store.folders(SITE, "f/") == ["one", "two"]


def test_files(store: ObjectStore, tmp_path: Path) -> None:
    """A file goes up and comes down unchanged; a missing object leaves no file."""
    (tmp_path / "up").write_bytes(b"video" * 1000)
    store.put_file(SITE, "t/file", tmp_path / "up")
    assert store.download(SITE, "t/file", tmp_path / "new" / "down").read_bytes() == b"video" * 1000
    with pytest.raises(NotFound):
        store.download(SITE, "t/nothing", tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_nothing_is_readable_without_credentials(store: ObjectStore, store_info: StackInfo) -> None:
    """Without credentials neither S3 nor the filer's, volume's or master's port shows an object or
    a listing.
    """
    store.put(SITE, "t/secret", b"secret")
    filer = store_info.record.filer_address
    volume = f"127.0.0.1:{store_info.record.ports['volume']}"
    for address in (
        f"{store.endpoint}/site/t/secret",
        f"{store.endpoint}/site?list-type=2",
        f"{store.endpoint}/",
        f"{filer}/buckets/site/t/secret",
        f"{filer}/buckets/",
        f"{filer}/?pretty=y",
        f"{volume}/1,01637037d6",
    ):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"http://{address}")
        # 400: what lies behind S3 speaks TLS only, with this home's certificate.
        assert refused.value.code in (400, 401, 403), address


def _grpc_answer(port: int, encrypted: bool) -> bytes:
    """What a gRPC port answers to an HTTP/2 greeting of somebody without a certificate; empty where
    it hangs up.
    """
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=3) as plain:
            channel = context.wrap_socket(plain) if encrypted else plain
            channel.sendall(
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
            )
            return channel.recv(100)
    except (ssl.SSLError, ConnectionResetError, BrokenPipeError):
        return b""


@pytest.mark.parametrize("name", ["filer", "master", "volume", "s3", "admin"])
def test_internal_ports_refuse_strangers(
    store: ObjectStore, store_info: StackInfo, name: str
) -> None:
    """The store's gRPC ports, which could list and hand out tokens, take nobody without the
    certificate.
    """
    port = store_info.record.ports[name] + 10000
    assert _grpc_answer(port, encrypted=True) == b""
    assert _grpc_answer(port, encrypted=False)[:1] in (b"", b"\x15"), (
        "expected a TLS alert, not an HTTP/2 greeting"
    )


def test_missing_object(store: ObjectStore) -> None:
    """A missing object is NotFound with its name, from every way of reading; exists says no."""
    for read in (store.get, store.stat):
        with pytest.raises(NotFound, match="site/t/nope does not exist"):
            read(SITE, "t/nope")
    assert not store.exists(SITE, "t/nope")


def test_missing_bucket(settings: Settings) -> None:
    """A missing bucket is a StoreError that says how to make it, and is not made by writing to
    it.
    """
    store = _changed(settings, bucket_prefix="other-")
    for call in (lambda: store.put(SITE, "a", b""), lambda: store.list(SITE, "a")):
        with pytest.raises(StoreError, match=r"bucket other-site does not exist.*encounter up"):
            call()


def test_bucket_prefix(settings: Settings) -> None:
    """With a prefix two projects share a server and see nothing of each other."""
    store = _changed(settings, bucket_prefix="second-")
    store.ensure_buckets()
    store.ensure_buckets()
    store.put(SITE, "mine", b"1")
    assert store.exists(SITE, "mine")
    assert not ObjectStore(settings.s3).exists(SITE, "mine")


@pytest.mark.parametrize("update", [{"access_key": "NOBODY"}, {"secret_key": SecretStr("wrong")}])
def test_bad_credentials(settings: Settings, update: dict[str, Any]) -> None:
    """Wrong credentials are a StoreError that names the settings to check, never NotFound."""
    with pytest.raises(StoreError, match=r"s3\.access_key") as error:
        _changed(settings, **update).get(SITE, "t/a.bin")
    assert not isinstance(error.value, NotFound)


def test_no_server() -> None:
    """Nobody at the address: one line within seconds that says what to start."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    store = ObjectStore(
        S3Settings(endpoint=f"127.0.0.1:{port}", access_key="a", secret_key=SecretStr("b"))
    )
    begun = time.monotonic()
    with pytest.raises(StoreError, match=r"no object store answers at .*encounter up"):
        store.get(SITE, "a")
    assert time.monotonic() - begun < 20


def test_no_endpoint() -> None:
    """Without an address the error says how to get one."""
    with pytest.raises(StoreError, match="encounter up"):
        ObjectStore(S3Settings())


@contextmanager
def _server(answer: bytes | None) -> Iterator[int]:
    """A TCP server that gives every connection the same answer, or none at all."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                held.append(connection)
                if answer is not None:
                    connection.recv(65536)
                    connection.sendall(answer)
                    connection.close()

        held: list[socket.socket] = []
        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf", "broke"),
        (
            b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\nnope",
            "not as an S3 server",
        ),
        (b"HTTP/1.1 503 Busy\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\nbusy", "503"),
        (b"SSH-2.0-OpenSSH\r\n", "broke"),
        (None, "in time"),
    ],
)
def test_a_server_that_misbehaves(answer: bytes | None, says: str) -> None:
    """Half answers, other servers and silence each become a StoreError with one line."""
    with _server(answer) as port:
        settings = S3Settings(
            endpoint=f"127.0.0.1:{port}",
            access_key="a",
            secret_key=SecretStr("b"),
            retries=0,
            read_timeout_s=0.5 if answer is None else 20.0,
        )
        with pytest.raises(StoreError, match=says) as error:
            ObjectStore(settings).get(SITE, "a")
    assert "\n" not in str(error.value)


def test_pickles_to_another_process(store: ObjectStore) -> None:
    """A pickled store works after unpickling, and its errors survive pickling too."""
    again = pickle.loads(pickle.dumps(store))
    again.put(SITE, "t/pickled", b"1")
    with pytest.raises(NotFound) as error:
        again.get(SITE, "t/nope")
    assert str(pickle.loads(pickle.dumps(error.value))) == str(error.value)
