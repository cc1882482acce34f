"""A subject's track that another camera contradicts is somebody else's for as long as it does."""

import numpy as np
import pandas as pd

from data_contracts.tables.contracts import TRACKS
from tasks.people.piece import PIECE
from tasks.redaction.switched_tracks import without_strayed

T0 = pd.Timestamp("2026-11-16T00:00:20Z")
SUBJECT = pd.DataFrame({"camera_id": ["a", "b", "b"], "track_id": [1, 4, 6]})


def path(
    camera: str, number: int, x_m: list[float], sd_m: float = 0.15, **columns: object
) -> pd.DataFrame:
    """TRACKS of somebody at (x, 3) m, five a second from T0 on; NaN where they have no position."""
    fixed = {"camera_id": camera, "track_id": number, "score": 0.8, "foot_hidden": False}
    box = {"x0": 100.0, "y0": 100.0, "x1": 160.0, "y1": 300.0}
    cov = {"cov_xx": sd_m**2, "cov_xy": 0.0, "cov_yy": sd_m**2, "y_m": 3.0}
    times = [T0 + pd.Timedelta(milliseconds=200 * i) for i in range(len(x_m))]
    rows = [fixed | box | cov | {"t_utc": t, "x_m": x} for t, x in zip(times, x_m, strict=True)]
    return TRACKS.shape(pd.DataFrame(rows).assign(**columns))


def strayed(own: pd.DataFrame, *others: pd.DataFrame, subject: pd.DataFrame = SUBJECT) -> list[int]:
    """The rows of `own`, by number, that are no longer the subject's."""
    everybody = pd.concat([own, *others], ignore_index=True)
    out = without_strayed(everybody, subject)
    pd.testing.assert_frame_equal(out.drop(columns="track_id"), everybody.drop(columns="track_id"))
    out = out.iloc[: len(own)]
    return [
        int(i) for i in np.flatnonzero(out["track_id"].to_numpy() != own["track_id"].to_numpy())
    ]


# Beside each other for two seconds, then the subject walks off one way and the track the other.
TOGETHER = [5.0] * 10
APART = [5.0 + 0.3 * i for i in range(1, 11)]
LEAVES = TOGETHER + [10 - x for x in APART]
STRAYS = TOGETHER + APART
FACE_FIRST = [0.99] + [None] * 19


def test_a_track_that_leaves_the_subject_is_somebody_else_s_from_the_last_agreeing_place_on() -> (
    None
):
    """Already the first steps apart count, although they alone would not: no place after them
    agrees.
    """
    assert strayed(path("a", 1, STRAYS, subject_p=FACE_FIRST), path("b", 4, LEAVES)) == list(
        range(10, 20)
    )
    assert strayed(path("a", 1, LEAVES), path("b", 4, LEAVES)) == []


def test_without_a_face_nobody_knows_which_side_of_a_contradiction_is_the_subject_s() -> None:
    """Before it and after it the cameras agree, on two different people perhaps: shown is only the
    time with a face.
    """
    later = path("b", 6, STRAYS + [8.0] * 10)
    later = later[later["t_utc"] >= T0 + pd.Timedelta(seconds=4)]
    both = [path("b", 4, LEAVES), later]
    track = STRAYS + [8.0] * 10
    assert strayed(path("a", 1, track), *both) == list(range(30))
    first = [0.99] + [None] * 29
    assert strayed(path("a", 1, track, subject_p=first), *both) == list(range(10, 30))
    assert strayed(path("a", 1, track, subject_p=first[::-1]), *both) == list(range(20))


def test_a_bystander_whom_another_camera_sees_where_the_track_is() -> None:
    """Someone who sat aside all the time, as the other camera saw: the subject's track stays with
    them and is theirs.
    """
    walks_by = [5.0] * 10 + [5.0 + 0.4 * i for i in range(10)] + [9.0] * 10
    aside = path("b", 9, [9.0] * 30)
    elsewhere = path("b", 4, [5.0] * 10)
    first = [0.99] + [None] * 29
    # Within half a metre of the seat from the nineteenth moment on.
    assert strayed(path("a", 1, walks_by, subject_p=first), aside, elsewhere) == list(range(10, 30))
    their_own = path("a", 2, [9.0] * 30)
    assert (
        strayed(path("a", 1, walks_by, subject_p=first).iloc[:18], aside, elsewhere, their_own)
        == []
    )
    unknown = aside[aside["t_utc"] >= T0 + pd.Timedelta(seconds=3)]
    assert strayed(path("a", 1, walks_by, subject_p=first), unknown, elsewhere) == [], (
        "a broken track of the subject"
    )


def test_a_bystander_who_has_a_track_of_their_own_beside_the_subject_is_no_contradiction() -> None:
    """The subject stops 0.3 m from somebody: the other camera's track is nearer to that person's
    own one.
    """
    beside = path("a", 1, [5.0] * 10 + [8.7] * 20, subject_p=[0.99] + [None] * 29)
    aside = path("b", 9, [9.0] * 30)
    elsewhere = path("b", 4, [5.0] * 10)
    assert strayed(beside, aside, elsewhere, path("a", 2, [9.0] * 30)) == []
    assert strayed(beside, aside, elsewhere) == list(range(10, 30))


def test_it_is_the_subject_s_again_where_the_cameras_agree_again() -> None:
    """A track that goes over to somebody and comes back is kept at both ends."""
    there = [5.0] * 10 + [7.0] * 5 + [5.0] * 10  # 5 m, 7 m, 5 m
    assert strayed(path("a", 1, there), path("b", 4, [5.0] * 25)) == list(range(10, 15))


def test_a_doubtful_place_contradicts_nobody() -> None:
    """Places known to a metre do not tell a step apart; places known to a hand do."""
    assert strayed(path("a", 1, [6.2] * 10, sd_m=1.0), path("b", 4, [5.0] * 10)) == []
    assert strayed(path("a", 1, [6.2] * 10), path("b", 4, [5.0] * 10)) == list(range(10))


def test_only_the_subject_s_own_tracks_of_other_cameras_speak() -> None:
    """Neither a bystander elsewhere, nor a drawn-through row, nor a track without position
    contradicts.
    """
    own = path("a", 1, [5.0] * 10)
    assert strayed(own, path("b", 9, [9.0] * 10)) == []
    assert strayed(own, path("b", 4, [9.0] * 10, score=0.0)) == []
    assert strayed(own, path("b", 4, [np.nan] * 10)) == []
    assert strayed(path("a", 2, [5.0] * 10), path("b", 4, [9.0] * 10)) == [], (
        "a bystander's track is left as it is"
    )


def test_two_tracks_of_the_subject_at_two_places() -> None:
    """One of the two is somebody else's, and nothing says which."""
    assert strayed(
        path("a", 1, [5.0] * 10), path("b", 4, [9.0] * 10), path("b", 6, [5.0] * 10)
    ) == list(range(10))


def test_the_subject_s_own_face_ends_a_doubt() -> None:
    """The face was seen in the fourth frame, and the contradiction begins in the eighth: before the
    face nothing is doubted.
    """
    own = path("a", 1, [5.0] * 8 + [9.0] * 4, subject_p=[None, None, None, 0.99] + [None] * 8)
    other = path("b", 4, [5.0] * 4, score=0.0)
    late = path("b", 4, [5.0] * 12)
    late = late[late["t_utc"] >= T0 + pd.Timedelta(seconds=1.6)]
    assert strayed(own, other, late) == list(range(4, 12))


def test_after_a_cut_that_was_guessed_nobody_is_shown_without_a_face() -> None:
    """Two exchanged tracks, the piece after the cut is called the subject's and the other camera
    agrees: shown is the time before, which has a face, up to a second before the cut, and nothing
    after it; with a face after it, all but a second on both sides.
    """
    times = STRAYS + [8.0] * 10
    whole = path("a", 1, times, subject_p=[0.99] + [None] * 29)
    piece = np.arange(30) >= 10
    cut = whole.assign(track_id=np.where(piece, PIECE + 1, 1))
    names = pd.DataFrame({"camera_id": ["a", "a", "b"], "track_id": [1, PIECE + 1, 4]})
    other = path("b", 4, times)
    assert strayed(cut, other, subject=names) == list(range(5, 30))
    out = without_strayed(pd.concat([cut, other], ignore_index=True), names)
    hidden = out["track_id"].to_numpy()[30:] != 4
    assert np.flatnonzero(hidden).tolist() == list(range(5, 30))
    with_face = cut.assign(subject_p=[0.99] + [None] * 14 + [0.99] + [None] * 14)
    assert strayed(with_face, other, subject=names) == list(range(5, 16))
