"""Coverage: exactly one clear row for each stretch that no file showed, and no instant twice."""

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from search_windows import T0, at, windows

from data_contracts.camera import Camera, Origin, Site
from data_contracts.object_key import segment
from data_contracts.tables.contracts import GAPS, SEGMENT_REPORTS
from data_contracts.time import intervals_of, merge
from tasks.search.coverage_gaps import beyond_rounds, coverage_gaps, not_told_yet, uncalibrated_gaps
from tasks.search.time_line import one_source, taken_from


def stretch(file, start, end, kind="", fault="", camera="a"):
    """A row of SEGMENT_REPORTS: of the file that begins at `file`, in seconds."""
    return {
        "key": segment(camera, at(file)),
        "etag": "e",
        "camera_id": camera,
        "start_utc": at(start),
        "end_utc": at(end),
        "n_frames": 1,
        "kind": kind,
        "fault": fault,
        "advice": f"mend {fault}",
    }


def reports(*rows, camera="a"):
    """Reports from (segment's start, seen until, fault) in seconds: a file with a fault has no
    known length beyond what was seen.
    """
    out = []
    for start, end, fault in rows:
        if end > start:
            out.append(stretch(start, start, end, camera=camera))
        if fault:
            out.append(stretch(start, end, end, "unreadable", fault, camera))
    return SEGMENT_REPORTS.shape(out)


def rows(gaps):
    """Kind, start and end in seconds of each gap."""
    return [
        (g.kind, (g.start_utc - T0).total_seconds(), (g.end_utc - T0).total_seconds())
        for g in gaps.itertuples()
    ]


def test_what_is_planned_beyond_the_last_round_is_told():
    """Windows of later rounds were not looked at: a row each stretch, with the bound."""
    planned = windows((0, 50), (40, 90), (200, 220)).assign(round=[50, 51, 52])
    gaps = beyond_rounds(planned, 50)
    assert rows(gaps) == [("failed", 40, 90), ("failed", 200, 220)]
    assert "50 rounds" in gaps["detail"][0]


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
    assert "the segment of 10:00:30 UTC: no moov atom" in gaps["detail"][0]
    assert gaps["advice"][0] == "mend no moov atom"
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


def test_holes_in_a_file_have_its_causes():
    """What a file says of its own time is told with its advice; `no_footage` is never said of time
    for which a file exists.
    """
    seen = SEGMENT_REPORTS.shape(
        [
            stretch(0, 0, 10),
            stretch(0, 10, 35, "no_pictures", "lost"),
            stretch(0, 35, 60),
            stretch(60, 60, 80, "unreadable", "broken"),
            stretch(60, 80, 90),
        ]
    )
    gaps = coverage_gaps(windows((0, 120)), seen)
    assert rows(gaps) == [("no_pictures", 10, 35), ("unreadable", 60, 80), ("no_footage", 90, 120)]
    assert list(gaps["advice"][:2]) == ["mend lost", "mend broken"]


def test_another_file_shows_what_one_lost():
    """What one file lost and another saw is not a gap."""
    seen = SEGMENT_REPORTS.shape(
        [stretch(0, 0, 60, "unreadable", "broken"), stretch(20, 20, 40), stretch(60, 60, 90)]
    )
    assert rows(coverage_gaps(windows((0, 90)), seen)) == [
        ("unreadable", 0, 20),
        ("unreadable", 40, 60),
    ]


def test_double_speed_is_told_with_both_lengths():
    """Files of 15 s of stamps, one begun every 30 s: the gap says both."""
    gaps = coverage_gaps(windows((0, 90)), reports((0, 15, ""), (30, 45, ""), (60, 75, "")))
    assert rows(gaps)[:2] == [("no_footage", 15, 30), ("no_footage", 45, 60)]
    assert "last 15.0 s" in gaps["detail"][0]
    assert "30.0 s after" in gaps["detail"][0]


def test_told_once():
    """What following could not see either is told once."""
    told = coverage_gaps(windows((0, 60)), reports((0, 20, "")))
    again = coverage_gaps(windows((10, 90)), reports((0, 20, "")))
    assert rows(told) == [("no_footage", 20, 60)]
    assert rows(not_told_yet(again, told)) == [("no_footage", 60, 90)]
    doubtful = told.assign(kind="doubtful_time")
    assert rows(not_told_yet(again, doubtful)) == [("no_footage", 20, 90)]
    assert rows(not_told_yet(doubtful, doubtful)) == []


def shares(line):
    """By file's start in seconds: what is taken from it."""
    out = {}
    for row in line.reports[line.reports["kind"] == ""].itertuples():
        span = ((row.start_utc - T0).total_seconds(), (row.end_utc - T0).total_seconds())
        if span[0] < span[1]:
            out.setdefault(row.key[-9:-4].replace(".", ":"), []).append(span)
    return out


def test_an_event_file_adds_only_what_is_missing():
    """Beside files of 30 s, of which one is missing, an event's file from 80 to 125 s."""
    continuous = [(t, t + 30, "") for t in (0, 30, 60, 120, 150, 180)]
    line = one_source(SEGMENT_REPORTS.empty(), reports(*continuous, (80, 125, "")))
    assert shares(line)["01:20"] == [(90, 120)]
    assert shares(line)["01:00"] == [(60, 90)]


def test_an_event_file_beside_whole_footage_is_no_contradiction():
    """Nothing is taken from it, and nothing is said of it."""
    continuous = [(t, t + 30, "") for t in range(0, 300, 30)]
    line = one_source(SEGMENT_REPORTS.empty(), reports(*continuous, (40, 90, "")))
    assert "00:40" not in shares(line)
    assert rows(coverage_gaps(windows((0, 300)), line.reports)) == []


def test_pre_recording_ends_where_the_next_file_begins():
    """Files of 40 s, one begun every 30 s: each is taken until the next one."""
    fresh = reports((0, 40, ""), (30, 70, ""), (60, 100, ""))
    line = one_source(SEGMENT_REPORTS.empty(), fresh)
    assert shares(line) == {"00:00": [(0, 30)], "00:30": [(30, 60)], "01:00": [(60, 100)]}
    (row,) = coverage_gaps(windows((0, 100)), line.reports).itertuples()
    assert row.kind == "doubtful_time"
    assert "last 40.0 s, but the next file begins 30.0 s after" in row.detail


def test_half_speed_is_told_with_the_amount():
    """30 s of life stamped as 60 s, a file every 30 s: told, and no moment twice."""
    fresh = reports(*((t, t + 60, "") for t in range(0, 300, 30)))
    line = one_source(SEGMENT_REPORTS.empty(), fresh)
    spans = [span for spans in shares(line).values() for span in spans]
    assert sum(b - a for a, b in spans) == 330
    (row,) = coverage_gaps(windows((0, 330)), line.reports).itertuples()
    assert "(2.00 times)" in row.detail


def test_what_was_taken_stays_taken():
    """An event's file of an earlier round keeps its time when the continuous one is found."""
    first = one_source(SEGMENT_REPORTS.empty(), reports((20, 50, "")))
    second = one_source(first.reports, reports((0, 60, ""), (60, 120, "")))
    assert shares(second) == {"00:00": [(0, 20), (50, 60)], "01:00": [(60, 120)]}


def test_found_rows_follow_the_share():
    """What was found at a moment that is taken from another file is dropped, to the instant."""
    line = one_source(SEGMENT_REPORTS.empty(), reports((0, 40, ""), (30, 60, "")))
    found = pd.DataFrame({"t_utc": pd.to_datetime([at(t) for t in (29.8, 30, 39.8)], utc=True)})
    assert len(taken_from(found, segment("a", at(0)), line.dropped)) == 1
    assert len(taken_from(found, segment("a", at(30)), line.dropped)) == 3


@st.composite
def files(draw):
    """Files of a camera in whole seconds, in random order of finding: overlapping, with holes,
    some of unknown length.
    """
    out = []
    for start in draw(st.lists(st.integers(0, 200), max_size=8, unique=True)):
        here = start
        for length, kind in draw(
            st.lists(
                st.tuples(
                    st.integers(0, 40),
                    st.sampled_from(["", "", "", "unreadable", "no_pictures", "few_pictures"]),
                ),
                min_size=1,
                max_size=4,
            )
        ):
            out.append(stretch(start, here, here + length, kind, kind))
            here += length
    return out


@settings(max_examples=150, deadline=None)
@given(
    st.lists(files(), min_size=1, max_size=3),
    st.lists(st.tuples(st.integers(0, 250), st.integers(1, 60)), min_size=1, max_size=3),
)
def test_seen_and_gaps_are_the_window(rounds, spans):
    """Whatever files there are: what is seen and the gaps are the windows exactly, no instant of
    the camera is seen twice, and no two gaps overlap.
    """
    taken = SEGMENT_REPORTS.empty()
    known = set()
    for found in rounds:
        new = [row for row in found if row["key"] not in known]
        known |= {row["key"] for row in new}
        line = one_source(taken, SEGMENT_REPORTS.shape(new))
        taken = pd.concat([taken, line.reports], ignore_index=True)
    planned = windows(*((start, start + length) for start, length in spans))
    gaps = coverage_gaps(planned, taken, shortest_s=0.0)
    gaps = gaps[gaps["kind"] != "doubtful_time"]

    def seconds(frames):
        return [
            int((a - T0).total_seconds()) + k
            for a, b in intervals_of(frames)
            for k in range(round((b - a).total_seconds()))
        ]

    looked = seconds(taken[taken["kind"].isin(["", "few_pictures"])])
    assert len(looked) == len(set(looked)), "a moment is looked at twice"
    seen = set(seconds(taken[taken["kind"] == ""]))
    told = seconds(gaps)
    window = {s for span in merge(intervals_of(planned)) for s in seconds(spans_of(span))}
    assert len(told) == len(set(told)), "a moment is told twice"
    assert not seen & set(told)
    assert window <= seen | set(told)
    assert set(told) <= window


def spans_of(span):
    """One stretch as a table."""
    return pd.DataFrame({"start_utc": [pd.Timestamp(span[0])], "end_utc": [pd.Timestamp(span[1])]})
