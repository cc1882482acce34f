"""The clock in the picture: texts of many recorders, and what it says of the files' times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.errors import BadInput
from tasks.calibration.burnt_in_clock import Line, burnt_in_clock, parse_time

SEOUL = ZoneInfo("Asia/Seoul")
T0 = datetime(2026, 11, 16, 0, 0, 30, tzinfo=UTC)
BLANK = np.zeros((100, 200, 3), np.uint8)


class Drawn:
    """Reads what a clock that is `ahead_s` ahead shows, picture after picture."""

    def __init__(self, ahead_s: float, form: str, speed: float = 1.0, zone: object = SEOUL) -> None:
        self.ahead_s = ahead_s
        self.form = form
        self.speed = speed
        self.zone = zone
        self.stamps: list[datetime] = []

    def pictures(self, count: int = 20):
        """Pictures 0.6 s apart."""
        for k in range(count):
            self.stamps.append(T0 + timedelta(seconds=0.6 * k))
            yield self.stamps[-1], BLANK

    def lines(self, image: np.ndarray) -> list[Line]:
        """The text at the upper edge, beside another one."""
        return [Line("CAM 01", (0, 0, 40, 10)), Line(self.line(image), (50, 0, 150, 10))]

    def line(self, image: np.ndarray) -> str:
        """What it shows now."""
        gone = (self.stamps[-1] - T0) * self.speed
        at = T0 + gone + timedelta(seconds=self.ahead_s)
        return at.astimezone(self.zone).strftime(self.form)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2026-11-16 09:00:30", "09:00:30"),
        ("2026-11-1609:00:30", "09:00:30"),
        ("16/11/2026 Mon 09:00:30", "09:00:30"),
        ("11-16-2026 09:00:30 PM", "21:00:30"),
        ("16-11-26 12:00:30 am", "00:00:30"),
        ("2026年11月16日 星期一 09:00:30", "09:00:30"),
        ("2026/11/16 오후 9:00:30", "21:00:30"),
        ("Camera 01 09:00:30.5", "09:00:30.500000"),
        ("IPC 2O26.11.16 09.00.3O", "09:00:30"),
    ],
)
def test_times_are_read_as_recorders_write_them(text: str, shown: str) -> None:
    """On the day that is meant, whichever comes first, day or month."""
    read = parse_time(text, T0)
    assert read is not None
    assert read.shown.isoformat() == f"2026-11-16T{shown}"


@pytest.mark.parametrize("text", ["", "LOBBY-A", "99:88:77", "2026-11-16", "13:00:00 PM", "10:20"])
def test_what_is_no_time_is_not_read(text: str) -> None:
    """Names, dates alone, times that no clock shows, and clocks without seconds."""
    assert parse_time(text, T0) is None


@given(st.text(max_size=60))
def test_any_text_is_a_time_or_nothing(text: str) -> None:
    """Whatever is read, nothing breaks."""
    read = parse_time(text, T0)
    assert read is None or abs((read.shown - T0.replace(tzinfo=None)).days) < 366 * 9999


@pytest.mark.parametrize("ahead_s", [0.0, 1.3, -2.75, 86_400.0 * 3 + 0.5])
@pytest.mark.parametrize("form", ["%Y-%m-%d %H:%M:%S", "%d/%m/%Y %H:%M:%S.%f"])
def test_fractions_of_a_second_are_told_by_its_steps(ahead_s: float, form: str) -> None:
    """A clock that shows whole seconds: the difference lies within three stated deviations."""
    drawn = Drawn(ahead_s, form)
    found = burnt_in_clock(drawn.pictures(), SEOUL, drawn)
    assert abs(found.ahead_s - ahead_s) <= 3 * found.sd_s
    assert found.sd_s < 0.15
    assert (found.zone, found.pictures) == ("Asia/Seoul", 20)


def test_a_clock_of_utc_is_not_nine_hours_behind() -> None:
    """Whichever zone makes the smaller difference."""
    drawn = Drawn(0.4, "%Y-%m-%d %H:%M:%S", zone=UTC)
    found = burnt_in_clock(drawn.pictures(), SEOUL, drawn)
    assert found.zone == "UTC"
    assert abs(found.ahead_s - 0.4) < 0.3


def test_a_clock_that_does_not_go_on_as_the_stamps_do_says_nothing() -> None:
    """Half speed: refused, with the cause."""
    drawn = Drawn(0.0, "%Y-%m-%d %H:%M:%S", speed=0.5)
    with pytest.raises(BadInput, match="another speed"):
        burnt_in_clock(drawn.pictures(), SEOUL, drawn)
    drawn = Drawn(0.0, "LOBBY")
    with pytest.raises(BadInput, match="read in 0 pictures"):
        burnt_in_clock(drawn.pictures(), SEOUL, drawn)
