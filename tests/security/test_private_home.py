"""The home, its files and its processes are closed from the first moment."""

from __future__ import annotations

import os
import resource
import stat
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from data_contracts.errors import BadInput
from infra import dask_cluster
from infra.key_source import ensure_master_keys
from infra.local import process
from infra.local.stack import StackInfo
from infra.settings import load_settings
from infra.stack_record import read_record

_PROJECT = Path(__file__).parents[2]


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("mode", [None, 0o755, 0o750, 0o711])
def test_a_home_is_made_or_mended(tmp_path: Path, mode: int | None) -> None:
    """A new one and one that others could enter end with mode 0700."""
    home = tmp_path / "home"
    if mode is not None:
        home.mkdir()
        home.chmod(mode)
    load_settings(home=home).paths.make()
    assert _mode(home) == 0o700


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o770])
def test_a_home_that_others_wrote_to_is_refused(tmp_path: Path, mode: int) -> None:
    """What lies in it may be theirs: the error says what to do, and nothing is made in it."""
    tmp_path.chmod(mode)
    with pytest.raises(BadInput, match="chmod 700"):
        load_settings(home=tmp_path).paths.make()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a folder to another user")
def test_another_users_home_is_refused(tmp_path: Path) -> None:
    """Its owner could change everything in it."""
    os.chown(tmp_path, 65534, 65534)
    with pytest.raises(BadInput, match="belongs to another user"):
        load_settings(home=tmp_path).paths.make()


def test_a_started_program_keeps_to_itself(tmp_path: Path) -> None:
    """Its log has mode 0600 from the first byte, also where an older one had not; what it writes
    is its own; it may leave no core dump.
    """
    log = tmp_path / "logs" / "x.log"
    log.parent.mkdir()
    log.write_text("from before\n")
    log.chmod(0o644)
    code = "open('made', 'w').write('x'); import time; print('up', flush=True); time.sleep(60)"
    record = process.start(
        "x", [sys.executable, "-c", code], dict(os.environ), tmp_path, log, tmp_path / "h"
    )
    try:
        assert _mode(log) == 0o600
        while "up" not in log.read_text():
            time.sleep(0.05)
        assert _mode(tmp_path / "made") == 0o600
        assert psutil.Process(record.pid).rlimit(psutil.RLIMIT_CORE) == (0, 0)
    finally:
        process.stop(record, 1.0)


_CRASH = """
import ctypes, os, resource, signal
resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
from infra.key_source import load_master_keys
from infra.settings import load_settings
load_master_keys(load_settings())
print(ctypes.CDLL(None).prctl(3), *resource.getrlimit(resource.RLIMIT_CORE), flush=True)
os.kill(os.getpid(), signal.SIGABRT)
"""


def test_who_holds_the_master_key_leaves_no_dump(tmp_path: Path) -> None:
    """A process that loaded it and crashes leaves nothing, whatever limit it was started with."""
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    code = _CRASH.replace("resource.RLIM_INFINITY, resource.RLIM_INFINITY", f"{hard}, {hard}")
    home = tmp_path / "home"
    ensure_master_keys(load_settings(home=home))
    env = {**os.environ, "ENCOUNTER_HOME": str(home), "PYTHONPATH": str(_PROJECT)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode < 0, done.stderr
    assert done.stdout.split() == ["0", "0", "0"]  # PR_GET_DUMPABLE, and the limit
    assert [p.name for p in tmp_path.iterdir()] == ["home"]


@pytest.mark.stack
def test_every_process_of_the_stack_has_no_core_limit(stack: StackInfo) -> None:
    """Store, server, scheduler, workers, desk: the limit is 0 in each."""
    record = read_record(stack.settings.paths)
    assert record is not None
    for entry in record.processes:
        found = psutil.Process(entry.pid)
        for one in (found, *found.children(recursive=True)):
            assert one.rlimit(psutil.RLIMIT_CORE) == (0, 0), entry.name


def _get_dumpable() -> int:
    import ctypes

    return ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)


@pytest.mark.stack
def test_dask_workers_cannot_be_dumped(stack: StackInfo) -> None:
    """They hold faces: the flag is off before they get any work."""
    with dask_cluster.client(load_settings(home=stack.settings.home)) as client:
        assert set(client.run(_get_dumpable).values()) == {0}
