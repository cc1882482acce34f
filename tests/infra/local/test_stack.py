"""The local stack: starts, is found running, stops only its own, and schedules."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest
from distributed import Client, Security
from whole_stack import ask_server, wait

from data_contracts.errors import BadInput, StackError
from data_contracts.object_key import SITE
from flows.cli.stack import PROJECT
from infra import dask_cluster
from infra.local import process
from infra.local import stack as stack_module
from infra.local.stack import StackInfo, prefect_command
from infra.local.store_locks import certificate_file
from infra.settings import Settings, load_settings
from infra.stack_record import ProcessRecord, read_record
from infra.store import ObjectStore

pytestmark = pytest.mark.stack

_DEPLOY = """
name: smoke
deployments:
  - name: smoke
    entrypoint: flows/trace_case.py:trace_case
    work_pool: {name: encounter}
    schedules: [{cron: "0 3 * * *", timezone: "Asia/Seoul", parameters: {case_id: K-NOBODY-1}}]
"""


def _flow_runs(settings: Settings, state: str) -> list[dict]:
    filters = {
        "flow_runs": {"state": {"type": {"any_": [state]}}},
        "deployments": {"name": {"any_": ["smoke"]}},
    }
    return ask_server(settings, "POST", "flow_runs/filter", filters)


def test_cron_is_scheduled_and_a_run_ends(stack: StackInfo, tmp_path: Path) -> None:
    """With these versions a deployment's cron gets runs scheduled, and the worker runs one to its
    end: trace-case, which says that it knows no such case.

    A plain install of the newest versions fails one or the other silently:
    docs/decisions/0001-versions.md.
    """
    (tmp_path / "prefect.yaml").write_text(_DEPLOY)
    deploy = ("deploy", "--all", "--prefect-file", str(tmp_path / "prefect.yaml"))
    prefect_command(stack.settings, *deploy, cwd=PROJECT)
    wait("no run was scheduled by cron", 120, lambda: _flow_runs(stack.settings, "SCHEDULED"))
    run = ("deployment", "run", "trace-case/smoke", "-p", "case_id=K-NOBODY-1")
    prefect_command(stack.settings, *run)
    wait("the worker did not end the run", 120, lambda: _flow_runs(stack.settings, "FAILED"))
    assert "K-NOBODY-1" in _flow_runs(stack.settings, "FAILED")[0]["state"]["message"]


def test_second_up_finds_everything_running(stack: StackInfo) -> None:
    """Nothing is started twice, and status agrees."""
    assert stack_module.up(load_settings(home=stack.settings.home)).started == ()
    assert [(part.name, part.running) for part in stack_module.status(stack.settings)] == [
        ("store", True),
        ("prefect", True),
        ("dask", True),
        ("worker", True),
        ("desk", True),
    ]


def test_ui_is_served_on_loopback_only(stack: StackInfo) -> None:
    """The UI answers, and no process of the stack listens on another address."""
    assert stack.ui_url is not None
    assert b"<html" in httpx.get(stack.ui_url, timeout=30).content.lower()
    for entry in stack.record.processes:
        tree = [psutil.Process(entry.pid), *psutil.Process(entry.pid).children(recursive=True)]
        found = {
            c.laddr.ip for p in tree for c in p.net_connections() if c.status == psutil.CONN_LISTEN
        }
        assert found <= {"127.0.0.1", "::1"}, entry.name


def test_flow_runs_share_the_stacks_dask(stack: StackInfo) -> None:
    """Settings read in a home with a stack name its scheduler; work runs there, and strangers
    cannot connect.
    """
    settings = load_settings(home=stack.settings.home)
    assert settings.dask.scheduler == stack.record.dask_scheduler
    for _ in range(2):  # the second run finds the set-up done
        with dask_cluster.client(settings, os.getpid) as client:
            assert dict(dask_cluster.map_unordered(client, abs, [-1, -2])) == {-1: 1, -2: 2}
    with pytest.raises(OSError, match=r"(?i)handshake|certificate|timed out|connect"):
        Client(settings.dask.scheduler, timeout=2, security=Security.temporary())


def test_prefect_command_that_fails(stack: StackInfo) -> None:
    """Its last line is in the error."""
    with pytest.raises(StackError, match="prefect deployment run nothing/here failed"):
        prefect_command(stack.settings, "deployment", "run", "nothing/here")


def test_secrets_are_private(settings: Settings) -> None:
    """Files with keys or credentials can be read by their owner only, and no log shows a secret."""
    home = settings.paths
    for path in (home.s3_file, home.stack_file, home.store / "security.toml", home.master_key_file):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert stat.S_IMODE(home.store.stat().st_mode) == 0o700
    secret = settings.s3.secret_key.get_secret_value()
    assert not [p for p in home.logs.iterdir() if secret in p.read_text(errors="replace")]


def test_two_homes_side_by_side_and_data_survive(tmp_path: Path, store: ObjectStore) -> None:
    """A second stack has its own ports, keys and data; stopped and started again it has its data
    and its address.
    """
    first = stack_module.up(load_settings(home=tmp_path), parts=("store",))
    try:
        assert first.settings.s3.endpoint != store.endpoint
        ObjectStore(first.settings.s3).put(SITE, "kept", b"1")
        assert not store.exists(SITE, "kept")
        assert stack_module.down(first.settings) == ["store"]
        assert stack_module.down(first.settings) == []
        again = stack_module.up(load_settings(home=tmp_path), parts=("store",))
        assert again.settings.s3 == first.settings.s3
        assert ObjectStore(again.settings.s3).get(SITE, "kept") == b"1"
    finally:
        stack_module.down(load_settings(home=tmp_path))
    assert store.list(SITE, "none/") == []


def test_data_survive_sigkill_and_a_taken_port(tmp_path: Path) -> None:
    """After SIGKILL the next `up` starts the store again, on another port where the old one is
    taken.
    """
    data = tmp_path / "elsewhere"
    first = stack_module.up(load_settings(home=tmp_path / "home"), data_dir=data, parts=("store",))
    try:
        ObjectStore(first.settings.s3).put(SITE, "kept", b"1" * 100_000)
        os.kill(first.record.processes[0].pid, signal.SIGKILL)
        wait("still running", 60, lambda: not stack_module.status(first.settings)[0].running)
        with socket.create_server(("127.0.0.1", first.record.ports["s3"])):
            again = stack_module.up(load_settings(home=tmp_path / "home"), parts=("store",))
            assert again.started == ("store",)
            assert again.settings.s3.endpoint != first.settings.s3.endpoint
            assert again.record.data_dir == str(data)
            assert ObjectStore(again.settings.s3).get(SITE, "kept") == b"1" * 100_000
    finally:
        stack_module.down(load_settings(home=tmp_path / "home"))


def test_a_second_store_on_the_same_data_is_refused(tmp_path: Path) -> None:
    """Neither another home nor this one, when its record is lost, starts a second store on a data
    folder, nor takes away the certificate of the one that runs; the error names the process that
    has it.
    """
    data = tmp_path / "data"
    settings = load_settings(home=tmp_path / "one")
    first = stack_module.up(settings, data_dir=data, parts=("store",))
    certificate = certificate_file(settings.paths).read_bytes()
    holder = first.record.processes[0].pid
    try:
        with pytest.raises(StackError, match=rf"process {holder} holds {data}"):
            stack_module.up(load_settings(home=tmp_path / "two"), data_dir=data, parts=("store",))
        record = settings.paths.stack_file.read_bytes()
        settings.paths.stack_file.unlink()
        with pytest.raises(StackError, match=rf"process {holder} holds {data}"):
            stack_module.up(load_settings(home=tmp_path / "one"), data_dir=data, parts=("store",))
        settings.paths.stack_file.write_bytes(record)
        assert certificate_file(settings.paths).read_bytes() == certificate
        store = ObjectStore(first.settings.s3)
        store.put(SITE, "kept", b"1")
        assert store.get(SITE, "kept") == b"1"
    finally:
        stack_module.down(load_settings(home=tmp_path / "one"))
        stack_module.down(load_settings(home=tmp_path / "two"))


def test_a_step_of_the_clock_is_no_other_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Psutil tells when a process started by the clock: a minute's step moves every start by a
    minute. What runs is found all the same, and stopped with its children.
    """
    log = tmp_path / "family.log"
    argv = [sys.executable, "-c", _FAMILY]
    record = process.start("family", argv, dict(os.environ), tmp_path, log, tmp_path / "held")
    wait("no child", 60, lambda: log.read_text().strip())
    child = psutil.Process(int(log.read_text()))
    told = psutil.Process.create_time
    with monkeypatch.context() as stepped:
        stepped.setattr(psutil.Process, "create_time", lambda self: told(self) - 60)
        assert process.find(record) is not None
        assert process.stop(record, 0.5)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_wanted_port_is_taken(tmp_path: Path) -> None:
    """A port that the settings ask for and another program has is an error that names the
    setting.
    """
    with socket.create_server(("127.0.0.1", 0)) as other:
        settings = load_settings(home=tmp_path, stack={"s3_port": other.getsockname()[1]})
        with pytest.raises(StackError, match=r"stack\.s3_port"):
            stack_module.up(settings, parts=("store",))


def test_failed_start_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a part cannot start, the error has the log's path and last line, and what had started is
    stopped.
    """
    broken = tmp_path / "weed"
    broken.write_text("#!/bin/sh\necho starting\necho the disk is full >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setattr("infra.local.weed.binary", lambda: broken)
    with pytest.raises(StackError, match=r"the object store ended .*store\.log: the disk is full"):
        stack_module.up(load_settings(home=tmp_path / "home"), parts=("store",))
    record = read_record(load_settings(home=tmp_path / "home").paths)
    assert record is not None
    assert record.processes == ()


def test_foreign_store_is_used_not_started(tmp_path: Path, settings: Settings) -> None:
    """With an endpoint in the settings `up` starts no store of its own."""
    changed = load_settings(home=tmp_path, s3=settings.s3.model_dump())
    assert stack_module.up(changed, parts=("store",)).started == ()
    assert stack_module.down(changed) == []


def test_stop_spares_who_has_the_id_now(tmp_path: Path) -> None:
    """A process that has a recorded id but another start time is neither found nor stopped."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as other:
        record = ProcessRecord(
            name="store", pid=other.pid, started=time.time() - 3600, log=str(tmp_path / "x.log")
        )
        assert process.find(record) is None
        assert not process.stop(record, 1.0)
        assert other.poll() is None
        other.kill()


_FAMILY = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
stubborn = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)"
child = subprocess.Popen([sys.executable, "-c", stubborn])
print(child.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("parent_dies_first", [False, True])
def test_stop_takes_the_children_along(tmp_path: Path, parent_dies_first: bool) -> None:
    """Children go too, also when they ignore SIGTERM, and also when their parent died before."""
    log = tmp_path / "family.log"
    record = process.start(
        "family",
        [sys.executable, "-c", _FAMILY],
        dict(os.environ),
        tmp_path,
        log,
        tmp_path / "held",
    )
    wait("no child", 60, lambda: log.read_text().strip())
    child = psutil.Process(int(log.read_text()))
    if parent_dies_first:
        os.kill(record.pid, signal.SIGKILL)
        wait("parent lives", 60, lambda: process.find(record) is None)
    assert process.stop(record, 0.5)
    wait(
        "the child lives",
        30,
        lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE,
    )
    assert process.find(record) is None


def test_processes_survive_their_starter(tmp_path: Path) -> None:
    """What a command started runs on after the command has ended, and another command stops it."""
    code = (
        "import sys; from infra.settings import load_settings; from infra.local import stack;"
        f"stack.up(load_settings(home={str(tmp_path)!r}), parts=('store',))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])
    settings = load_settings(home=tmp_path)
    try:
        assert ObjectStore(settings.s3).folders(SITE) == []
    finally:
        assert stack_module.down(settings) == ["store"]


def test_damaged_record(tmp_path: Path) -> None:
    """A record that cannot be read says which file to delete."""
    (tmp_path / "stack.json").write_text("{")
    with pytest.raises(BadInput, match=r"stack\.json.*delete it"):
        load_settings(home=tmp_path)
