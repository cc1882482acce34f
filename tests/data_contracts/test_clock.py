"""Clocks of cameras: one correction for each time, there and back."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from data_contracts.camera import read_site
from data_contracts.clock import ClockSpan, clock_sd_s, shown_between, true_time
from data_contracts.errors import BadInput

T0 = datetime(2026, 11, 16, 8, tzinfo=UTC)
DEMO = Path(__file__).parents[2] / "demo" / "cameras.geojson"


def at(seconds):
    """T0 plus seconds."""
    return T0 + timedelta(seconds=seconds)


SPANS = (
    ClockSpan(ahead_s=5.0, sd_s=0.5, from_utc=at(0), until_utc=at(100)),
    ClockSpan(ahead_s=-2.0, sd_s=0.1, from_utc=at(100)),
)


def test_each_span_holds_for_its_time():
    """The first that holds counts; outside of all the clock is right."""
    assert true_time(SPANS, at(50)) == at(45)
    assert true_time(SPANS, at(100)) == at(102)
    assert true_time(SPANS, at(-1)) == at(-1)
    assert clock_sd_s(SPANS, at(45)) == 0.5
    assert clock_sd_s(SPANS, at(300)) == 0.1
    assert clock_sd_s((), at(0)) == 0.0


@given(st.integers(-300, 300))
def test_what_is_shown_is_within_what_is_listed(seconds):
    """The true time of any stamp lies where its stamp is looked for."""
    true = true_time(SPANS, at(seconds))
    first, last = shown_between(SPANS, true, true)
    assert first <= at(seconds) <= last


def written(clock):
    """The demo's camera file with the first camera's clock."""
    data = json.loads(DEMO.read_text())
    data["features"][0]["properties"]["clock"] = clock
    return json.dumps(data)


def test_the_camera_file_says_it():
    """Spans of cameras.geojson, and by camera on the site."""
    site = read_site(written([{"ahead_s": 1.5, "sd_s": 0.2, "from_utc": "2026-11-16T08:00:00Z"}]))
    (span,) = site.cameras[0].clock
    assert span == ClockSpan(ahead_s=1.5, sd_s=0.2, from_utc=T0)
    assert set(site.clocks) == {site.cameras[0].camera_id}


@pytest.mark.parametrize(
    "clock", [[{"ahead_s": "1.5"}], [{"sd_s": 1}], [{"ahead_s": 1, "sd_s": -1}], [1], "fast"]
)
def test_a_wrong_clock_is_told(clock):
    """With the camera and what was expected."""
    with pytest.raises(BadInput, match="camera number 1"):
        read_site(written(clock))


def test_a_span_that_ends_before_it_begins():
    """It would hold for no time at all."""
    with pytest.raises(ValidationError, match="before"):
        ClockSpan(ahead_s=1, from_utc=at(1), until_utc=at(0))
