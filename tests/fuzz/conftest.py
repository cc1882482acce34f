"""Prints at the end of a test run how many inputs were tried."""

from __future__ import annotations

import pytest

from tests.fuzz import tally


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line a target."""
    if tally.TRIED:
        terminalreporter.section("inputs tried")
        for line in tally.summary():
            terminalreporter.write_line(line)
