"""Windows to search, by seconds after 10:00."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from data_contracts.tables.contracts import WINDOWS

T0 = datetime(2026, 11, 16, 10, 0, tzinfo=UTC)


def at(seconds):
    """Seconds after 10:00."""
    return T0 + timedelta(seconds=seconds)


def windows(*spans, camera="a"):
    """Windows of one camera from (start, end) in seconds."""
    return WINDOWS.shape(
        [
            {
                "window_id": f"{camera}{i}",
                "camera_id": camera,
                "start_utc": at(s),
                "end_utc": at(e),
                "reason": "r",
                "anchor": "x",
                "round": 0,
            }
            for i, (s, e) in enumerate(spans)
        ]
    )
