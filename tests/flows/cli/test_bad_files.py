"""Whatever file a person gives to a command by mistake, the answer is one line that says what was
expected.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from flows.cli import keys
from flows.cli.main import main

DEMO = Path(__file__).parents[3] / "demo"
TIME = "2026-11-16T09:00:00+09:00"

# What people give by mistake: nothing, a picture, another kind of JSON, a text.
CONTENTS = {
    "empty": b"",
    "no UTF-8": b"\xff\xfe\x00\x80",
    "a text": b"place;from;to\nlobby;yesterday;today\n",
    "a list": b"[1, 2]",
    "a number": b"1",
    "null": b"null",
    "another record": b'{"keys": {"a": 1}, "features": {"b": 2}, "crv": 3}',
    "nested": b"[" * 100_000,
    "endless": b'{"keys": ["' + b"A" * 100_000 + b'"]}',
}
# Each with where the bad file stands; none of them reaches a server before it has read the file.
COMMANDS: dict[str, Callable[[Path, Path], list[str]]] = {
    "keys publish": lambda bad, _: ["keys", "publish", str(bad)],
    "site publish": lambda bad, _: ["site", "publish", str(bad)],
    "consent sign": lambda bad, out: _sign("consent", bad, out),
    "approval sign": lambda bad, out: _sign("approval", bad, out),
    "case file, itinerary": lambda bad, out: _file(itinerary=bad, consent=out, approval=out),
    "case file, "
    "consent": lambda bad, out: _file(itinerary=DEMO / "itinerary.csv", consent=bad, approval=bad),
    "camera check": lambda bad, _: ["camera", "check", "--cameras", str(bad)],
    "camera calibrate, "
    "points": lambda bad, out: _calibrate(bad, DEMO / "reference" / "frontal.jpg", out),
    "camera calibrate, image": lambda bad, out: _calibrate(DEMO / "itinerary.csv", bad, out),
    "receipt verify": lambda bad, _: ["receipt", "verify", str(bad), "--key", str(bad)],
    "audit verify, "
    "key": lambda bad, out: ["audit", "verify", "--folder", str(out), "--checkpoint-key", str(bad)],
    "ingest": lambda bad, _: ["ingest", str(bad.parent)],
}  # fmt: skip


def _sign(role: str, key: Path, out: Path) -> list[str]:
    words = [
        role,
        "sign",
        "--case",
        "K-2026-0042",
        "--subject",
        "P-17",
        "--key",
        str(key),
        "--out",
        str(out / "t.jws"),
    ]
    return [
        *words,
        "--scope",
        "face",
        "--camera",
        "*",
        "--from",
        TIME,
        "--to",
        TIME,
        "--legal-basis",
        "GDPR 9(2)(a)",
        "--itinerary",
        str(DEMO / "itinerary.csv"),
        "--reference",
        str(DEMO / "reference"),
        "--onset",
        TIME,
    ]


def _calibrate(points: Path, image: Path, out: Path) -> list[str]:
    words = [
        "camera",
        "calibrate",
        "--points",
        str(points),
        "--camera",
        "lobby-a",
        "--image",
        str(image),
    ]
    words += ["--cameras", str(DEMO / "cameras.geojson"), "--out", str(out / "c.geojson")]
    return [*words, "--picture", str(out / "c.png")]


def _file(itinerary: Path, consent: Path, approval: Path) -> list[str]:
    words = [
        "case",
        "file",
        "K-2026-0042",
        "--subject",
        "P-17",
        "--itinerary",
        str(itinerary),
        "--onset",
        TIME,
    ]
    return [
        *words,
        "--reference",
        str(DEMO / "reference"),
        "--consent",
        str(consent),
        "--approval",
        str(approval),
    ]


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_wrong_file_gets_one_line(
    command: str,
    content: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit status 1 and one short error that is not "unexpected": nobody meets a traceback for a
    wrong file.
    """
    monkeypatch.setenv("ENCOUNTER_HOME", str(tmp_path / "home"))
    bad = tmp_path / "given.json"
    out = tmp_path / "out"
    out.mkdir()
    bad.write_bytes(CONTENTS[content])
    monkeypatch.setattr("sys.argv", ["encounter", *COMMANDS[command](bad, out)])
    with pytest.raises(SystemExit) as ended:
        main()
    told = capsys.readouterr().err.strip()
    assert ended.value.code == 1, told
    assert told.startswith("error:"), told
    assert "unexpected" not in told, told
    assert len(told) < 2500, told


def test_a_fault_of_the_program_is_a_line_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """An error that nobody foresaw says where it happened, and not with which values."""

    def broken(path: Path) -> object:
        raise ZeroDivisionError("Mrs Kim, 3rd floor")

    monkeypatch.setattr(keys, "read_json", broken)
    monkeypatch.setattr("sys.argv", ["encounter", "keys", "publish", str(tmp_path / "x.json")])
    with pytest.raises(SystemExit) as ended:
        main()
    told = capsys.readouterr().err
    assert ended.value.code == 70
    assert "unexpected ZeroDivisionError at test_bad_files.py" in told
    assert "Kim" not in told


def test_a_single_public_key_is_checked_like_a_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A private key handed over as the public one is refused, alone as well as in a list."""
    monkeypatch.setattr(
        "sys.argv",
        [
            "encounter",
            "keys",
            "new",
            "officer-7",
            "--role",
            "consent",
            "--out",
            str(tmp_path / "o.jwk"),
        ],
    )
    with pytest.raises(SystemExit):
        main()
    entry = json.loads((tmp_path / "o.pub.json").read_text())
    private = json.loads((tmp_path / "o.jwk").read_text())
    given = tmp_path / "given.json"
    for changed, reason in (
        ({**entry, "public_jwk": {**entry["public_jwk"], "d": private["d"]}}, "private key"),
        ({**entry, "key_id": "A" * 43}, "thumbprint"),
    ):
        given.write_text(json.dumps(changed))
        monkeypatch.setattr("sys.argv", ["encounter", "keys", "publish", str(given)])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 1
        assert reason in " ".join(capsys.readouterr().err.split())
