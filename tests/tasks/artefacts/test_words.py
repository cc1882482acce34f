"""Local times as a person reads them: over days, and in the night in which the clock is changed."""

import csv
import io
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from demo_report import persons, report_data

from data_contracts.camera import Camera, Origin, Site
from data_contracts.policies import load_policy
from data_contracts.tables.contracts import GAPS, TRAJECTORY
from tasks.artefacts.formats import godata_csv
from tasks.artefacts.report import render_report
from tasks.artefacts.report.timeline import draw_timelines
from tasks.artefacts.report.words import Clock
from tasks.exposure.assess import assess
from tasks.exposure.meet import meet


def site(zone):
    """A site with one camera in a zone."""
    camera = Camera(camera_id="a", image_width=640, image_height=480, time_zone=zone)
    return Site(cameras=(camera,), origin=Origin(lon=0, lat=0))


def utc(day, hour, minute=0):
    """A time in October 2026; clocks in Berlin go back on the 25th, 01:00 UTC."""
    return datetime(2026, 10, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        (utc(20, 8), utc(20, 9), ("10:00:00", "11:00:00")),
        (utc(20, 8), utc(22, 9), ("10:00:00", "2026-10-22 11:00:00")),
        (utc(24, 21), utc(24, 23), ("23:00:00", "2026-10-25 01:00:00")),
        # The hour from 02:00 comes twice; the clock goes back between the two.
        (utc(25, 0, 30), utc(25, 1, 30), ("02:30:00 +02:00", "02:30:00 +01:00")),
        (utc(25, 0, 10), utc(25, 0, 30), ("02:10:00 +02:00", "02:30:00 +02:00")),
        (utc(25, 1, 10), utc(25, 1, 30), ("02:10:00 +01:00", "02:30:00 +01:00")),
        (utc(24, 23, 30), utc(25, 3), ("01:30:00 +02:00", "04:00:00 +01:00")),
    ],
)
def test_spans(start, end, words):
    """The date where the day is another; the offset where the time alone is ambiguous."""
    assert Clock(site("Europe/Berlin")).span(start, end) == words


def test_a_moment_of_another_day():
    """As `case show` says it: with the offset, and the date where it is not today."""
    clock = Clock(site("Asia/Seoul"))
    began = utc(20, 3, 53)
    assert clock.moment(began, began + timedelta(hours=2)) == "12:53 +09:00"
    assert clock.moment(began, began + timedelta(days=1)) == "2026-10-20 12:53 +09:00"
    assert Clock(site("UTC")).moment(began, began) == "03:53 +00:00"


@pytest.mark.parametrize("zone", ["Asia", "Asia/Seul"])
def test_a_zone_that_is_not_one_stops_no_report(zone):
    """A camera file from before publishing checked it: the report says UTC and is written."""
    clock = Clock(site(zone))
    assert clock.is_utc
    assert clock.full(utc(20, 8)) == "2026-10-20 08:00:00 UTC"


def test_a_gap_over_two_days_in_the_report():
    """49 hours do not read as one."""
    data = report_data()
    gap = {"kind": "no_footage", "camera_id": "lobby-a", "detail": "x", "advice": "y"}
    gap |= {"start_utc": utc(20, 1), "end_utc": utc(22, 2)}
    page = render_report(replace(data, gaps=GAPS.shape([gap])))
    text = re.sub(r"<[^>]+>", "", page)
    assert "10:00:00 – 2026-10-22 11:00:00" in text
    assert "01:00:00 – 2026-10-22 02:00:00 UTC" in text


def test_while_seen_in_the_night_of_a_change():
    """The heading of a closer look says which of the two hours."""
    data = report_data()
    night = utc(25, 0, 30) - data.sightings["start_utc"].min()
    moved = data.sightings.assign(
        start_utc=data.sightings["start_utc"] + night, end_utc=data.sightings["end_utc"] + night
    )
    none = data.gaps.iloc[:0]
    drawn = draw_timelines(
        data.request, data.windows, moved, none, none, Clock(site("Europe/Berlin"))
    )
    assert re.fullmatch(
        r"While seen: 2026-10-25, 02:\d\d:\d\d \+02:00 to 02:\d\d:\d\d \+02:00", drawn[-1].heading
    )


def test_the_day_of_a_contact_is_the_sites():
    """Half past midnight in Seoul is the day before in UTC: Go.Data gets the site's day."""
    everybody = persons()
    late = utc(19, 15, 30) - everybody["t_utc"].min()
    everybody = everybody.assign(t_utc=everybody["t_utc"] + late)
    own = TRAJECTORY.shape(everybody[everybody["person_id"] == "S"].assign(probability=0.97))
    points, met = meet(own, everybody[everybody["person_id"] != "S"], set())
    found = assess(points, met, load_policy("demo-short"), np.random.default_rng(1))
    rows = list(csv.DictReader(io.StringIO(godata_csv(found, "K-1", site("Asia/Seoul")).decode())))
    assert {row["date_of_last_contact"] for row in rows} == {"2026-10-20"}
    rows = list(csv.DictReader(io.StringIO(godata_csv(found, "K-1", site("UTC")).decode())))
    assert {row["date_of_last_contact"] for row in rows} == {"2026-10-19"}
