"""`encounter camera clock --read`: real footage with a clock in its picture."""

import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from data_contracts.errors import BadInput
from flows.cli.main import app

DEMO = Path(__file__).parents[3] / "demo"
SEGMENT = DEMO / "footage" / "lobby-b" / "2026-11-16" / "00" / "01.00.mp4"


def clock(path, *more):
    """The command on a recording of lobby-b."""
    words = ["camera", "clock", "--cameras", DEMO / "cameras.geojson", "--camera", "lobby-b"]
    result = CliRunner().invoke(app, [*map(str, (*words, "--read", path, *more))])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output


def test_a_file_that_is_named_late_is_told_with_what_corrects_it(tmp_path):
    """The picture shows one minute, the name 3 s more: the picture's clock is 3 s behind."""
    late = tmp_path / "lobby-b" / "2026-11-16" / "00" / "01.03.mp4"
    late.parent.mkdir(parents=True)
    shutil.copy(SEGMENT, late)
    told = clock(late)
    assert float(re.search(r"is (\d\.\d\d) s behind", told)[1]) == pytest.approx(3.0, abs=0.1)
    assert float(re.search(r"--ahead (\S+)", told)[1]) == pytest.approx(3.0, abs=0.1)


def test_what_cannot_be_read_is_said(tmp_path):
    """No name that says when, no such file."""
    shutil.copy(SEGMENT, tmp_path / "x.mp4")
    with pytest.raises(BadInput, match="--begins"):
        clock(tmp_path / "x.mp4")
    with pytest.raises(BadInput, match="No such file"):
        clock(tmp_path / "y.mp4", "--begins", "2026-11-16T00:00:00Z")
