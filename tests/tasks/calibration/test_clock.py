"""Clocks of overlapping cameras, from people who walk through both views."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.camera import Camera, Origin, Site
from data_contracts.clock import ClockSpan
from data_contracts.tables.contracts import GAPS, TRACKS
from tasks.calibration.clock import clock_differences, clock_gaps

T0 = pd.Timestamp("2026-11-16T08:00:00Z")
FLOOR = ((0.0, 0.0), (10.0, 0.0), (10.0, 6.0), (0.0, 6.0))


def camera(name, **more):
    """A camera that sees the whole floor."""
    size = {"image_width": 640, "image_height": 480}
    return Camera(camera_id=name, coverage_local_m=FLOOR, **size, **more)


def site(**clocks):
    """Two cameras that overlap."""
    cameras = (camera("a"), camera("b", **clocks))
    return Site(cameras=cameras, origin=Origin(lon=0, lat=0))


def walkers(ahead_s, people, seed, *, noise_m=0.12, bias_m=0.15, stand=False):
    """TRACKS of people who cross the floor this way and that, seen by both cameras at 5 Hz; b's
    clock is ahead, and its calibration is off by a constant.
    """
    random = np.random.default_rng(seed)
    bias = random.normal(0, bias_m, 2)
    rows = []
    for number in range(people):
        start_s = number * 4.0 + random.uniform(0, 2)
        way = random.uniform([0, 0], [10, 6], (2, 2)) if number % 2 else [[0, 3], [10, 3]]
        here, there = np.array(way[:: random.choice((-1, 1))], float)
        lasts_s = max(float(np.hypot(*(there - here))) / 1.3, 3.0)
        for name, late_s, off in (("a", 0.0, np.zeros(2)), ("b", ahead_s, bias)):
            shown = np.arange(np.ceil((start_s + late_s) * 5), (start_s + late_s + lasts_s) * 5) / 5
            share = np.zeros(len(shown)) if stand else (shown - late_s - start_s) / lasts_s
            place = here + share[:, None] * (there - here) + off
            place += random.normal(0, noise_m, place.shape)
            rows += [
                {
                    **dict.fromkeys(TRACKS.names, 0.0),
                    **{"camera_id": name, "track_id": number, "foot_hidden": False},
                    **{"t_utc": T0 + pd.Timedelta(seconds=t), "x_m": x, "y_m": y},
                }
                for t, (x, y) in zip(shown, place, strict=True)
            ]
    return pd.DataFrame(rows)


@settings(max_examples=15, deadline=None)
@given(st.floats(-3, 3), st.integers(4, 12), st.integers(0, 10**6))
def test_the_difference_is_found_within_its_deviation(ahead_s, people, seed):
    """Whatever it is, up to three seconds: within four deviations, which are below 0.3 s."""
    found = clock_differences(walkers(ahead_s, people, seed), site())
    for one in found:
        assert (one.camera_id, one.other) == ("b", "a")
        assert abs(one.ahead_s - ahead_s) < 4 * one.sd_s + 0.02
        assert one.sd_s < 0.3
    assert found or people < 6


def test_right_clocks_are_not_told():
    """No row where the difference is none."""
    assert len(clock_gaps(clock_differences(walkers(0.0, 12, 1), site()), site())) == 0


def test_a_wrong_clock_is_told_with_what_to_do():
    """One second: a row with the amount and the command, which counts in what was said before."""
    gaps = clock_gaps(clock_differences(walkers(1.0, 12, 2), site()), site())
    assert list(gaps.columns) == GAPS.names
    assert list(gaps["kind"]) == ["doubtful_time"]
    assert list(gaps["camera_id"]) == ["b"]
    assert "1.0 s ahead of that of a" in gaps["detail"][0]
    assert "encounter camera clock --camera b --ahead 1.0" in gaps["advice"][0]
    said = site(clock=(ClockSpan(ahead_s=2.0),))
    again = clock_gaps(clock_differences(walkers(1.0, 12, 2), said), said)
    assert "--ahead 3.0" in again["advice"][0]


@pytest.mark.parametrize(
    "tracks", [walkers(1.0, 12, 3, stand=True), walkers(1.0, 1, 3), walkers(1.0, 12, 3).iloc[:0]]
)
def test_nothing_is_said_of_too_little(tracks):
    """Who stands says nothing of time; one person is too few; no tracks."""
    assert [one for one in clock_differences(tracks, site()) if one.is_sure] == []
