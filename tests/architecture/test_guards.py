"""The tables of `make guards` name lines and tests that are there."""

from __future__ import annotations

import ast
import importlib.util
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
_SPEC = importlib.util.spec_from_file_location("guards", ROOT / "tests/nevers/remove_guards.py")
assert _SPEC is not None
assert _SPEC.loader is not None
guards = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(guards)
ROWS = (*guards.GUARDS, *guards.RULES)
RULES = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.never)
def test_a_rows_line_and_tests_are_there(row: Any) -> None:
    """The line that is to be broken stands in its file, and differs from its broken form; the tests
    that must notice exist.
    """
    assert row.line in (ROOT / row.file).read_text()
    assert row.line != row.without
    for test in row.tests:
        if not test.startswith(guards.IMPORTS):
            path, _, name = test.partition("::")
            names = {
                n.name for n in ast.walk(ast.parse((ROOT / path).read_text())) if hasattr(n, "name")
            }
            plain = name.rpartition("::")[2].partition("[")[0]
            assert not plain or plain in names, test


def test_every_import_rule_is_broken_once() -> None:
    """A rule that nothing breaks may have stopped to bite when folders moved."""
    broken = {
        t.partition(": ")[2] for row in ROWS for t in row.tests if t.startswith(guards.IMPORTS)
    }
    assert broken == {rule["name"] for rule in RULES}


def test_names_are_told_apart() -> None:
    """Each row has a name of its own."""
    assert len({row.never for row in ROWS}) == len(ROWS)
