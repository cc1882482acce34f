"""What is written down and what is there stay the same thing."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from data_contracts.tables.contracts import ALL, BY_NAME
from docs.write_tables import DOCS as DOCS_FOLDER
from docs.write_tables import TABLES, written
from flows.cli.main import app
from flows.programs.worker import CASES_QUEUE
from tasks.artefacts.exports import EXPORTS

ROOT = Path(__file__).parents[2]
DEPLOYMENTS = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
# Tested through the one function of their room that uses them.
INDIRECT = {
    "anchor",
    "common_instants",
    "floor_plan",
    "ground_path",
    "matching",
    "meeting",
    "page",
    "svg",
    "walking_time",
}
DOCS = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda d: d["name"])
def test_every_deployment_imports(deployment: dict) -> None:
    """Each entry point of prefect.yaml is a flow of that name."""
    path, name = deployment["entrypoint"].split(":")
    module = importlib.import_module(path.removesuffix(".py").replace("/", "."))
    flow = getattr(module, name)
    assert flow.name == deployment["name"]
    assert "description" not in deployment, "Prefect shows the docstring of the flow"
    assert flow.description


def test_the_deployments_are_the_ones_promised() -> None:
    """trace-case by event, in the queue that the worker limits; the others on schedules. None has
    a concurrency limit of its own: a server that is killed never gives its slots back.
    """
    by_name = {d["name"]: d for d in DEPLOYMENTS}
    assert set(by_name) == {"trace-case", "rerun-exposure", "reconcile", "purge-expired"}
    assert by_name["trace-case"]["work_pool"]["work_queue_name"] == CASES_QUEUE
    assert not [d for d in DEPLOYMENTS if "concurrency_limit" in d]
    assert by_name["trace-case"]["triggers"][0]["expect"] == ["case.confirmed"]
    assert all(by_name[n]["schedules"] for n in set(by_name) - {"trace-case"})


@pytest.mark.parametrize("page", DOCS, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_of_the_docs_lead_somewhere(page: Path) -> None:
    """Every relative link and picture of the docs exists."""
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        if not target.startswith(("http://", "https://", "mailto:")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_commands_of_the_docs_exist() -> None:
    """Every `encounter ...` command that the docs show is one."""
    runner = CliRunner()
    shown = set()
    for page in DOCS:
        shown |= set(
            re.findall(
                r"encounter ((?:camera|case|models|keys|site|consent|approval|audit|desk)"
                r" [a-z-]+)",
                page.read_text(),
            )
        )
        shown |= set(re.findall(r"`encounter (up|down|status|demo|ingest)", page.read_text()))
    assert len(shown) > 10
    for command in sorted(shown):
        result = runner.invoke(app, [*command.split(), "--help"])
        assert result.exit_code == 0, command


@pytest.mark.parametrize(("page", "name"), sorted(TABLES))
def test_tables_made_from_the_code_are_up_to_date(page: str, name: str) -> None:
    """What `make docs` would write is what stands there."""
    text = (DOCS_FOLDER / page).read_text()
    assert written(text, name, TABLES[page, name]()) == text, "run make docs"


def test_artefacts_are_named_in_one_list() -> None:
    """No module but the table spells the name of an export, so none can be forgotten."""
    names = re.compile(rf"\b({'|'.join(re.escape(e.name) for e in EXPORTS)})(?![\w.])")
    home = ROOT / "tasks" / "artefacts" / "exports.py"
    code = [p for room in ("flows", "tasks", "infra") for p in (ROOT / room).rglob("*.py")]
    assert [p for p in code if p != home and names.search(p.read_text())] == []


def test_every_room_is_in_the_tree() -> None:
    """docs/tree.md names each package of the tree and nothing else, and each module that it gives
    as an answer exists.
    """
    page = (DOCS_FOLDER / "tree.md").read_text()
    layers = ("data_contracts", "models", "tasks", "infra", "flows", "benchmarks")
    rooms = {
        f"{path.parent.relative_to(ROOT)}/"
        for layer in layers
        for path in (ROOT / layer).rglob("__init__.py")
    }
    listed = re.findall(r"^\| `([\w/]+/)` \|", page, re.M)
    assert len(listed) == len(set(listed))
    assert rooms - set(listed) == set(), "rooms that docs/tree.md does not name"
    assert set(listed) - rooms == set(), "rooms of docs/tree.md that are not there"
    for target in re.findall(r"`([\w/]+(?:\.py|/))`", page):
        assert (ROOT / target).exists(), target


def test_words_of_the_glossary_lead_to_code() -> None:
    """Each word of docs/glossary.md says what carries it, and that is there."""
    page = (DOCS_FOLDER / "glossary.md").read_text()
    rows = re.findall(r"^\| ([^|]+) \| [^|]+ \| ([^|]+) \|$", page, re.M)
    tables = {contract.name for contract in ALL}
    for word, carried in rows:
        for name in re.findall(r"`([^`]+)`", carried):
            if name.isupper():
                assert name.lower() in tables, word
            elif "." in name:
                assert _exists(name), (word, name)
    assert len(rows) > 40


def _exists(name: str) -> bool:
    """Whether a dotted name is a module, or something in one."""
    module, _, attribute = name.rpartition(".")
    try:
        found = importlib.import_module(module)
        return hasattr(found, attribute) or bool(importlib.import_module(name))
    except ModuleNotFoundError:
        return False


def test_make_targets_of_the_readme_exist() -> None:
    """The README's and CONTRIBUTING's make commands are targets."""
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.M))
    text = (ROOT / "README.md").read_text() + (ROOT / "CONTRIBUTING.md").read_text()
    assert set(re.findall(r"^make (\w+)", text, re.M)) <= targets


def test_contracts_have_a_version_and_one_name() -> None:
    """Tables are told apart by name, and every one has a version and says what its columns mean."""
    assert len(BY_NAME) == len(ALL)
    for contract in ALL:
        assert contract.version >= 1
        assert contract.expectations
        assert all(column.meaning for column in contract.columns)


def test_every_stage_module_is_tested() -> None:
    """Each module of tasks/ is imported by some test, or by a module of its own room that is."""
    text = "\n".join(p.read_text() for p in (ROOT / "tests").rglob("test_*.py"))
    modules = {
        ".".join(p.relative_to(ROOT).with_suffix("").parts)
        for p in (ROOT / "tasks").rglob("*.py")
        if p.stem != "__init__"
    }
    assert len(modules) > 50
    untested = set()
    for module in modules:
        room, _, name = module.rpartition(".")
        if f"from {module} import" in text or f"from {room} import {name}\n" in text:
            continue
        untested.add(name)
    assert untested <= INDIRECT, untested - INDIRECT
    assert untested == INDIRECT, "a module of INDIRECT has a test of its own now: take it out"
