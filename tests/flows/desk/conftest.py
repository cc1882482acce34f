"""One desk for all tests of its pages: real server, real store, accounts of every role."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from desk_scene import RunningDesk, no_orchestrator, staffed_desk

from flows.runtime.environment import Environment


@pytest.fixture
def desk(env: Environment, tmp_path: Path) -> Iterator[RunningDesk]:
    """A running desk with an account of each role."""
    with no_orchestrator(), staffed_desk(env, tmp_path) as made:
        yield made
