"""Whom somebody pointed at: the box and the track in which the point lies."""

import numpy as np
import pandas as pd
import pytest
from subject_case import subject_case

from data_contracts.errors import NotAuthorised
from data_contracts.pointing import Pointing
from data_contracts.policy import SearchSettings
from data_contracts.tables.contracts import GAPS, LOOKS, MEMBERS, SIGHTINGS, TRACKS
from data_contracts.tables.validate import validate
from tasks.people.pointed import at_point, pointed_tracks, pointing_gaps
from tasks.people.subject import sight

T0 = pd.Timestamp("2026-11-16T00:00:00Z")
SEARCH = SearchSettings()
CASE = subject_case(scopes=("appearance",))


def track(number, x_px, x_m, camera="a", start=0, seconds=20, **columns):
    """Rows of one track that stands in a box around x_px."""
    rows = [
        {
            "camera_id": camera,
            "track_id": number,
            "t_utc": T0 + pd.Timedelta(seconds=start + k / 5),
            **dict(zip(("x0", "y0", "x1", "y1"), (x_px - 20, 0, x_px + 20, 100), strict=True)),
            "score": 0.9,
            "x_m": x_m,
            "y_m": 0.0,
            "foot_hidden": False,
            **columns,
        }
        for k in range(5 * seconds)
    ]
    return TRACKS.shape(rows)


def point(x_px, second=10.0, camera="a", y_px=50.0):
    """Somebody pointed there."""
    at = (T0 + pd.Timedelta(seconds=second)).to_pydatetime()
    return Pointing(camera_id=camera, t_utc=at, x_px=x_px, y_px=y_px, pointed_by="user:one")


def seen(tracks, *points, looks=None, case=CASE):
    """Sightings, and {track: (band, basis)}."""
    found, _ = sight(case, tracks, MEMBERS.empty(), SEARCH, None, looks, points)
    validate(found, SIGHTINGS)
    return {r["track_id"]: (r["band"], r["basis"]) for r in found.to_dict("records")}


@pytest.mark.parametrize(
    ("x", "y", "row"),
    [(15, 50, 0), (50, 50, 1), (38, 50, 1), (21, 50, 0), (90, 50, None), (15, 120, None)],
)
def test_the_point_is_in_a_box(x, y, row) -> None:
    """Of boxes that overlap the one whose middle is nearer; beside all of them nobody."""
    boxes = np.array([[0, 0, 40, 100], [20, 0, 80, 100]], float)
    assert at_point(boxes, x, y) == row
    assert at_point(np.empty((0, 4)), x, y) is None


def test_a_track_is_pointed_at_only_while_it_is_there() -> None:
    """The camera, the time and the place must be its own."""
    tracks = pd.concat([track(1, 100, 0.0), track(2, 300, 5.0), track(1, 100, 9.0, camera="b")])
    assert pointed_tracks(tracks, [point(300)]) == {("a", 2)}
    assert pointed_tracks(tracks, [point(100, camera="b"), point(100)]) == {("a", 1), ("b", 1)}
    for missed in (point(200), point(100, second=40), point(100, camera="c"), point(100, y_px=200)):
        assert pointed_tracks(tracks, [missed]) == set()
    assert pointed_tracks(TRACKS.empty(), [point(100)]) == set()


def test_who_is_pointed_at_is_the_subject() -> None:
    """With the appearance scope alone, and nobody else there; pointing elsewhere mends it."""
    tracks = pd.concat([track(1, 100, 0.0), track(2, 300, 5.0)])
    assert seen(tracks, point(100)) == {1: ("high", "pointed")}
    assert seen(tracks, point(300)) == {2: ("high", "pointed")}
    assert seen(tracks) == {}


def test_two_that_were_pointed_at_at_once_are_a_question_each() -> None:
    """One of the two who pointed errs: nobody is stated."""
    tracks = pd.concat([track(1, 100, 0.0), track(2, 300, 5.0)])
    assert "high" not in dict(seen(tracks, point(100), point(300)).values())


def test_looks_and_way_go_on_from_where_somebody_pointed() -> None:
    """A walk away, in the same clothes: the subject; the crowd in other clothes is not."""
    own = track(2, 200, 18.0, camera="b", start=35)
    others = [track(5 + k, 100, 40.0 + k, camera="b", start=3 * k) for k in range(6)]
    tracks = pd.concat([track(1, 100, 0.0), own, *others])
    ratio = tracks["track_id"].map({1: 3.0, 2: 3.0}).fillna(-3.0)
    looks = LOOKS.shape(tracks.assign(llr=ratio))
    expected = {1: ("high", "pointed"), 2: ("high", "looks")}
    assert seen(tracks, point(100), looks=looks) == expected


def test_pointing_needs_the_appearance_scope() -> None:
    """Under a consent to the face alone nobody may be pointed at."""
    with pytest.raises(NotAuthorised, match="appearance"):
        seen(track(1, 100, 0.0), point(100), case=subject_case(scopes=("face",)))


def gaps(case, tracks, *points):
    """Details of the gaps that pointing left, by camera."""
    found, _ = sight(case, tracks, MEMBERS.empty(), SEARCH, None, None, points)
    made = pointing_gaps(case, found, points)
    validate(made, GAPS)
    return dict(zip(made["camera_id"], made["detail"], strict=True))


def test_a_point_that_led_nowhere_is_a_gap() -> None:
    """Nobody was followed there; and a case of the appearance alone that nobody was pointed at in
    says so. A point that led to a sighting is none.
    """
    tracks = pd.concat([track(1, 100, 0.0), track(2, 300, 5.0)])
    assert gaps(CASE, tracks, point(100)) == {}
    assert "nobody could be followed" in gaps(CASE, tracks, point(700))["a"]
    assert "nobody was pointed at" in gaps(CASE, tracks)[""]
    assert gaps(subject_case(scopes=("face", "appearance")), tracks) == {}
