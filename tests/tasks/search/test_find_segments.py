"""Footage: which segments windows need."""

from collections import namedtuple
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from search_windows import T0, at, windows

from data_contracts.clock import ClockSpan
from data_contracts.object_key import segment
from data_contracts.tables.contracts import SEGMENTS, WINDOWS
from tasks.search.find_segments import not_asked, segments_for

Info = namedtuple("Info", "key etag size")


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


@pytest.mark.parametrize("ahead_s", [0.0, 1.0, -2.5, 3700.0, -4000.0])
def test_a_camera_whose_clock_is_off(ahead_s):
    """Windows are true, names are by the camera's clock: the files of the same footage are found,
    with their true start, whatever the clock says; other cameras' are left as they are.
    """
    shown = timedelta(seconds=ahead_s)
    store = Store(*(segment("a", at(s) + shown) for s in range(-7200, 7200, 30)))
    clocks = {"a": (ClockSpan(ahead_s=ahead_s),), "b": (ClockSpan(ahead_s=99.0),)}
    segments, _ = segments_for(windows((29, 61), (3590, 3610)), store, clocks=clocks)
    whole = [0, 30, 60, 3570, 3600]
    assert [round(s) for s in found(segments)] == pytest.approx(whole, abs=1)
    assert len(store.asked) <= 5


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
    """A segment is not taken to run on for ever: by default three hours, less where said."""
    store = Store(segment("a", at(0)))
    assert found(segments_for(windows((599, 600)), store)[0]) == [0]
    assert found(segments_for(windows((7100, 7200)), store)[0]) == [0]
    assert found(segments_for(windows((10_801, 10_802)), store)[0]) == []
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


class Sized(Store):
    """Files by start: (length in seconds, bytes), and which headers were read."""

    def __init__(self, files):
        super().__init__(*(segment("a", at(s)) for s in files))
        self.files = {segment("a", at(s)): about for s, about in files.items()}
        self.headers = []

    def __call__(self, prefix):
        """Keys below the prefix with their sizes."""
        return [Info(i.key, i.etag, self.files[i.key][1]) for i in super().__call__(prefix)]

    def length(self, item):
        """What the header says."""
        self.headers.append(item.key)
        return self.files[item.key][0]


def taken(files, window):
    """Starts of the files taken for a window, and how many headers were read."""
    store = Sized(files)
    segments, _ = segments_for(windows(window), store, store.length)
    return found(segments), len(store.headers)


EVENTS = {600: (30, 9), 1200: (30, 9), 1380: (30, 9)}


@pytest.mark.parametrize(
    ("files", "window", "wanted"),
    [
        ({0: (7200, 900)}, (6000, 6100), [0]),  # a file of two hours
        ({0: (3600, 500), **EVENTS}, (1390, 1500), [0, 1380]),  # events beside an hour
        ({0: (3600, 500), **EVENTS}, (1500, 1600), [0]),
        ({0: (3660, 500), 3600: (3660, 500)}, (3610, 3700), [3600]),  # hours that overlap
        ({0: (7200, 900), 6900: (30, 9)}, (7000, 7100), [0]),
        ({0: (30, 9), 30: (30, 9)}, (100, 200), []),  # nothing lasts until then
        ({t: (30, 9) for t in range(0, 3600, 30)}, (1810, 1820), [1800]),
    ],
)
def test_a_file_that_began_long_before_is_found(files, window, wanted):
    """By its header, among files that were written beside it; few headers are read."""
    starts, headers = taken(files, window)
    assert starts == wanted
    assert headers <= 4


def long_files(windows, **given):
    """Segments of two files of an hour, each of 1 GB, of which their headers say the length."""
    listed = [Info(segment("a", at(hour * 3600)), "e", 10**9) for hour in (0, 1)]
    found, _ = segments_for(
        windows,
        lambda prefix: [x for x in listed if x.key.startswith(prefix)],
        lambda _item: 3600.0,
        **given,
    )
    return found


def parts(found):
    """File and part of each row, in seconds."""

    def seconds(times):
        return [(t - at(0)).total_seconds() for t in times]

    return list(
        zip(
            seconds(found["start_utc"]),
            seconds(found["from_utc"]),
            seconds(found["until_utc"]),
            strict=True,
        )
    )


def test_of_a_long_file_only_the_windows_are_parts():
    """To whole multiples of 2 s, none longer than asked for, none beyond the file's end; windows
    that meet are one part.
    """
    assert parts(long_files(windows((601, 619)))) == [(0, 600, 620)]
    assert parts(long_files(windows((601, 619), (619.5, 623)))) == [(0, 600, 624)]
    assert parts(long_files(windows((590, 650)), part_s=30.0)) == [
        (0, 590, 600),
        (0, 600, 630),
        (0, 630, 650),
    ]
    assert parts(long_files(windows((3590, 3610)))) == [(0, 3590, 3602), (3600, 3600, 3610)]


def test_a_part_is_asked_for_once():
    """The windows of a later round give what is new of a file; whole files are asked for once."""
    first = long_files(windows((600, 620)))
    later = long_files(windows((590, 640), (700, 710)))
    assert parts(not_asked(later, first)) == [(0, 590, 600), (0, 620, 640), (0, 700, 710)]
    assert not_asked(first, later).empty
    whole = segments_for(windows((10, 20)), Store(segment("a", at(0))))[0]
    assert whole["from_utc"].isna().all()
    assert not_asked(whole, whole).empty
