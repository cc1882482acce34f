"""Local times of recorders become instants by the rules of their zone, or are asked about."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.errors import BadInput
from tasks.footage.local_time import instant, zone_of

ZONES = ("Asia/Seoul", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC", "+05:30")


def local(*numbers):
    """A time without a zone."""
    return datetime(*numbers)  # noqa: DTZ001


@given(
    st.sampled_from(ZONES),
    st.datetimes(datetime(1990, 1, 1), datetime(2037, 1, 1)),  # noqa: DTZ001
)
def test_an_instant_leads_back_to_its_local_time(name, at):
    """From UTC to local time and back: the same instant, or the question which of two."""
    zone = zone_of(name)
    given_utc = at.replace(tzinfo=UTC, microsecond=0)
    shown = given_utc.astimezone(zone)
    plain = shown.replace(tzinfo=None)
    first, second = (instant(plain, zone, which) for which in ("first", "second"))
    assert given_utc in (first, second)
    if first == second:
        assert instant(plain, zone) == given_utc
        return
    assert timedelta(0) < second - first <= timedelta(hours=1)
    with pytest.raises(BadInput, match="comes twice"):
        instant(plain, zone)


def test_the_repeated_hour_is_asked():
    """In Berlin clocks go back on 2026-10-25 at 03:00."""
    berlin = zone_of("Europe/Berlin")
    assert instant(local(2026, 10, 25, 1, 59, 59), berlin) == datetime(
        2026, 10, 24, 23, 59, 59, tzinfo=UTC
    )
    with pytest.raises(BadInput, match=r"\+02:00 and at \+01:00.*--repeated-hour"):
        instant(local(2026, 10, 25, 2, 30), berlin)
    assert instant(local(2026, 10, 25, 2, 30), berlin, "second").hour == 1


@pytest.mark.parametrize("repeated", ["", "first", "second"])
def test_the_hour_that_does_not_exist_is_asked(repeated):
    """It is the mark of a recorder that keeps winter time: the offset to say is told."""
    with pytest.raises(BadInput, match=r"does not exist.*--zone \+01:00"):
        instant(local(2026, 3, 29, 2, 30), zone_of("Europe/Berlin"), repeated)


@pytest.mark.parametrize("name", ["Asia/Soul", "+25:00", "9", ""])
def test_a_wrong_zone_is_told(name):
    """Neither a zone nor an offset."""
    with pytest.raises(BadInput, match=r"offset such as \+09:00"):
        zone_of(name)
