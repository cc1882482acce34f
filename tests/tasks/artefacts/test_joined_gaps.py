"""Gaps of one kind at one time are one row, over cameras and stretches; nothing is lost."""

from __future__ import annotations

from typing import Any

from demo_report import at

from data_contracts.tables.contracts import GAPS
from tasks.artefacts.joined_gaps import joined_gaps


def gap(camera: str, start: float, end: float, kind: str = "no_footage", **more: Any) -> dict:
    """A row of GAPS."""
    row = {"kind": kind, "camera_id": camera, "start_utc": at(start), "end_utc": at(end)}
    return row | {"detail": "no segment", "advice": "ask"} | more


def test_joined_over_cameras_and_stretches() -> None:
    """Two cameras and stretches within a minute are one; later ones, and other kinds, are not."""
    rows = [
        gap("a", 0, 60),
        gap("b", 30, 90),
        gap("a", 120, 180, detail="lost"),
        gap("a", 1000, 1060),
        gap("", 30, 40, "not_covered", advice=""),
        gap("c", 50, 50, "unreadable"),
    ]
    found = joined_gaps(GAPS.shape(rows))
    told = [(g.kind, g.cameras, g.stretches, round(g.missed_s)) for g in found]
    assert told == [
        ("no_footage", ("a", "b"), 3, 180),
        ("not_covered", (), 1, 10),
        ("unreadable", ("c",), 1, 0),
        ("no_footage", ("a",), 1, 60),
    ]
    assert sum(g.stretches for g in found) == len(rows)
    assert found[0].why == ("no segment", "lost")
    assert found[1].advice == ()


def test_none() -> None:
    """No gaps, no rows."""
    assert joined_gaps(GAPS.empty()) == []
