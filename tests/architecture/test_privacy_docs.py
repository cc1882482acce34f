"""What the privacy pages claim is shown by tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*(ROOT / "docs" / "privacy").glob("*.md"), ROOT / "docs" / "nevers.md"])


def _tests_in(path: Path) -> set[str]:
    """Names of a module's test functions."""
    return {n.name for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.FunctionDef)}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_named_tests_and_files_exist(page: Path) -> None:
    """Every `tests/...::test_...` is a test, and every `layer/module.py` or `tests/folder/` is
    there.
    """
    for named in re.findall(
        r"`((?:tests|tasks|flows|infra|models|data_contracts|benchmarks)/[\w/.:-]*)`",
        page.read_text(),
    ):
        path, _, test = named.partition("::")
        assert (ROOT / path).exists(), f"{page.name} names {path}, which does not exist"
        if test:
            assert test in _tests_in(ROOT / path), f"{page.name} names {named}, which is not a test"


def test_each_control_names_its_code_and_its_test() -> None:
    """Every row of the control table has a module and a test, or says that the duty is the
    operator's.
    """
    rows = [
        r
        for r in (ROOT / "docs" / "privacy" / "controls.md").read_text().splitlines()
        if r.startswith("| ")
    ]
    rows = [r for r in rows if not r.startswith(("| article", "| ---"))]
    assert len(rows) > 20
    for row in rows:
        _article, _asks, _control, code, test, _ = [
            cell.strip() for cell in row.strip("|").split(" | ")
        ] + [""]
        operator = "operators.md" in code
        assert operator or (re.search(r"`\w+/", code) and "`tests/" in test), row
