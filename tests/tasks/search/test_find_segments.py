"""Footage: which segments windows need, and exactly one clear row for each hole."""

from collections import namedtuple
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from data_contracts.camera import Camera, Origin, Site
from data_contracts.object_key import segment
from data_contracts.tables.contracts import GAPS, SEGMENT_REPORTS, SEGMENTS, WINDOWS
from tasks.search.find_segments import coverage_gaps, segments_for, uncalibrated_gaps

Info = namedtuple("Info", "key etag size")
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


def reports(*rows, camera="a"):
    """Reports from (segment's start, decoded until, fault) in seconds."""
    return SEGMENT_REPORTS.shape(
        [
            {
                "key": segment(camera, at(s)),
                "camera_id": camera,
                "start_utc": at(s),
                "end_utc": at(e),
                "n_frames": 1,
                "fault": fault,
            }
            for s, e, fault in rows
        ]
    )


class Store:
    """Lists keys below a prefix and remembers which prefixes were asked for."""

    def __init__(self, *keys):
        self.keys = keys
        self.asked = []

    def __call__(self, prefix):
        """Keys below the prefix."""
        self.asked.append(prefix)
        return [Info(k, f"e-{k}", 7) for k in self.keys if k.startswith(prefix)]


def rows(gaps):
    """Kind, start and end in seconds of each gap."""
    return [
        (g.kind, (g.start_utc - T0).total_seconds(), (g.end_utc - T0).total_seconds())
        for g in gaps.itertuples()
    ]


def found(table):
    """Start of each segment in seconds."""
    return [(t - T0).total_seconds() for t in table["start_utc"]]


@pytest.mark.parametrize(
    ("window", "starts"),
    [
        ((30, 60), [30]),  # exactly one segment: the end is exclusive
        ((29, 61), [0, 30, 60]),
        ((45, 46), [30]),
        ((-5, 0), [-30]),
        ((0, 1), [0]),
        ((-1, 1), [-30, 0]),
    ],
)
def test_only_overlapping_segments(window, starts):
    """Segments of 30 s from 09:58: a window takes those whose time it shares, across the hour
    too.
    """
    store = Store(*(segment("a", at(s)) for s in range(-120, 600, 30)))
    segments, gaps = segments_for(windows(window), store)
    assert found(segments) == starts
    assert len(gaps) == 0
    assert list(segments.columns) == SEGMENTS.names
    assert set(segments["size_bytes"]) == {7}


def test_lists_only_the_hours_needed():
    """A window inside an hour lists one hour; one that starts before the hour's first segment also
    the hour before.
    """
    keys = [segment("a", at(s)) for s in (-20, 10, 40)]
    store = Store(*keys)
    segments_for(windows((20, 30)), store)
    assert store.asked == ["a/2026-11-16/10/"]
    segments, _ = segments_for(windows((0, 5), (0, 8)), store)
    assert store.asked[1:] == ["a/2026-11-16/10/", "a/2026-11-16/09/"]
    assert found(segments) == [-20]


def test_previous_day():
    """The segment that runs over midnight belongs to the folder of the day before."""
    midnight = datetime(2026, 11, 17, tzinfo=UTC)
    store = Store(
        segment("a", midnight - timedelta(seconds=15)),
        segment("a", midnight + timedelta(seconds=15)),
    )
    offset = (midnight - T0).total_seconds()
    segments, _ = segments_for(windows((offset, offset + 5)), store)
    assert list(segments["key"]) == ["a/2026-11-16/23/59.45.mp4"]


def test_longest():
    """A segment is not taken to run on for ever: by default an hour, less where said."""
    store = Store(segment("a", at(0)))
    assert found(segments_for(windows((599, 600)), store)[0]) == [0]
    assert found(segments_for(windows((601, 602)), store, longest_s=600)[0]) == []


def test_two_windows_share_a_segment_once():
    """Overlapping windows and windows of two cameras: each segment once, by camera and time."""
    store = Store(*(segment(c, at(s)) for c in "ba" for s in (30, 0)))
    both = pd.concat([windows((0, 40), (20, 60)), windows((0, 10), camera="b")])
    segments, _ = segments_for(both, store)
    assert list(segments["key"]) == [segment("a", at(0)), segment("a", at(30)), segment("b", at(0))]


def test_strange_names_are_told():
    """An object with another name is not read and is told once."""
    store = Store(segment("a", at(0)), "a/2026-11-16/10/clip.mp4", "a/2026-11-16/10/61.00.mp4")
    segments, gaps = segments_for(windows((0, 20)), store)
    assert len(segments) == 1
    assert rows(gaps) == [("unreadable", 0, 3600)]
    assert "2 object(s)" in gaps["detail"][0]
    assert "clip.mp4" in gaps["detail"][0]


def test_no_windows():
    """Nothing to look at lists nothing."""
    store = Store(segment("a", at(0)))
    segments, gaps = segments_for(WINDOWS.empty(), store)
    assert len(segments) == len(gaps) == len(store.asked) == 0
    assert len(coverage_gaps(WINDOWS.empty(), SEGMENT_REPORTS.empty())) == 0


def test_missing_segment_is_one_row():
    """A segment missing under two overlapping windows is one row of its 30 s."""
    seen = reports((0, 30, ""), (60, 90, ""))
    assert rows(coverage_gaps(windows((0, 50), (40, 90)), seen)) == [("no_footage", 30, 60)]


def test_truncated_file_is_one_row_naming_its_segment():
    """A file that would not decode is one row of the time it should have filled, with its start in
    words.
    """
    gaps = coverage_gaps(
        windows((0, 50), (40, 90)), reports((0, 30, ""), (30, 30, "no moov atom"), (60, 90, ""))
    )
    assert rows(gaps) == [("unreadable", 30, 60)]
    assert "the segment of 10:00:30 UTC" in gaps["detail"][0]
    assert list(gaps.columns) == GAPS.names


def test_partly_decoded():
    """Only what was not decoded is a gap."""
    assert rows(
        coverage_gaps(windows((0, 90)), reports((0, 30, ""), (30, 41, "cut"), (60, 90, "")))
    ) == [("unreadable", 41, 60)]


def test_truncated_before_missing():
    """A missing segment behind an unreadable one is not put down to it."""
    seen = reports((0, 30, ""), (30, 60, ""), (60, 60, "cut"), (120, 150, ""))
    assert rows(coverage_gaps(windows((0, 150)), seen)) == [
        ("unreadable", 60, 90),
        ("no_footage", 90, 120),
    ]


def test_two_truncated_in_a_row():
    """Two unreadable segments side by side are one row naming both."""
    seen = reports((0, 30, ""), (30, 30, "cut"), (60, 60, "cut"), (90, 120, ""))
    gaps = coverage_gaps(windows((0, 120)), seen)
    assert rows(gaps) == [("unreadable", 30, 90)]
    assert "10:00:30, 10:01:00" in gaps["detail"][0]


def test_only_segment_truncated():
    """A camera whose only segment is unreadable: as long as the other cameras' segments."""
    seen = pd.concat([reports((0, 30, ""), (30, 60, "")), reports((0, 0, "cut"), camera="b")])
    assert rows(coverage_gaps(windows((0, 60), camera="b"), seen)) == [
        ("unreadable", 0, 30),
        ("no_footage", 30, 60),
    ]


def test_no_footage_at_all():
    """A camera without any report is one row of its whole window, clipped to the window."""
    assert rows(coverage_gaps(windows((5, 65)), SEGMENT_REPORTS.empty())) == [("no_footage", 5, 65)]


def test_small_holes_are_none():
    """1.5 s of switching files is not a gap; 2 s is; the limit is the caller's."""
    assert rows(coverage_gaps(windows((0, 60)), reports((0, 29, ""), (30, 58.6, "")))) == []
    assert rows(coverage_gaps(windows((0, 60)), reports((0, 28, ""), (30, 60, "")))) == [
        ("no_footage", 28, 30)
    ]
    assert (
        rows(coverage_gaps(windows((0, 60)), reports((0, 28, ""), (30, 60, "")), shortest_s=5))
        == []
    )


def test_separate_windows_are_separate_rows():
    """Time between windows is nobody's gap."""
    assert rows(coverage_gaps(windows((0, 10), (20, 30)), SEGMENT_REPORTS.empty())) == [
        ("no_footage", 0, 10),
        ("no_footage", 20, 30),
    ]


def test_cameras_that_place_no_one_are_gaps():
    """A window on a camera without a usable homography is a gap with the reason; a calibrated one
    is none.
    """
    flat = Camera(
        camera_id="a", image_width=10, image_height=10, calibration_fault="it maps to a line"
    )
    good = Camera(
        camera_id="b",
        image_width=10,
        image_height=10,
        homography_px_to_local=((1, 0, 0), (0, 1, 0), (0, 0.1, 1)),
    )
    site = Site(cameras=(flat, good), origin=Origin(lon=0, lat=0))
    seen = pd.concat([windows((0, 60), camera=c) for c in "ab"], ignore_index=True)
    gaps = uncalibrated_gaps(seen, site)
    assert gaps[["kind", "camera_id"]].to_numpy().tolist() == [["no_calibration", "a"]]
    assert "it maps to a line" in gaps["detail"][0]
    assert gaps["end_utc"][0] == at(60)
