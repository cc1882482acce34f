"""Text of users is printed as it is: no markup is read from it, whoever prints it and where."""

from __future__ import annotations

import ast
import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.cli.console import counted, fail, print_table, say, warn, working
from flows.cli.main import app, main

ROOT = Path(__file__).parents[3]
DEMO = ROOT / "demo"
# A list that looks like a tag, an end without a beginning, a style, an emoji's name.
TEXTS = ["[nan, 1.0]", "[/x]", "[bold]who[/bold]", ":warning:", "[link=https://e.org]a[/link]"]


@pytest.mark.parametrize("text", TEXTS)
def test_everything_that_prints(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Lines, labels, errors, tables, progress."""
    say(text, text)
    warn(text, text)
    fail(text)
    print_table([text, "b"], [[text, text]])
    with working(text) as tell:
        tell(text)
    assert list(counted([1], text)) == [1]
    printed = capsys.readouterr()
    assert printed.out.count(text) == 5
    assert printed.err.count(text) >= 3


def test_what_a_terminal_would_obey_is_written_out(capsys: pytest.CaptureFixture[str]) -> None:
    """Escape sequences, and the half characters of a file name that is not UTF-8."""
    say("a\x1b[31mb\udcffc\u202e")
    assert capsys.readouterr().out == "a\\x1b[31mb\\udcffc\\u202e\n"


def test_rich_is_imported_in_one_module() -> None:
    """Nobody else can print markup: rich is imported by the console of the command line alone."""
    found = set()
    rooms = [ROOT / room for room in ("flows", "tasks", "infra", "models")]
    for path in [path for room in rooms for path in room.rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            if any(name.split(".")[0] == "rich" for name in names):
                found.add(str(path.relative_to(ROOT)))
            assert (
                not isinstance(node, ast.keyword)
                or node.arg != "markup"
                or (isinstance(node.value, ast.Constant) and node.value.value is False)
            ), path
    assert found == {"flows/cli/console.py"}


def told(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    """Run a command as the program does; its exit status."""
    monkeypatch.setattr("sys.argv", ["encounter", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_an_error_names_what_came(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A file called [/x] and a position [nan, 1.0] stand in the message."""
    named = tmp_path / "[" / "x].geojson"
    assert told(monkeypatch, "camera", "check", "--cameras", named) == 1
    error = capsys.readouterr().err
    assert f"error: {named}: cannot be read" in error
    assert "Traceback" not in error
    shutil.copy(DEMO / "cameras.geojson", tmp_path / "[bold].geojson")
    words = ["camera", "check", "--cameras", tmp_path / "[bold].geojson", "--camera", "[/x]"]
    assert told(monkeypatch, *words) == 1
    assert f"{tmp_path}/[bold].geojson: no camera [/x]; it has" in capsys.readouterr().err


def test_options_and_commands_that_are_not_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the parser of the command line refuses is quoted as it came."""
    assert told(monkeypatch, "[/x]") == 2
    assert "[/x]" in capsys.readouterr().err
    assert told(monkeypatch, "case", "show", "K-1", "[bold]") == 2
    assert "[bold]" in capsys.readouterr().err


def test_cameras_with_brackets(tmp_path: Path) -> None:
    """A table or warning about a camera names it."""
    given = json.loads((DEMO / "cameras.geojson").read_text())
    feature = given["features"][0]
    feature["properties"] |= {"camera_id": "[x]", "homography_px_to_local": None}
    feature["properties"]["neighbours"] = []
    (tmp_path / "c.geojson").write_text(json.dumps({**given, "features": [feature]}))
    result = CliRunner().invoke(app, ["camera", "check", "--cameras", str(tmp_path / "c.geojson")])
    assert "warning: [x]: places no one" in result.output


@pytest.mark.stack
def test_footage_with_brackets_is_loaded(
    settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A folder and a camera whose names look like markup do not stop `ingest`."""
    from flows.runtime.environment import environment

    monkeypatch.setenv("ENCOUNTER_HOME", str(settings.home))
    environment.cache_clear()
    folder = tmp_path / "[" / "x]" / "[cam]" / "2026-11-16" / "00"
    folder.mkdir(parents=True)
    (folder / "00.00.mp4").write_bytes(b"\0\0\0\x18ftypisom")
    (folder / "[b].mp4").write_bytes(b"\0\0\0\x18ftypisom")
    assert told(monkeypatch, "ingest", tmp_path / "[" / "x]") == 0
    printed = capsys.readouterr()
    assert "1 segments loaded" in printed.out
    assert "[cam]/2026-11-16/00/[b].mp4" in printed.out
    environment.cache_clear()
