"""`encounter desk` runs the desk by itself, once a home."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from desk_scene import free_port
from whole_stack import wait

from flows.runtime.environment import Environment
from infra.local.process import listens
from infra.settings import HOME_VARIABLE

pytestmark = pytest.mark.stack
ROOT = Path(__file__).parents[3]


def test_it_runs_alone(env: Environment, tmp_path: Path) -> None:
    """It says where, answers there, and ends with Ctrl-C; a second one is refused."""
    port = free_port()
    argv = [sys.executable, "-m", "flows.cli.main", "desk", "--port", str(port)]
    home = tmp_path / "home"
    shutil.copytree(env.settings.paths.keys, home / "keys")
    s3 = env.settings.s3
    surroundings = {
        **os.environ,
        # A home of its own: the shared one may have a desk, of a stack that other tests began.
        HOME_VARIABLE: str(home),
        "ENCOUNTER_S3__ENDPOINT": env.store.endpoint,
        "ENCOUNTER_S3__ACCESS_KEY": s3.access_key,
        "ENCOUNTER_S3__SECRET_KEY": s3.secret_key.get_secret_value(),
    }
    first = subprocess.Popen(argv, cwd=ROOT, env=surroundings, stdout=subprocess.PIPE, text=True)
    try:
        wait("the desk does not listen", 60, lambda: listens(port))
        assert httpx.get(f"http://127.0.0.1:{port}/login", timeout=30).status_code == 200
        second = subprocess.run(
            argv, cwd=ROOT, env=surroundings, capture_output=True, text=True, timeout=60
        )
        assert second.returncode == 1
        assert "runs already" in second.stderr
    finally:
        first.send_signal(signal.SIGINT)
        said, _ = first.communicate(timeout=30)
    assert f"http://127.0.0.1:{port}" in said
