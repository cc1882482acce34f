"""The subject is nobody's contact with themselves: who may be the subject is a question with a
reason, and who was seen beside them is not.
"""

import numpy as np
import pandas as pd
import pytest
from walk_scene import camera, observe, projection, site, way

from data_contracts.tables.contracts import ENCOUNTERS, MEMBERS, TRAJECTORY
from data_contracts.tables.validate import validate
from tasks.exposure.double import People, with_doubts
from tasks.exposure.meet import meet
from tasks.people.join import join
from tasks.people.track import track

# Two cameras on opposite sides that look at one floor.
POSES = {"a": ((5.0, 0.2, 2.7), (5.0, 5.0)), "b": ((5.0, 9.8, 2.7), (5.0, 5.0))}
CAMERAS = [(camera(n, *pose), projection(*pose)) for n, pose in POSES.items()]
SITE = site(*(c for c, _ in CAMERAS))
SECONDS = 40
STAND = ((0, 5.0, 5.0), (SECONDS, 5.0, 5.0))


def seen(heights, ways, hidden_by=None):
    """TRACKS of walkers; `hidden_by` {(camera, name)}: not detected there."""
    walkers = {name: (heights[name], way(*ways[name])) for name in heights}
    found, truth = observe(CAMERAS, walkers, SECONDS, np.random.default_rng(0))
    names = list(zip(truth["camera_id"], truth["who"], strict=True))
    kept = np.array([key not in (hidden_by or set()) for key in names])
    return found[kept].reset_index(drop=True), truth[kept]


def of_camera(tracks, name):
    """MEMBERS of a person who has all tracks of one camera."""
    own = tracks.loc[tracks["camera_id"] == name, ["camera_id", "track_id"]].drop_duplicates()
    return own.assign(person_id=name)


def encounters_of(tracks, members, subject):
    """Encounters of everybody with one person, whose fused path is the trajectory."""
    rows = tracks[tracks["x_m"].notna()].merge(members, on=["camera_id", "track_id"])
    rows = rows.assign(seen=True, cameras=rows["camera_id"], probability=1.0)
    own = rows[rows["person_id"] == subject]
    points, found = meet(TRAJECTORY.shape(own), rows, {subject})
    people = People(tracks, MEMBERS.shape(members), {subject}, SITE)
    found = with_doubts(found, points, people)
    validate(found, ENCOUNTERS)
    return found


def tracked(found):
    """TRACKS of both cameras."""
    return pd.concat([track(found, c) for c, _ in CAMERAS], ignore_index=True)


def test_the_subject_s_own_track_on_another_camera_is_a_question():
    """One body that was not joined, a track on each camera, 0.24 m apart because each takes away
    what toes reach: within 0.4 m for 40 s, and no camera saw two.
    """
    found, _ = seen({"s": 1.7}, {"s": STAND})
    tracks = tracked(found)
    members = pd.concat([of_camera(tracks, "a"), of_camera(tracks, "b")])
    (row,) = encounters_of(tracks, members, "a").to_dict("records")
    assert row["median_m"] == pytest.approx(0.24, abs=0.1)
    assert row["doubt"].startswith("may be the subject: within 0.4 m for ")
    assert row["doubt"].endswith("and no camera saw the two apart")


def test_hidden_feet_that_put_the_subject_elsewhere_are_a_question_with_the_height():
    """1.90 m and knees behind a desk on camera a: placed well over a metre from themselves, and one
    height explains both tracks.
    """
    found, truth = seen({"s": 1.9}, {"s": STAND})
    on_a = (truth["camera_id"] == "a").to_numpy()
    foot = CAMERAS[0][1] @ np.array([5.0, 5.0, 0.55, 1.0])
    found.loc[on_a, "y1"] = foot[1] / foot[2] + np.random.default_rng(1).normal(0, 2, on_a.sum())
    tracks = tracked(found)
    members = pd.concat([of_camera(tracks, "a"), of_camera(tracks, "b")])
    (row,) = encounters_of(tracks, members, "b").to_dict("records")
    assert row["median_m"] > 0.7
    assert "somebody 1.9" in row["doubt"]


@pytest.mark.parametrize("apart_m", [0.35, 0.7, 1.2])
def test_two_whom_one_camera_sees_side_by_side_are_two(apart_m):
    """An embrace, a talk: however near, a camera saw both boxes beside each other."""
    beside = tuple((t, x + apart_m, y) for t, x, y in STAND)
    found, _ = seen({"s": 1.7, "a": 1.7}, {"s": STAND, "a": beside})
    tracks = tracked(found)
    persons, members = join(tracks, SITE, np.random.default_rng(0))
    assert persons["person_id"].nunique() == 2
    subject = members["person_id"].iloc[0]
    assert list(encounters_of(tracks, members, subject)["doubt"]) == [""]


def test_two_boxes_of_one_body_are_no_proof():
    """A second track of head and shoulders inside the subject's own box on the same camera: a
    question, for the boxes are not apart.
    """
    found, _ = seen({"s": 1.7}, {"s": STAND}, hidden_by={("b", "s")})
    part = found.assign(y1=found["y0"] + 0.4 * (found["y1"] - found["y0"]))
    whole = track(found, CAMERAS[0][0])
    half = track(part, CAMERAS[0][0]).assign(
        track_id=9, x_m=whole["x_m"].median(), y_m=whole["y_m"].median() + 0.1
    )
    half[["cov_xx", "cov_yy"]] = 0.02
    half["cov_xy"] = 0.0
    tracks = pd.concat([whole, half], ignore_index=True)
    members = tracks[["camera_id", "track_id"]].drop_duplicates()
    members = members.assign(person_id=["s", "double"])
    (row,) = encounters_of(tracks, members, "s").to_dict("records")
    assert row["doubt"].startswith("may be the subject")


def test_somebody_at_a_talk_s_distance_whom_no_camera_sees_beside_the_subject_is_somebody_else():
    """Each camera sees one of the two, 1.2 m apart across the view: no height brings them together,
    so there is no doubt.
    """
    beside = tuple((t, x + 1.2, y) for t, x, y in STAND)
    ways = {"s": STAND, "a": beside}
    found, _ = seen({"s": 1.7, "a": 1.7}, ways, hidden_by={("a", "s"), ("b", "a")})
    tracks = tracked(found)
    members = pd.concat([of_camera(tracks, "a"), of_camera(tracks, "b")])
    (row,) = encounters_of(tracks, members, "a").to_dict("records")
    assert row["median_m"] == pytest.approx(1.2, abs=0.2)
    assert row["doubt"] == ""


def test_nobody_near_is_no_doubt():
    """No encounters: an empty table of the contract."""
    found, _ = seen({"s": 1.7}, {"s": STAND})
    tracks = tracked(found)
    empty = with_doubts(
        ENCOUNTERS.empty(), pd.DataFrame(), People(tracks, MEMBERS.empty(), set(), SITE)
    )
    validate(empty, ENCOUNTERS)
