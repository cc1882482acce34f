"""The itinerary's CSV: good rows as they are, bad rows with their number and column."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from data_contracts.errors import BadInput
from tasks.search.itinerary import read_itinerary

HEAD = "place,from,to,tolerance_min\n"
ROW = "lobby,2026-11-16T09:00:00+09:00,2026-11-16T09:10:00+09:00,5\n"


def test_demo():
    """The demo's itinerary: two visits, a quoted comma, local times as UTC, minutes as seconds."""
    text = (Path(__file__).parents[3] / "demo" / "itinerary.csv").read_text(encoding="utf-8")
    first, second = read_itinerary(text, "itinerary.csv")
    assert first.place == "lobby of the city service centre"
    assert first.from_utc == datetime(2026, 11, 16, 0, 0, 9, tzinfo=UTC)
    assert first.to_utc == datetime(2026, 11, 16, 0, 2, 32, tzinfo=UTC)
    assert (first.tolerance_s, second.tolerance_s) == (300, 600)
    assert second.place == "corridor, back exit"


def test_optional_columns():
    """Source, cameras and a free column; a byte order mark and blank lines do no harm."""
    text = (
        "\ufeffplace,from,to,tolerance_min,source,cameras,note\n"
        + ROW.strip()
        + ",phone,a; b,x\n\n"
    )
    (visit,) = read_itinerary(text, "x.csv")
    assert (visit.source, visit.cameras) == ("phone", ("a", "b"))


def test_subject_column_selects():
    """Rows of other people are left out; several people without a choice is an error."""
    text = "subject,place,from,to,tolerance_min\nS1," + ROW + "S2," + ROW.replace("lobby", "hall")
    assert [v.place for v in read_itinerary(text, "x.csv", "S2")] == ["hall"]
    with pytest.raises(BadInput, match="2 people"):
        read_itinerary(text, "x.csv")
    with pytest.raises(BadInput, match="no row"):
        read_itinerary(text, "x.csv", "S3")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "row 1 lacks"),
        (HEAD, "at least one visit"),
        ("place,from,to\nlobby,a,b\n", "row 1 lacks the column tolerance_min"),
        ("place,from,to,tolerance_min,camera\n" + ROW, "camera'; is it cameras"),
        (
            HEAD + ROW + ROW.replace("+09:00", "", 1),
            "row 3, column from: expected an ISO 8601 time with an offset",
        ),
        (HEAD + ROW.replace("T09:10", "T08:10"), "row 2, column to: .*end after it starts"),
        (
            HEAD + ROW.replace(",5", ",five"),
            "row 2, column tolerance_min: expected minutes, got 'five'",
        ),
        (HEAD + ROW.replace(",5", ",-5"), "row 2, column tolerance_min"),
        (HEAD + ROW.replace(",5", ",1_0"), "row 2, column tolerance_min: expected minutes"),
        (HEAD + ROW.replace(",5", ",１０"), "row 2, column tolerance_min: expected minutes"),
        (HEAD + "\n" + ROW + "\n\n" + ROW.replace(",5", ",x"), "row 6, column tolerance_min"),
        (HEAD + ",,,\n \n" + ROW.replace(",5", ",x"), "row 4, column tolerance_min"),
        (HEAD + ROW + "\n" + "lobby\n", "row 4 has more or fewer cells"),
        (HEAD + ROW.replace(",5", ",nan"), "row 2, column tolerance_min"),
        (HEAD + ROW.replace("lobby", " "), "row 2, column place"),
        (HEAD + ROW.replace("lobby", "corridor, back exit"), "row 2 has more or fewer cells"),
        (HEAD + "lobby,2026-11-16T09:00:00+09:00\n", "row 2 has more or fewer cells"),
        (HEAD + '"lobby,' + ROW, "is not CSV"),
    ],
)
def test_bad_rows(text, says):
    """Each fault names the file, the row and the column, and what was expected."""
    with pytest.raises(BadInput, match=says) as error:
        read_itinerary(text, "visits.csv")
    assert str(error.value).startswith("visits.csv: ")
