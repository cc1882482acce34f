"""The figures of detection, tracking and distance on made-up sets, as worked out by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.accuracy import pets_data
from benchmarks.accuracy.detection import average_precision, detection_figures, second_boxes
from benchmarks.accuracy.feet import figures, pair_figures
from benchmarks.accuracy.ground import ground_figures, reported_figures
from benchmarks.accuracy.tracking import tracking_figures
from data_contracts.errors import BadInput
from tasks.ground.position import Locator

T0 = datetime(2026, 1, 1, tzinfo=UTC)
# Tsai's model of a camera 5 m up that looks down by about 40 degrees, with a bent lens.
VIEW = """<Camera><Geometry width="768" height="576" dpx="0.005" dpy="0.005"/>
<Intrinsic focal="5" kappa1="0.03" cx="384" cy="288" sx="1"/>
<Extrinsic tx="0" ty="0" tz="8000" rx="2.4" ry="0" rz="0"/></Camera>"""
BOXES = """<dataset><frame number="7"><objectlist>
<object id="3"><box h="80" w="30" xc="200" yc="400"/></object>
</objectlist></frame></dataset>"""


def seen(who: dict[str, list[tuple[float, float]]], **more: object) -> pd.DataFrame:
    """Boxes 40 x 80 px of walkers at metres (x, y), a position a frame, 100 px a metre; NaN: not
    there.
    """
    rows = [
        {"person": name, "who": name, "t_utc": T0 + timedelta(seconds=0.2 * i), "x_m": x, "y_m": y}
        for name, path in who.items()
        for i, (x, y) in enumerate(path)
        if x == x
    ]
    table = pd.DataFrame(rows).assign(camera_id="a", score=0.9, ignore=False, **more)
    x = 100 * table["x_m"]
    y = 100 * table["y_m"]
    return table.assign(x0=x - 20, x1=x + 20, y0=y - 80, y1=y)


def test_area_under_the_curve() -> None:
    """Right, wrong, right, of two wanted: recall .5 at precision 1, recall 1 at precision 2/3: .5 +
    .5 * 2/3.
    """
    score = np.array([0.5, 0.9, 0.7])
    hit = np.array([True, True, False])
    assert average_precision(score, hit, 2) == pytest.approx(0.5 + 0.5 * 2 / 3)


def test_a_box_on_somebody_ignored_counts_neither_way() -> None:
    """Of two people one is ignored: a box on each is one right box and no false one; a third, on
    nobody, is false.
    """
    truth = seen({"p": [(1, 1)], "q": [(3, 1)]}).assign(ignore=[False, True])
    found = seen({"p": [(1, 1)], "q": [(3, 1)], "r": [(5, 1)]})
    assert detection_figures(found[:2], truth, 0.5) | {
        "ap": 1.0,
        "precision": 1.0,
    } == detection_figures(truth, truth, 0.5)
    assert detection_figures(found, truth, 0.5)["precision"] == 0.5


def test_a_second_box_is_somebody_or_the_first_again() -> None:
    """Two people 0.1 m apart and a third alone, who has two boxes like them: two second boxes, of
    which one is a person.
    """
    truth = seen({"p": [(1, 1)], "q": [(1.1, 1)], "r": [(5, 1)]})
    found = seen({"p": [(1, 1)], "q": [(1.1, 1)], "r": [(5, 1)], "again": [(5.1, 1)]})
    found = found.assign(score=[0.9, 0.5, 0.9, 0.5])
    assert second_boxes(found, truth, 0.4) == {"second_boxes": 2, "second_people": 1}
    assert second_boxes(found, truth, 0.6) == {"second_boxes": 0, "second_people": 0}


def test_a_broken_and_a_swapped_track_cost_identity() -> None:
    """A whole track gives IDF1 1; one that breaks in the middle 2 * 5 / (10 + 10): half. Nobody is
    missed in either.
    """
    truth = seen({"p": [(i / 10, 1) for i in range(10)]})
    assert tracking_figures(truth, truth) | {"hota": 1.0} == pytest.approx(
        {
            "hota": 1,
            "deta": 1,
            "assa": 1,
            "idf1": 1,
            "mota": 1,
            "switches": 0,
            "found": 1,
            "people": 1,
        }
    )
    broken = tracking_figures(truth.assign(who=["x"] * 5 + ["y"] * 5), truth)
    assert broken["idf1"] == pytest.approx(0.5)
    assert broken["switches"] == 1
    assert broken["deta"] == pytest.approx(1)


def test_pairs_missed_and_invented_are_told_from_distances_wrong() -> None:
    """Of two pairs nearer than 2 m one is seen too far apart, of the other a person is missed:
    recall 0 of 1 and of 2.
    """
    nan = (np.nan, np.nan)
    truth = seen({"p": [(1, 1), (1, 1)], "q": [(2.98, 1), (2, 1)]})
    found = seen({"p": [(1, 1), (1, 1)], "q": [(3.02, 1), nan]})
    figures = ground_figures(found, truth)
    assert figures["pairs"] == 1
    assert figures["distance_bias_m"] == pytest.approx(0.04)
    assert (figures["recall"], figures["recall_all"]) == (0, 0)
    whole = ground_figures(truth, truth)
    assert (whole["precision"], whole["recall"], whole["recall_all"], whole["distance_p90_m"]) == (
        1,
        1,
        1,
        0,
    )
    half = ground_figures(truth[truth["t_utc"] == pd.Timestamp(T0)], truth)
    assert (half["recall"], half["recall_all"], half["precision_all"]) == (1, 0.5, 1)


def test_what_is_reported_is_matched_by_position() -> None:
    """A pair reported where it stands is right; one with somebody 1.5 m off is both false and
    missed.
    """
    truth = seen({"p": [(1, 1)] * 3, "q": [(2, 1)] * 3})
    assert reported_figures(truth, truth) == {"instants": 3, "precision": 1, "recall": 1}
    assert reported_figures(truth.assign(y_m=truth["y_m"] + 1.5), truth) == {
        "instants": 3,
        "precision": 0,
        "recall": 0,
    }


def test_toes_shorten_distances_only_face_to_face() -> None:
    """Two people located 7 cm ahead of themselves: 14 cm too near face to face, right one behind
    the other.
    """
    table = pd.DataFrame(
        {
            "t_utc": [0, 0, 1, 1],
            "x_m": [0, 1.5] * 2,
            "y_m": 0.0,
            "face_x": [1, -1, 1, 1],
            "face_y": 0.0,
        }
    )
    table = table.assign(camera_id="a", at_x_m=table["x_m"] + 0.07 * table["face_x"], at_y_m=0.0)
    stances = pair_figures(table)
    assert stances["face to face"] == {"pairs": 1, "error_m": pytest.approx(-0.14)}
    assert stances["one behind the other"] == {"pairs": 1, "error_m": pytest.approx(0)}


def test_facing_is_told_by_the_angle_to_the_camera() -> None:
    """Someone turned by 30 degrees faces the camera, by 90 is aside, by 180 away."""
    rows = pd.DataFrame(
        {"turned_deg": [30, 90, 180], "exact_m": [1, 2, 3], "detected_m": 0.0, "located_m": 0.0}
    )
    assert [part["exact_m"] for part in figures(rows).values()] == [1, 2, 3]


def test_pets_camera_and_truth_agree_on_the_floor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The camera's record (lens bent the other way) puts an annotated foot where Tsai's own model
    does, to 5 mm.
    """
    for path, text in ((pets_data.CALIBRATION, VIEW), (pets_data.ANNOTATIONS, BOXES)):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text(text)
    truth = pets_data.read_truth(tmp_path)
    assert truth[["frame", "person", "x0", "y1"]].to_numpy().tolist() == [[7, 3, 185, 440]]
    projection = Locator(pets_data.read_camera(tmp_path)).projection
    foot = projection.at_height(projection.undistort(np.array([[200.0, 440.0]])), 0.0)
    assert foot[0] == pytest.approx(truth[["x_m", "y_m"]].to_numpy()[0], abs=0.005)
    assert np.linalg.norm(foot - projection.at_height(np.array([[200.0, 440.0]]), 0.0)) > 0.05
    x, y = foot[0]
    for area, inside in (
        ((x - 1, x + 1, y - 1, y + 1), True),
        ((x + 0.1, x + 1, y - 1, y + 1), False),
    ):
        monkeypatch.setattr(pets_data, "TRACKING_AREA_M", area)
        assert pets_data.in_tracking_area(tmp_path, truth).tolist() == [inside]


def test_pets_files_that_lack_are_named(tmp_path: Path) -> None:
    """Without its files the set is refused with the file and where it is to be had."""
    with pytest.raises(BadInput, match="opencv-doc"):
        next(pets_data.frames(tmp_path))
    with pytest.raises(BadInput, match="OpenTraj"):
        pets_data.read_truth(tmp_path)
