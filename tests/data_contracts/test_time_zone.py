"""Names of time zones: refused where the camera file is published, with the nearest that are."""

import json
from pathlib import Path

import pytest

from data_contracts.time_zone import find_zone, zone_fault
from flows.cli.main import main

DEMO = Path(__file__).parents[2] / "demo"


@pytest.mark.parametrize("name", ["UTC", "Asia/Seoul", "Europe/Berlin", "America/New_York"])
def test_zones(name):
    """A zone is one."""
    assert zone_fault(name) == ""
    assert find_zone(name) is not None


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("Asia", "Asia/Aden"),
        ("Asia/Seul", "Asia/Seoul"),
        ("Seoul", "Asia/Seoul"),
        ("europe/berlin", "Europe/Berlin"),
        ("../../etc/passwd", ""),
        ("", ""),
    ],
)
def test_no_zones(name, near):
    """A folder of zones, a misspelt one, a town alone: none is a zone, each is told the nearest."""
    assert near in zone_fault(name)
    assert "is not the name of a zone" in zone_fault(name)


@pytest.mark.parametrize("zone", ["Asia", "Asia/Seul"])
def test_publishing_refuses(zone, tmp_path, monkeypatch, capsys):
    """`encounter site publish` names the camera and the field before it asks the store."""
    given = json.loads((DEMO / "cameras.geojson").read_text())
    given["features"][1]["properties"]["time_zone"] = zone
    path = tmp_path / "cameras.geojson"
    path.write_text(json.dumps(given))
    monkeypatch.setenv("ENCOUNTER_HOME", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["encounter", "site", "publish", str(path)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    error = capsys.readouterr().err
    assert f"camera lobby-b: time_zone '{zone}' is not the name of a zone" in error
    assert "did you mean Asia/" in error
