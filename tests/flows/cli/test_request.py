"""What people give when they file a case: folders and tables as other systems write them."""

from pathlib import Path

import pytest

from data_contracts.errors import BadInput
from flows.cli.console import read_text
from flows.cli.request import read_references
from tasks.search.itinerary import read_itinerary

VISIT = "place,from,to,tolerance_min,cameras\n약국,2026-11-16T09:00+09:00,2026-11-16T09:30+09:00,5,"


def test_pictures_of_another_kind_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """HEIC beside JPEG is named; what macOS keeps beside a file is left out without a word."""
    for name in ("frontal.jpg", "side.heic", "._frontal.jpg", ".DS_Store"):
        (tmp_path / name).write_bytes(b"x")
    assert list(read_references([tmp_path])) == ["frontal.jpg"]
    said = capsys.readouterr()
    assert "side.heic" in said.err
    assert "._frontal" not in said.out + said.err


@pytest.mark.parametrize(("name", "says"), [("missing", "does not exist"), ("empty", "is empty")])
def test_a_folder_without_pictures_says_why(tmp_path: Path, name: str, says: str) -> None:
    """A folder that does not exist is not an empty one."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match=says):
        read_references([tmp_path / name])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_an_itinerary_in_unicode_is_read(tmp_path: Path, encoding: str) -> None:
    """UTF-8 and, as spreadsheets write it, UTF-16 with its mark."""
    path = tmp_path / "itinerary.csv"
    path.write_bytes((VISIT + "a;b\n").encode(encoding))
    (visit,) = read_itinerary(read_text(path))
    assert (visit.place, visit.cameras) == ("약국", ("a", "b"))


def test_an_itinerary_in_another_encoding_names_the_cause(tmp_path: Path) -> None:
    """CP949 is not guessed at: another guess would read other places."""
    path = tmp_path / "itinerary.csv"
    path.write_bytes((VISIT + "\n").encode("cp949"))
    with pytest.raises(BadInput, match=r"another encoding .*CP949.* CSV UTF-8"):
        read_text(path)


@pytest.mark.parametrize("separator", [";", "\t"])
def test_an_itinerary_with_semicolons_or_tabs(separator: str) -> None:
    """As spreadsheets of some languages separate cells; several cameras are quoted then."""
    text = VISIT.replace(",", separator) + '"a;b"\n'
    (visit,) = read_itinerary(text)
    assert (visit.place, visit.tolerance_s, visit.cameras) == ("약국", 300.0, ("a", "b"))
