"""What operators see holds counts and kinds of gaps, and nothing that tells where somebody was."""

from datetime import UTC, datetime, timedelta

from data_contracts.tables.contracts import GAPS
from tasks.artefacts.operator_summary import summary_markdown

T0 = datetime(2026, 11, 16, 9, 41, 7, tzinfo=UTC)


def gap(camera: str, minutes: float) -> dict:
    """A gap of some length."""
    row = {
        "kind": "no_footage",
        "camera_id": camera,
        "start_utc": T0,
        "end_utc": T0 + timedelta(minutes=minutes),
    }
    return row | {"detail": "at the pharmacy", "advice": "ask the guard"}


def test_counts_and_gaps_by_kind() -> None:
    """Counts by stage, gaps by kind with number and minutes, and the link."""
    text = summary_markdown(
        {"segments scanned": 1234, "contacts": 2},
        GAPS.shape([gap("a", 1), gap("b", 2.5)]),
        "http://r",
    )
    assert "| segments scanned | 1,234 |" in text
    assert "| no footage | 2 | 3.5 |" in text
    assert "(http://r)" in text


def test_nothing_identifying() -> None:
    """No picture, camera, time or detail of a gap is in it."""
    text = summary_markdown({"contacts": 2}, GAPS.shape([gap("pharmacy-3", 1)]), "http://r")
    for secret in ("![", "<img", "data:", "pharmacy", "09:41", "2026-11-16", "guard"):
        assert secret not in text


def test_no_gaps() -> None:
    """A run without gaps says so."""
    assert "Nothing that was planned was left out." in summary_markdown({}, GAPS.empty(), "x")
