"""CONTRIBUTING.md, followed to the letter: the recipes' own code blocks on a copy of the tree, and
the list of places to extend against the code.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
LAYERS = ("data_contracts", "models", "tasks", "infra", "flows")
COPIED = (*LAYERS, "docs", "tests", "demo/cameras.geojson", "demo/truth")
FILES = ("pyproject.toml", "README.md", "CONTRIBUTING.md", "Makefile", "prefect.yaml")
# What the recipes name, and what a contributor runs to see that a new thing is whole.
TESTS = (
    "tests/tasks/artefacts/test_exports.py",
    "tests/tasks/artefacts/test_stays_csv.py",
    "tests/models/networks/test_backend.py",
    "tests/models/networks/test_halves.py",
    "tests/models/files/test_manifest.py",
    "tests/data_contracts/test_policies.py",
    "tests/flows/stages/test_headcount.py",
    "tests/tasks/exposure/test_assess.py::test_changing_only_the_policy_needs_only_the_stored_points",
)
# What the rest of the program says of the new things.
SEEN = """
import json
from demo_report import report_data
from data_contracts.policies import policy_names
from flows.desk.pages import artefacts
from flows.stages import publish
from models.registry import known_models
from data_contracts.tables.contracts import BY_NAME
from flows import trace_case
made = publish.make_exports(report_data())
print(json.dumps({
    "published": sorted(made),
    "served as": artefacts.media_type("stays.csv"),
    "in the report": "stays.csv" in made["report.html"].decode(),
    "in the docs": "`stays.csv`" in open("docs/artefacts.md").read(),
    "model": known_models().entry("halves").loader,
    "policies": policy_names(),
    "contract": "headcounts" in BY_NAME,
    "stage": trace_case.heads.name,
    "policy in the docs": "`near-3m`" in open("docs/exposure.md").read(),
}))
"""


class Block(NamedTuple):
    """A code block of a recipe: the sentence before it, where it goes and what it is."""

    before: str
    path: str
    at: str
    after: str
    before_line: str
    code: str


def blocks() -> list[Block]:
    """All blocks that say where they go, in the order of the page."""
    pattern = re.compile(
        r'^( *)```\w+ path=(\S+) (?:at=(\w+)|after="([^"]+)"|before="([^"]+)")\n(.*?)^\1```$',
        re.M | re.S,
    )
    found = []
    for match in pattern.finditer(PAGE):
        before = PAGE[: match.start()].rstrip().rsplit("\n\n", 1)[-1]
        code = "\n".join(
            line.removeprefix(match[1]) for line in match[6].removesuffix("\n").split("\n")
        )
        found.append(
            Block(
                " ".join(before.split()),
                match[2],
                match[3] or "",
                match[4] or "",
                match[5] or "",
                code,
            )
        )
    return found


def follow(block: Block, root: Path) -> None:
    """Do what a block says."""
    path = root / block.path
    if block.at == "new":
        assert not path.exists(), f"{block.path} is there already"
        path.write_text(block.code + "\n", encoding="utf-8")
        return
    text = path.read_text(encoding="utf-8")
    if block.at == "end":
        path.write_text(f"{text.rstrip()}\n{block.code}\n", encoding="utf-8")
        return
    lines = text.split("\n")
    mark = block.after or block.before_line
    (at,) = [i for i, line in enumerate(lines) if line.startswith(mark)]
    at += bool(block.after)
    path.write_text("\n".join([*lines[:at], block.code, *lines[at:]]), encoding="utf-8")


def run(copy: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """A Python program in the copy, which imports the copy's modules."""
    env = {**os.environ, "PYTHONPATH": f"{copy}:{copy / 'tests' / 'support'}"}
    argv = [sys.executable, *command]
    return subprocess.run(argv, cwd=copy, env=env, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree with every recipe followed, and `make docs` run."""
    root = tmp_path_factory.mktemp("contributor")
    leave_out = shutil.ignore_patterns("__pycache__", "*.png")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, root / name, ignore=leave_out)
        else:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, root / name)
    for name in FILES:
        shutil.copy(ROOT / name, root / name)
    for block in blocks():
        follow(block, root)
    done = run(root, "-m", "docs.write_tables")
    assert done.returncode == 0, done.stderr
    return root


def test_the_sentence_before_a_block_says_where_it_goes() -> None:
    """Who reads the page and not its source knows what to do with each block."""
    assert len(blocks()) == 15
    assert PAGE.count(" path=") == len(blocks()), "a block is written in another way"
    for block in blocks():
        assert f"`{block.path}`" in block.before
        wanted = {"new": "A new file", "end": "At the end of", "": "In "}[block.at]
        assert wanted.lower() in block.before.lower(), block.path


def test_what_the_recipes_make_is_known_everywhere(copy: Path) -> None:
    """The export is published, served, named in the report and the docs; the backend is found by
    the manifest; the policy is offered and documented. Nothing else had to be told.
    """
    done = run(copy, "-c", SEEN)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert "stays.csv" in seen["published"]
    assert seen["served as"] == "text/csv; charset=utf-8"
    assert seen["in the report"]
    assert seen["in the docs"]
    assert seen["model"] == "halves"
    assert "near-3m" in seen["policies"]
    assert seen["contract"]
    assert seen["stage"] == "count heads"
    assert seen["policy in the docs"]


def test_the_recipes_code_passes_the_checks(copy: Path) -> None:
    """What the page shows is formatted and linted as the project's own code is."""
    changed = sorted({b.path for b in blocks() if b.path.endswith(".py")})
    for command in (["check"], ["format", "--check"]):
        done = run(copy, "-m", "ruff", *command, *changed)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_tests_of_the_recipes_pass(copy: Path) -> None:
    """The tests that the recipes write and those that watch the lists are green on the copy."""
    done = run(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS)
    assert done.returncode == 0, textwrap.indent(done.stdout[-4000:], "  ")


def test_without_the_docs_the_drift_is_seen(copy: Path) -> None:
    """Whoever forgets `make docs` is told: the table of an export's page no longer agrees."""
    page = copy / "docs" / "artefacts.md"
    whole = page.read_text()
    page.write_text(re.sub(r"\| `stays\.csv`.*\n", "", whole))
    done = run(
        copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/architecture/test_drift.py"
    )
    page.write_text(whole)
    assert done.returncode == 1
    assert "run make docs" in done.stdout


def test_places_to_extend_are_one_list() -> None:
    """Each list that the page names is in the code and has a section; each module that calls itself
    a place to extend, by naming CONTRIBUTING.md, is on the page.
    """
    table = PAGE[PAGE.index("| kind |") : PAGE.index("### An export")]
    rows = re.findall(r"^\| [^|]+ \| `([\w.]+)` \| \[[^\]]+\]\(#([\w-]+)\)", table, re.M)
    assert len(rows) == table.count("\n| ") - 1
    sections = {title.lower().replace(" ", "-") for title in re.findall(r"^### (.+)$", PAGE, re.M)}
    for name, section in rows:
        module, _, attribute = name.rpartition(".")
        assert getattr(importlib.import_module(module), attribute)
        assert section in sections
    assert sections == {section for _, section in rows}
    named = {name.rpartition(".")[0] for name, _ in rows}
    assert {_module(p) for p in _sources() if "CONTRIBUTING.md" in p.read_text()} == named


def _sources() -> list[Path]:
    return [p for layer in (*LAYERS, "docs") for p in (ROOT / layer).rglob("*.py")]


def _module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
