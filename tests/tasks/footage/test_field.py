"""Files that went wrong in the field: what is seen of each, and what is told of the rest.

Named after public reports of people who work with recorded CCTV; made anew here.
"""

from datetime import UTC, datetime, timedelta
from fractions import Fraction

import numpy as np
import pytest
from recordings import beheaded, blanked, even, recording, resized

from data_contracts.camera import Camera
from data_contracts.time import Interval
from tasks.footage.reading import Reading
from tasks.footage.segment import SegmentInput, SegmentReport

START = datetime(2026, 11, 16, tzinfo=UTC)
CAMERA = Camera(camera_id="a", image_width=64, image_height=48)
WAYS = pytest.mark.parametrize("hz", [None, 5.0], ids=["scan", "follow"])
T30 = even(30)


def read(data, hz=None):
    """Times of the pictures looked at, and the file's time as (start, end, kind), in seconds."""
    reading = Reading(data, START, hz)
    times = [round((f.t_utc - START).total_seconds(), 3) for f in reading]
    parts = [(round(p.start_s, 1), round(p.end_s, 1), p.kind) for p in reading.stretches()]
    return times, parts, reading.fault


@WAYS
def test_a_hole_in_a_file_is_not_seen(hz):
    """60 s without pictures from 10 to 35 s: seen around it."""
    _, parts, _ = read(recording([t for t in even(60) if not 10 <= t < 35]), hz)
    assert parts == [(0, 10, None), (10, 35, "no_pictures"), (35, 60, None)]


@WAYS
def test_blanked_bytes_are_unreadable(hz):
    """A sixth of the bytes in the middle are zeros: the time they held is unreadable, the rest
    seen, also by a scan that decodes key frames alone.
    """
    data = blanked(recording(even(60), noise=True), (1 / 3, 1 / 2))
    _, parts, fault = read(data, hz)
    assert [kind for _, _, kind in parts] == [None, "unreadable", None]
    _, (start, end, _), (_, last, _) = parts
    assert abs(start - 20) < 1
    assert abs(end - 30) < 2.5
    assert last == 60
    assert "damaged pictures" in fault


@pytest.mark.parametrize("key_s", [10, 25])
def test_sparse_key_frames_hide_nothing(key_s):
    """With a key frame in 10 or 25 s all pictures are decoded, and one in 2 s is looked at, to the
    end of the file.
    """
    times, parts, _ = read(recording(T30, key_s=key_s))
    assert times == even(30, 0.5)
    assert parts == [(0, 30, None)]


def test_dense_key_frames_cost_no_more():
    """Where every picture is a key frame one in 2 s is looked at."""
    times, parts, _ = read(recording(T30, key_s=0.0))
    assert times == even(30, 0.5)
    assert parts == [(0, 30, None)]


@WAYS
@pytest.mark.parametrize(
    ("off_s", "at"), [(10_800, 0), (10_800, 50), (100, 0), (100, 77), (-5, 50), (100, 149)]
)
def test_one_picture_with_another_stamp_is_left_out_alone(hz, off_s, at):
    """One stamp ahead or back: the other 149 pictures are kept, and the file is 30 s long."""
    stamps = [t + 20 + (off_s if i == at else 0) for i, t in enumerate(T30)]
    reading = Reading(recording(T30, stamps=stamps), START, hz)
    list(reading)
    assert len(reading.seen) == 149
    (part,) = reading.stretches()
    assert abs(part.end_s - 30) < 0.3
    assert "1 picture was left out" in reading.fault


@WAYS
def test_a_jump_back_repeats_no_moment(hz):
    """The clock is set back by 10 s after 20 s: what is stamped as seen is left out, and the time
    it should have filled is told with the amount.
    """
    times, parts, fault = read(recording(T30, stamps=[t - 10 * (t >= 20) for t in T30]), hz)
    assert times == sorted(set(times))
    assert parts == [(0, 20, None), (20, 30, "unreadable")]
    assert "back by 10.0 s" in fault


def test_a_small_jump_back_goes_on_where_it_was():
    """Set back by 6 s after 12 s: after 6 s the stamps are new again."""
    _, parts, fault = read(recording(T30, stamps=[t - 6 * (t >= 12) for t in T30]), 5.0)
    assert parts == [(0, 24, None), (24, 30, "unreadable")]
    assert "back by 6.0 s: 30 pictures" in fault


@pytest.mark.parametrize(("ahead_s", "amount"), [(100, "20.0 s to"), (10_800, "10,800 s (3 h)")])
def test_a_jump_ahead_is_told(ahead_s, amount):
    """Stamps that jump ahead and stay: a stretch without pictures, and where no file lasts so long
    the pictures are left out, for nobody knows when they were taken.
    """
    data = recording(T30, stamps=[t + ahead_s * (t >= 20) for t in T30])
    _, parts, fault = read(data, 5.0)
    kinds = [kind for _, _, kind in parts]
    assert kinds == ([None, "no_pictures", None] if ahead_s == 100 else [None, "unreadable"])
    assert parts[1][0] == 20
    assert amount in fault


@WAYS
def test_doubled_stamps_are_one_moment(hz):
    """Each stamp twice: one picture of each moment."""
    times, parts, fault = read(recording(T30, stamps=[t - t % 0.4 for t in even(30)]), hz)
    assert len(times) == len(set(times))
    assert [kind for _, _, kind in parts] == [None]
    assert "another" in fault


def test_a_variable_rate_keeps_five_a_second():
    """1 picture a second, 10 from 20 to 30 s, 1 again: at least 5 a second where the file has
    them, and none of the others is lost.
    """
    data = recording([*even(20, 1), *even(10, 10, 20), *even(30, 1, 30)])
    times, parts, _ = read(data, 5.0)
    assert sum(20 <= t < 30 for t in times) == 50
    assert sum(t < 20 for t in times) == 20
    assert parts == [(0, 60, None)]


def test_open_groups_have_their_key_frames_in_order():
    """Open groups with three B pictures, a key frame in 5 s."""
    data = recording(T30, key_s=1e9, x264="keyint=25:min-keyint=25:open-gop=1:bframes=3")
    times, parts, fault = read(data)
    assert times == [0, 5, 10, 15, 20, 25]
    assert parts == [(0, 30, None)]
    assert not fault


def test_intra_refresh_is_decoded_whole():
    """A file without a second key frame that decodes alone: one picture in 2 s all the same."""
    data = recording(T30, key_s=1e9, x264="keyint=25:intra-refresh=1:bframes=0")
    times, parts, _ = read(data)
    assert times == even(30, 0.5)
    assert parts == [(0, 30, None)]


@pytest.mark.parametrize(("turned", "side"), [(180, "right"), (90, None), (-90, None)])
def test_a_display_matrix_turns_the_picture(turned, side):
    """The bright left of the picture is where the file says that it is shown."""
    frame = next(iter(Reading(recording(T30[:10], turned=turned), START)))
    height, width = frame.image.shape[:2]
    assert (width, height) == ((64, 48) if side else (48, 64))
    bright = frame.image.mean(axis=2) > 150
    rows, columns = np.nonzero(bright)
    if side == "right":
        assert columns.min() > width / 2
    elif turned == 90:  # against the clock: left goes to the bottom
        assert rows.min() > height / 2
    else:
        assert rows.max() < height / 2


@WAYS
@pytest.mark.parametrize("other", ["cover", "preview"])
def test_another_stream_is_no_recording(hz, other):
    """A larger cover picture or a smaller preview as the first stream: the pictures of the
    recording are looked at.
    """
    reading = Reading(recording(even(10), **{other: True}), START, hz)
    shapes = {frame.image.shape for frame in reading}
    assert shapes == {(48, 64, 3)}
    assert len(reading.seen) == 50


@WAYS
def test_too_few_pictures_are_told(hz):
    """0.4 pictures a second: nobody can be followed."""
    _, parts, fault = read(recording(even(30, 0.4)), hz)
    assert parts[0][2] == "few_pictures"
    assert "followed" in fault


@WAYS
def test_a_file_that_begins_in_a_group(hz):
    """The first 6 s refer to a key frame that is not in the file: told as that, the rest is seen,
    from the next key frame on.
    """
    times, parts, fault = read(beheaded(recording(T30, key_s=8.0), 10), hz)
    assert parts == [(0, 6, "unreadable"), (6, 28, None)]
    assert times[0] == 6
    assert "middle of a group" in fault


def report(data, camera=CAMERA, hz=None):
    """SEGMENT_REPORTS of a file."""
    whole = Interval(START - timedelta(days=1), START + timedelta(days=1))
    made = SegmentReport(SegmentInput(camera, "k", START, data), whole, hz)
    list(made.pictures())
    return made.table()


@WAYS
def test_another_aspect_names_both_sizes_and_what_to_do(hz):
    """96 x 48 where the camera was calibrated with 64 x 48: nothing of it was looked at."""
    (row,) = report(recording(even(10), size=(96, 48)), hz=hz).to_dict("records")
    assert row["kind"] == "unreadable"
    assert (row["end_utc"] - row["start_utc"]).total_seconds() == 10
    assert "64 x 48" in row["fault"]
    assert "96 x 48" in row["fault"]
    assert "calibrate" in row["advice"]


@WAYS
@pytest.mark.parametrize(
    ("then", "kinds"), [((128, 96), [""]), ((96, 48), ["", "unreadable"])], ids=["alike", "other"]
)
def test_a_change_of_size_within_a_file(hz, then, kinds):
    """Another size of the same aspect is looked at; of another aspect, what came before is."""
    found = report(resized((64, 48), then), hz=hz)
    assert list(found["kind"]) == kinds
    seen = found["end_utc"] - found["start_utc"]
    assert list(seen.dt.total_seconds()) == ([10] if len(kinds) == 1 else [5, 5])


def test_pixels_that_are_not_square():
    """Stored 48 x 48, shown 64 x 48 (4:3): looked at by a camera calibrated on either."""
    data = recording(even(4), size=(48, 48), pixel_aspect=Fraction(4, 3))
    for width in (64, 48):
        camera = CAMERA.model_copy(update={"image_width": width})
        assert list(report(data, camera)["kind"]) == [""]


def test_only_granted_time_is_looked_at():
    """Of a file that begins before the granted time, only what is within is seen."""
    data = recording(even(30))
    span = Interval(START + timedelta(seconds=10), START + timedelta(seconds=20))
    made = SegmentReport(SegmentInput(CAMERA, "k", START, data), span)
    times = [f.t_utc for f in made.pictures()]
    (row,) = made.table().to_dict("records")
    assert (row["start_utc"], row["end_utc"]) == span
    assert row["n_frames"] == len(times) == 5


@pytest.mark.parametrize("data", [b"", b"no video"])
def test_a_file_that_cannot_be_opened_has_no_length(data):
    """Its report is one row that says why."""
    (row,) = report(data).to_dict("records")
    assert row["kind"] == "unreadable"
    assert row["start_utc"] == row["end_utc"]
    assert row["fault"]
