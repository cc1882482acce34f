"""Each test tells how many inputs it tried: `tests/conftest.py` prints it at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.fuzz import tally


@pytest.fixture(autouse=True)
def _told(record_property: Callable[[str, object], None]) -> Iterator[None]:
    before = set(tally.TRIED)
    yield
    for name in sorted(set(tally.TRIED) - before):
        record_property("inputs tried", {name: dict(tally.TRIED[name])})
