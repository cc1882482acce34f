"""Never 2 in the source: where face and body features are made, and by which ways they could get
out.
"""

from __future__ import annotations

import ast
import dataclasses
import typing
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from data_contracts.errors import ContractViolation
from tasks.observe.match import Verdicts

ROOT = Path(__file__).parents[2]
LAYERS = ("tasks", "flows", "infra")
# Methods and attributes of models/ that give or hold features.
EMBEDS = {"embed", "embed_and_mask", "embedder"}
RAW = {"raw", "run_all", "backbone", "embed_raw", "_session", "_engine", "ort_session"}
# What other layers need of models/: none of these modules runs a network.
# models.convert.osnet writes a file from a checkpoint; it sees no picture of anybody.
DOORS = {
    "models.registry",
    "models.settings",
    "models.interface",
    "models.score_calibration",
    "models.files.pull",
    "models.files.manifest",
    "models.geometry",
    "models.convert.osnet",
}


def sources(*layers: str) -> Iterator[tuple[str, ast.Module]]:
    """Path and tree of every module of the layers."""
    for layer in layers:
        for path in sorted((ROOT / layer).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def names_in(tree: ast.AST) -> set[str]:
    """Attributes that a tree reads, also by getattr and attrgetter."""
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    called = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    by_text = {
        str(arg.value)
        for call in called
        if ast.unparse(call.func).rsplit(".", 1)[-1]
        in ("getattr", "attrgetter", "methodcaller", "__getattribute__")
        for arg in call.args
        if isinstance(arg, ast.Constant)
    }
    return attributes | by_text


def functions_using(tree: ast.Module, wanted: set[str]) -> set[str]:
    """Functions and methods (the outermost) that read one of `wanted`; "" for the module's own
    statements.
    """
    found: set[str] = set()

    def look(node: ast.AST, inside: str) -> None:
        for child in ast.iter_child_nodes(node):
            own = child.name if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else ""
            look(child, inside or own)
            if isinstance(child, ast.Attribute | ast.Call) and not isinstance(node, ast.Module):
                shallow = {child.attr} if isinstance(child, ast.Attribute) else names_in(child)
                if shallow & wanted:
                    found.add(inside)

    look(tree, "")
    return found


def test_embedders_are_reached_from_four_functions_only() -> None:
    """Nothing but the comparisons and the building of templates makes features."""
    users = {
        (path, name) for path, tree in sources(*LAYERS) for name in functions_using(tree, EMBEDS)
    }
    assert users == {
        ("tasks/observe/match.py", "match"),
        ("tasks/observe/template.py", "build_template"),
        ("tasks/observe/looks.py", "build_looks"),
        ("tasks/observe/looks.py", "compare_looks"),
    }


def test_both_fail_without_what_they_saw() -> None:
    """Both are wrapped so that an exception carries none of their variables away."""
    for path, name in (
        ("tasks/observe/match.py", "match"),
        ("tasks/observe/template.py", "build_template"),
    ):
        tree = ast.parse((ROOT / path).read_text())
        (function,) = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == name]
        assert [ast.unparse(d) for d in function.decorator_list] == ["forgetful"]


def test_clothes_are_described_in_two_functions_only() -> None:
    """Both ask for the appearance scope and forget what they saw when they fail; nothing else in
    any layer describes a body.
    """
    users = set()
    for path, tree in sources(*LAYERS):
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and "describe_clothes(" in ast.unparse(node):
                users.add((path, node.name))
                if node.name != "describe_clothes":
                    assert "require(case, 'appearance'" in ast.unparse(node), node.name
                    assert [ast.unparse(d) for d in node.decorator_list] == ["forgetful"]
    path = "tasks/observe/looks.py"
    assert users == {
        ("tasks/observe/clothes.py", "describe_clothes"),
        (path, "build_looks"),
        (path, "compare_looks"),
    }


def test_raw_outputs_stay_in_models() -> None:
    """No module of another layer reads a network's raw output or a session, or imports a module
    that runs one.
    """
    for path, tree in sources(*LAYERS):
        assert not names_in(tree) & RAW, path
        for node in ast.walk(tree):
            modules = {a.name for a in node.names} if isinstance(node, ast.Import) else set()
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "models":
                whole = {f"{node.module}.{a.name}" for a in node.names}
                modules = whole if node.module in ("models", "models.files") else {str(node.module)}
            assert not {m for m in modules if m.split(".")[0] == "models"} - DOORS, path


def test_no_search_by_appearance_without_its_scope() -> None:
    """Whoever calls the appearance embedder asks for that scope in the same function; that a call
    would be found is shown on one.
    """
    for path, tree in sources("tasks", "flows"):
        assert not unasked(tree), path
    call = "def f(case, models, crops):\n    {}\n    return models.appearance.embed(crops)"
    assert unasked(ast.parse(call.format("pass"))) == ["f"]
    assert unasked(ast.parse(call.format("require(case, 'appearance')"))) == []


def unasked(tree: ast.AST) -> list[str]:
    """Functions that call the appearance embedder and do not ask for its scope."""
    return [
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        and calls_appearance(node)
        and "require(case, 'appearance'" not in ast.unparse(node)
    ]


def calls_appearance(function: ast.FunctionDef) -> bool:
    """Whether a function calls something of `.appearance`."""
    return any(
        isinstance(n, ast.Call) and ".appearance." in f"{ast.unparse(n.func)}."
        for n in ast.walk(function)
    )


def test_a_verdict_has_no_place_for_a_vector() -> None:
    """One number a face and kind; anything wider is refused when it is made, and there is no other
    field.
    """
    hints = typing.get_type_hints(Verdicts)
    assert hints == {
        "subject_p": NDArray[np.float64],
        "mask_p": NDArray[np.float64],
        "compared": NDArray[np.bool_],
        "masked_llr": NDArray[np.float64],
    }
    assert {f.name for f in dataclasses.fields(Verdicts)} == set(hints)
    one = np.zeros(2)
    wide = np.zeros((2, 128))
    Verdicts(one, one, np.zeros(2, bool), one)
    for bad in (
        (wide, one, one, one),
        (one, wide, one, one),
        (one, one, wide, one),
        (one, one, one, wide),
        (wide, wide, wide, wide),
        (np.zeros(128), one, one, one),
    ):
        with pytest.raises(ContractViolation, match="one number a face"):
            Verdicts(*bad)
