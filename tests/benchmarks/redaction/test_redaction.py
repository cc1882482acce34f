"""The redaction benchmark measures what it says: heads, leaks, dropouts, and an attack that does
find what is shown.
"""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
from demo_frames import DEMO, frames_at

from benchmarks.redaction.attack import face_in, head_crop, low_threshold
from benchmarks.redaction.clothes import colours, named
from benchmarks.redaction.footage import Dropout, Tracked
from benchmarks.redaction.heads import Figures, compare
from benchmarks.redaction.measure import count, jobs
from data_contracts.tables.contracts import TRACKS
from models.registry import load
from tasks.footage.reading import Frame
from tasks.redaction.render import Judged
from tasks.redaction.silhouette import level_of, silhouette
from tasks.redaction.who_is_where import NONE, FramePeople

T0 = datetime(2026, 11, 16, tzinfo=UTC)
ROW = {
    "camera": "a",
    "person": "N",
    "x0": 10,
    "y0": 10,
    "x1": 60,
    "y1": 90,
    "head_px": 20,
    "head_visible": 0.9,
}
ROW |= {"head_x0": 20, "head_y0": 10, "head_x1": 40, "head_y1": 30, "t_utc": pd.Timestamp(T0)}


def counted(levels: np.ndarray, **columns) -> Figures:
    """Figures of one person in one frame."""
    figures = Figures()
    judged = Judged(Frame(T0, np.zeros((100, 100, 3), np.uint8)), FramePeople(NONE, NONE), levels)
    compare(judged, pd.DataFrame([ROW | columns]), "S", figures)
    return figures


def test_a_head_leaks_when_over_a_tenth_is_shown() -> None:
    """Hidden whole: no leak. A fifth shown: a leak. Small, hidden by others, or the subject's: not
    counted as one.
    """
    hidden = np.full((100, 100), 4, np.uint8)
    assert (counted(hidden).heads, counted(hidden).leaked) == (1, [])
    fifth = hidden.copy()
    fifth[:15] = 0
    assert len(counted(fifth).leaked) == 1
    assert counted(fifth, head_px=12).heads == 0
    assert counted(fifth, head_visible=0.1).heads == 0
    own = counted(np.zeros((100, 100), np.uint8), person="S")
    assert (own.heads, own.subject_frames, own.subject_shown) == (0, 1, 1)


def test_the_subject_s_share_is_of_the_time_in_which_they_are_tracked() -> None:
    """A frame without a sighting near is not counted as one that hides the subject; a clip counts
    once it shows them.
    """
    times = [T0 + timedelta(seconds=s) for s in (0, 0.2, 5)]
    truth = pd.DataFrame([ROW | {"person": "S", "t_utc": pd.Timestamp(t)} for t in times])
    frames = [
        Judged(
            Frame(t, np.zeros((1, 1, 3), np.uint8)),
            FramePeople(NONE, NONE),
            np.zeros((99, 99), np.uint8),
        )
        for t in times
    ]
    frames[1].levels[:] = 4
    tracks = TRACKS.shape(
        pd.DataFrame([{"camera_id": "a", "track_id": 7, "t_utc": pd.Timestamp(T0)}])
    )
    figures = Figures()
    count(frames, truth, "S", Tracked(tracks, (7,)), figures)
    assert (figures.subject_frames, figures.subject_shown) == (2, 1)
    assert (figures.clips, figures.clips_shown) == (1, 1)


def test_a_dropout_has_one_fate_for_each_detection() -> None:
    """The tracker's boxes and the fresh look's are lost together, about the share that was asked
    for.
    """
    boxes = np.random.default_rng(0).uniform(0, 700, (4000, 4))
    drop = Dropout(0.3, 1)
    assert (drop.keeps(boxes) == drop.keeps(boxes.copy() + 1e-6)).mean() > 0.999
    assert abs(drop.keeps(boxes).mean() - 0.7) < 0.03
    assert (drop.keeps(boxes) != Dropout(0.3, 2).keeps(boxes)).any()


def test_clips_cover_the_subject_s_time() -> None:
    """Every frame with the subject lies in one clip of at most six seconds; times without them are
    left out.
    """
    times = [
        pd.Timestamp(T0) + pd.Timedelta(seconds=s)
        for s in (*np.arange(0, 10, 0.2), *np.arange(60, 61, 0.2))
    ]
    made = list(jobs("a", pd.DataFrame({"t_utc": times})))
    assert all((job.end_utc - job.start_utc).total_seconds() <= 6 for job in made)
    assert all(sum(job.start_utc <= t <= job.end_utc for job in made) == 1 for t in times)
    assert sum((job.end_utc - job.start_utc).total_seconds() for job in made) < 12


def test_the_attack_finds_a_face_that_is_shown_and_none_under_a_silhouette() -> None:
    """On the clean frame the detector finds the face at a true head; on the redacted one it does
    not.
    """
    truth = pd.read_csv(DEMO / "truth" / "boxes.csv", parse_dates=["t_utc"])
    wide = truth[
        (truth["camera"] == "entrance")
        & (truth["person"] == "N2")
        & (truth["head_px"] > 45)
        & (truth["masked"] == 0)
    ]
    row = next(r for r in wide[wide["face_angle_deg"] < 25].itertuples() if r.head_visible > 0.65)
    passed = int((row.t_utc - pd.Timestamp(T0)).total_seconds() * 5)
    minute, second = divmod(passed // 150 * 30, 60)
    image, _, _ = frames_at("entrance", f"{minute:02d}.{second:02d}", passed % 150 / 5)
    eyes = low_threshold(load().face)
    assert face_in(eyes, head_crop(image, row)) is not None
    levels = np.full(image.shape[:2], level_of(row.x1 - row.x0, row.y1 - row.y0), np.uint8)
    assert face_in(eyes, head_crop(silhouette(image, levels), row)) is None


def test_the_attack_on_clothes_learns_colours_across_cameras() -> None:
    """People in colours of their own are named on a camera never seen; under one grey nobody is
    named better than by chance, however unequally often people are seen.
    """
    rng = np.random.default_rng(3)
    own = {f"N{i}": rng.uniform(40, 200, 9) for i in range(8)}
    places = [
        (name, camera) for i, name in enumerate(own) for camera in "abc" for _ in range(1 + i)
    ]
    clear = named([(n, c, own[n] + rng.normal(0, 8, 9)) for n, c in places])
    assert clear.right > 0.95
    assert (clear.people, round(clear.chance, 3)) == (8, 0.125)
    grey = named([(n, c, np.full(9, 90.0)) for n, c in places])
    assert grey.right <= grey.chance + 0.001


def test_the_colours_of_a_body_are_its_own() -> None:
    """Upper part, lower part and shoes are read where they are in the box, also where it leaves the
    image.
    """
    image = np.zeros((100, 60, 3), np.uint8)
    image[:50, 10:40] = (10, 20, 30)
    image[50:90, 10:40] = (40, 50, 60)
    image[90:, 10:40] = (70, 80, 90)
    row = pd.Series({"x0": 10, "y0": 0, "x1": 40, "y1": 100})
    assert colours(image, row).tolist() == [10, 20, 30, 40, 50, 60, 70, 80, 90]
    assert np.isfinite(colours(image, pd.Series({"x0": -30, "y0": 80, "x1": 9, "y1": 140}))).all()
