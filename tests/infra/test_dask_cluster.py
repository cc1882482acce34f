"""Fan-out over worker processes: results, faults of one item, killed workers, set-up."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask
import psutil
import pytest
from distributed import Client, Worker

from data_contracts.errors import (
    EncounterError,
    ModelUnavailable,
    NotFound,
    StackError,
    StoreError,
    VideoUnreadable,
)
from infra import dask_cluster
from infra.settings import Settings, load_settings

_MARK = "encounter_test_mark"


def _set_up() -> None:
    setattr(os, _MARK, os.getpid())


def _fails_to_set_up() -> None:
    raise ModelUnavailable("the model is missing: pull it")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Two workers, scratch in a throw-away home."""
    return load_settings(
        home=tmp_path_factory.mktemp("dask"), dask={"workers": 2, "memory_limit": "1GiB"}
    )


@pytest.fixture(scope="module")
def client(settings: Settings) -> Iterator[Client]:
    """One cluster for all tests here."""
    with dask_cluster.client(settings, _set_up) as connected:
        yield connected


def _forget() -> None:
    os.environ["ENCOUNTER_TEST_HELD"] = "let go"


def _held() -> str:
    return os.environ.get("ENCOUNTER_TEST_HELD", "held")


def _until(path: str) -> None:
    while not Path(path).exists():
        time.sleep(0.02)


def test_workers_at_rest_let_go(client: Client, tmp_path: Path) -> None:
    """When nobody gives them work each is asked to; while somebody does, none is."""
    goes_on = tmp_path / "goes-on"
    future = client.submit(_until, str(goes_on), pure=False)
    deadline = time.monotonic() + 60
    while not any(client.processing().values()) and time.monotonic() < deadline:
        time.sleep(0.02)
    dask_cluster.rest(client, _forget)
    assert set(client.run(_held).values()) == {"held"}
    goes_on.touch()
    future.result(timeout=60)
    while any(client.processing().values()) and time.monotonic() < deadline:
        time.sleep(0.02)
    dask_cluster.rest(client, _forget)
    assert set(client.run(_held).values()) == {"let go"}


def _work(item: int) -> int:
    if item == 3:
        raise VideoUnreadable("item 3 is broken")
    if item == 4:
        raise ValueError("a bug")
    return item * item


def test_results_and_faults_side_by_side(client: Client) -> None:
    """Every item comes back once: with its result, its own error, or an EncounterError that names
    an unexpected one.
    """
    seen: list[int] = []
    got = dict(
        dask_cluster.map_unordered(client, _work, range(6), lambda item, _result: seen.append(item))
    )
    assert {i: got[i] for i in (0, 1, 2, 5)} == {0: 0, 1: 1, 2: 4, 5: 25}
    assert isinstance(got[3], VideoUnreadable)
    assert str(got[3]) == "item 3 is broken"
    assert type(got[4]) is EncounterError
    assert "unexpected ValueError at test_dask_cluster.py:" in str(got[4])
    assert "a bug" not in str(got[4]), "foreign messages may hold values of people"
    assert sorted(seen) == list(range(6))


def test_nothing_to_do(client: Client) -> None:
    """No items: no results, no waiting."""
    assert list(dask_cluster.map_unordered(client, _work, [])) == []


def _flaky(path: str) -> int:
    tries = Path(path)
    count = int(tries.read_text()) if tries.exists() else 0
    tries.write_text(str(count + 1))
    if "missing" in path:
        raise NotFound("gone")
    if count < 2 or "always" in path:
        try:
            socket.socket().connect(("127.0.0.1", 9))
        except OSError as error:
            error.held = socket.socket()  # type: ignore[attr-defined]
            raise StoreError("busy") from error
    return count + 1


def test_passing_faults_are_tried_again(client: Client, tmp_path: Path) -> None:
    """A store that fails twice succeeds at the third try; what does not exist is asked for once."""
    items = [str(tmp_path / "busy"), str(tmp_path / "missing"), str(tmp_path / "always")]
    got = dict(dask_cluster.map_unordered(client, _flaky, items))
    assert type(got[items[2]]) is StoreError, (
        "an error whose cause cannot be pickled arrives as it is"
    )
    assert got[items[0]] == 3
    assert isinstance(got[items[1]], NotFound)
    assert (tmp_path / "missing").read_text() == "1"


def _suicide(item: int) -> int:
    if item == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return getattr(os, _MARK)


def test_an_item_that_kills_its_worker(client: Client) -> None:
    """It becomes one error; the other items finish, in workers that were set up again after the
    restart.
    """
    before = set(client.run(os.getpid).values())
    got = dict(dask_cluster.map_unordered(client, _suicide, range(4)))
    assert isinstance(got[1], StackError)
    assert "killed its worker" in str(got[1])
    client.wait_for_workers(2, timeout=30)
    after = client.run(lambda: (os.getpid(), getattr(os, _MARK)))
    assert {pid for pid, _ in after.values()} != before
    assert all(pid == mark for pid, mark in after.values())


def _slow(item: float) -> float:
    time.sleep(item)
    return item


def test_results_come_as_they_finish_and_the_rest_is_cancelled(client: Client) -> None:
    """The quick one is first; stopping early does not wait for the slow ones."""
    results: Any = dask_cluster.map_unordered(client, _slow, [20.0, 0.0, 20.0, 20.0])
    assert next(results) == (0.0, 0.0)
    begun = time.monotonic()
    results.close()
    assert time.monotonic() - begun < 15


def test_workers_are_private(client: Client, settings: Settings) -> None:
    """Workers listen on loopback only, over TLS, never spill to disk, use one OpenCV thread,
    scratch in the home.
    """

    def look(dask_worker: Worker) -> tuple[list[str], object, object, int, str, str]:
        import cv2

        listening = [
            c.laddr.ip for c in psutil.Process().net_connections() if c.status == psutil.CONN_LISTEN
        ]
        spill = dask.config.get("distributed.worker.memory.spill")
        target = dask.config.get("distributed.worker.memory.target")
        return (
            listening,
            spill,
            target,
            cv2.getNumThreads(),
            dask_worker.address,
            dask_worker.local_directory,
        )

    for listening, spill, target, threads, address, folder in client.run(look).values():
        assert set(listening) == {"127.0.0.1"}
        assert (spill, target, threads) == (False, False, 1)
        assert address.startswith("tls://127.0.0.1")
        assert Path(folder).is_relative_to(settings.home)
    ours = [
        c.laddr.ip for c in psutil.Process().net_connections() if c.status == psutil.CONN_LISTEN
    ]
    assert set(ours) <= {"127.0.0.1"}


def test_set_up_that_fails(settings: Settings) -> None:
    """A set-up's own error reaches the caller as it is."""
    changed = settings.model_copy(update={"dask": settings.dask.model_copy(update={"workers": 1})})
    with (
        pytest.raises(ModelUnavailable, match="pull it"),
        dask_cluster.client(changed, _fails_to_set_up),
    ):
        pass


def test_no_scheduler(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scheduler that does not answer is a StackError that names the setting."""
    monkeypatch.setattr(dask_cluster, "_CONNECT_S", 1.0)
    changed = settings.model_copy(
        update={"dask": settings.dask.model_copy(update={"scheduler": "tcp://127.0.0.1:9"})}
    )
    with pytest.raises(StackError, match=r"dask\.scheduler"), dask_cluster.client(changed):
        pass


def test_a_worker_that_is_started_again_has_no_page_either(tmp_path: Path) -> None:
    """What shuts the workers' web pages holds after the start too: who dies is replaced with it."""
    import dask
    from distributed.security import Security

    settings = load_settings(home=tmp_path, dask={"workers": 1})
    with dask_cluster.local_cluster(settings, Security.temporary()):
        assert dask.config.get("distributed.worker.http.routes") == []
