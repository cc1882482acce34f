"""Never 1: nobody but tasks/consent/authorise.py holds the witness that makes an AuthorisedCase."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("flows", "tasks", "infra", "models", "data_contracts", "benchmarks")


def _names(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.alias):
            yield node.name
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _sources():
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def test_witness_is_touched_by_authorise_only():
    """`_WITNESS` is named in its own module and in tasks/consent/authorise.py, nowhere else, not
    even as a string.
    """
    users = {str(path.relative_to(ROOT)) for path in _sources() if "_WITNESS" in set(_names(path))}
    assert users == {"data_contracts/authorisation.py", "tasks/consent/authorise.py"}


def test_no_one_builds_a_case_another_way():
    """No call of AuthorisedCase(...) or __new__ on it outside tasks/consent/authorise.py."""
    for path in _sources():
        if path.relative_to(ROOT).as_posix() == "tasks/consent/authorise.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func).rsplit(".", 1)[-1]
                made = [ast.unparse(a).rsplit(".", 1)[-1] for a in node.args]
                assert called != "AuthorisedCase", f"{path}:{node.lineno}"
                assert not (called == "__new__" and "AuthorisedCase" in made), (
                    f"{path}:{node.lineno}"
                )
