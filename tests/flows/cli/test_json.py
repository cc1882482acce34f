"""Options of every command: version, short help, completion, numbers; tables as JSON."""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.testing import CliRunner

import flows.cli
from flows.cli.listing import Listing, json_value
from flows.cli.main import PARTS, app

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "command-line.md").read_text()


def listings() -> dict[str, Listing]:
    """Every table of the command line, by its command."""
    names = [module.name for module in pkgutil.iter_modules(flows.cli.__path__)]
    modules = [importlib.import_module(f"flows.cli.{name}") for name in names]
    found = [v for module in modules for v in vars(module).values() if isinstance(v, Listing)]
    return {listing.command: listing for listing in found}


def test_every_listing_is_documented() -> None:
    """docs/command-line.md has a row for each command that prints a table, with its keys."""
    documented = {
        command: re.findall(r"`(\w+)`", keys)
        for command, keys in re.findall(
            r"^\| `encounter ([a-z -]+) --json` \| (.*) \|$", PAGE, re.M
        )
    }
    tables = listings()
    assert len(tables) >= 9
    for command, listing in tables.items():
        keys = [column.key for column in listing.columns]
        if command == "audit show":  # entries as they are stored
            continue
        assert set(keys) <= set(documented[command]), command
    for command in documented:
        assert "--json" in CliRunner().invoke(app, [*command.split(), "--help"]).output, command


@pytest.mark.parametrize("command", [["models", "list"], ["status"]])
def test_json_alone_is_on_standard_output(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program can read it, whatever else there is to say."""
    from flows.runtime.environment import environment

    monkeypatch.setenv("ENCOUNTER_HOME", str(tmp_path))
    environment.cache_clear()
    result = CliRunner().invoke(app, [*command, "--json"])
    assert result.exit_code == 0, result.output
    json.loads(result.stdout)


def test_values_of_json() -> None:
    """Times are UTC with Z; what is not a number is null."""
    from datetime import datetime

    given = [datetime.fromisoformat("2026-11-16T09:00:00+09:00"), float("nan"), (1, "[/x]"), None]
    assert json_value(given) == ["2026-11-16T00:00:00Z", None, [1, "[/x]"], None]


def test_version_and_short_help() -> None:
    """`--version` says which; `-h` is `--help`, at every depth."""
    runner = CliRunner()
    assert runner.invoke(app, ["--version"]).output == f"encounter {version('encounter')}\n"
    for words in ([], ["case"], ["case", "show"], ["up"]):
        long = runner.invoke(app, [*words, "--help"])
        assert long.exit_code == 0
        assert runner.invoke(app, [*words, "-h"]).output == long.output


def test_every_part_loads() -> None:
    """Each command of the help is there when it is asked for."""
    for name in PARTS:
        result = CliRunner().invoke(app, [name, "--help"])
        assert result.exit_code == 0, f"{name}: {result.output}{result.exception!r}"


@pytest.mark.parametrize(
    ("typed", "offered"), [("encounter ca", {"case", "camera"}), ("encounter case sh", {"show"})]
)
def test_a_shell_completes(typed: str, offered: set[str]) -> None:
    """As bash asks for it: names of commands, also below a part that is not imported yet."""
    words = typed.split()
    asked = {
        "_ENCOUNTER_COMPLETE": "complete_bash",
        "COMP_WORDS": typed,
        "COMP_CWORD": str(len(words) - 1),
    }
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli.main"],
        env={**os.environ, **asked},
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert set(done.stdout.split()) == offered, done.stderr


@pytest.mark.parametrize("number", ["1_0", "１０", "nan", "inf", "0x1"])
def test_numbers_are_plain_digits(number: str) -> None:
    """What Python alone takes for a number is refused, for every option that is one."""
    for words in (
        ["camera", "check", "--cameras", "x", "--person-height", number],
        ["audit", "show", "--last", number],
    ):
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 2
        assert "plain digits" in " ".join(result.output.split()).replace("│ ", "")
