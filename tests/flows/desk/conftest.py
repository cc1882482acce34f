"""One desk for all tests of its pages: real server, real store, accounts of every role."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from desk_scene import RunningDesk, no_orchestrator, staffed_desk
from playwright.sync_api import Browser, sync_playwright

from flows.runtime.environment import Environment


@pytest.fixture
def desk(env: Environment, tmp_path: Path) -> Iterator[RunningDesk]:
    """A running desk with an account of each role."""
    with no_orchestrator(), staffed_desk(env, tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, without a window."""
    path = shutil.which("chromium")
    assert path is not None, "no chromium here: run  apt-get install chromium  (make chromium)"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()
