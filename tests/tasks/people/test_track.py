"""Track: one person, one track, through crossings, occlusions and segment borders."""

import numpy as np
import pandas as pd
import pytest
from walk_scene import T0, observe, owner, straight, two_cameras, way

from data_contracts.camera import Camera
from data_contracts.tables.contracts import DETECTIONS, TRACKS
from data_contracts.tables.validate import validate
from tasks.ground.kalman import smooth
from tasks.people.track import TrackSettings, track
from tasks.people.track_position import body_height

CAMERAS = two_cameras()


def seen(walkers, seconds, seed=0, **options):
    """Detections of camera a, the truth behind them, and its tracks."""
    found, truth = observe(CAMERAS[:1], walkers, seconds, np.random.default_rng(seed), **options)
    return found, truth, track(found, CAMERAS[0][0])


def test_walker_is_one_track_in_the_right_place():
    """Someone who walks through is one track; positions are within 15 cm in the median and the body
    height is found.
    """
    path = straight((3, 2), (8, 6), 0.0)
    _, _, tracks = seen({"p": (1.75, path)}, 5)
    validate(tracks, TRACKS)
    assert tracks["track_id"].nunique() == 1
    at = (tracks["t_utc"] - pd.Timestamp(T0)).dt.total_seconds()
    truth = np.array([path(t) for t in at])
    assert np.median(np.hypot(*(tracks[["x_m", "y_m"]].to_numpy() - truth).T)) < 0.15


def test_crossing_walkers_are_not_swapped():
    """Of two people who cross in the picture no track is a mixture of both."""
    walkers = {
        "p": (1.6, straight((3, 3), (7, 6.5), 0.0, 0.9)),
        "q": (1.8, straight((7, 3), (4, 6.5), 0.0, 0.9)),
    }
    _, truth, tracks = seen(walkers, 6)
    assert min(share for _, share in owner(tracks, truth).values()) > 0.95


def test_who_passes_in_front_does_not_take_the_track_along():
    """Someone steps in front of a person and walks on: where both boxes overlap, the floor decides
    whose track is whose.

    Tracks are swapped in at most one of ten runs; by overlap alone it is nine.
    """
    walkers = {
        "stands": (1.65, way((0, 6.4, 4.9), (7, 6.4, 4.9))),
        "passes": (1.75, way((0, 5.2, 4.69), (2, 5.2, 4.69), (6.4, 7.34, 1.85))),
    }
    runs = [seen(walkers, 6.4, seed, hide_iou=0.468)[1:] for seed in range(10)]
    swapped = [
        min(share for _, share in owner(tracks, truth).values()) < 0.9 for truth, tracks in runs
    ]
    assert sum(swapped) <= 1


def test_a_doubtful_box_beside_does_not_carry_a_track_away():
    """Where a person vanishes, a doubtful box that overlaps where they stood by less than .6 is not
    taken for them.
    """
    rows = []
    for i in range(20):
        box, score = (
            ((600, 300, 660, 460), 0.8) if i < 10 else ((618, 300, 678, 460), 0.3)
        )  # IoU 42 / 78 = .54
        t = T0 + pd.Timedelta(seconds=0.2 * i)
        rows.append(
            {
                "camera_id": "a",
                "t_utc": t,
                "score": score,
                **dict(zip(("x0", "y0", "x1", "y1"), box, strict=True)),
            }
        )
    found = DETECTIONS.shape(pd.DataFrame(rows).assign(foot_hidden=False))
    assert track(found, CAMERAS[0][0])["score"].min() > 0.7


def test_segment_border_does_not_cut():
    """A frame missing at the border of two segments does not end a track; the gap is bridged with
    score 0.
    """
    found, _, _ = seen({"p": (1.75, straight((3, 2), (8, 6), 0.0))}, 5, miss=0.0)
    held = found[
        (found["t_utc"] < T0 + pd.Timedelta(seconds=2))
        | (found["t_utc"] > T0 + pd.Timedelta(seconds=2.5))
    ]
    tracks = track(held, CAMERAS[0][0])
    assert tracks["track_id"].nunique() == 1
    bridged = tracks[tracks["score"] == 0]
    assert len(bridged) == 3
    assert bridged["foot_hidden"].all()
    assert bridged["face_px"].isna().all()


def test_long_absence_ends_a_track():
    """Nobody is the same track after longer out of sight than the tracker remembers."""
    walkers = {"p": (1.75, way((0, 3, 3), (3, 5, 4))), "q": (1.75, way((9, 5, 4), (12, 3, 3)))}
    assert seen(walkers, 12)[2]["track_id"].nunique() == 2


@pytest.mark.parametrize("score", [0.2, 0.45])
def test_doubtful_boxes_alone_are_no_one(score):
    """A coat stand that the detector half believes in for a minute never becomes a person."""
    rows = [
        {
            "camera_id": "a",
            "t_utc": T0 + pd.Timedelta(seconds=0.2 * i),
            "x0": 600,
            "y0": 300,
            "x1": 650,
            "y1": 460,
        }
        for i in range(100)
    ]
    found = DETECTIONS.shape(pd.DataFrame(rows).assign(score=score, foot_hidden=False))
    assert track(found, CAMERAS[0][0]).empty


def test_limbs_of_two_people_are_no_third():
    """A doubtful box that lies inside two sure ones is dropped before tracking."""
    rows = []
    for i in range(20):
        boxes = (
            ((600, 300, 650, 460), 0.8),
            ((640, 300, 690, 460), 0.8),
            ((625, 310, 665, 420), 0.3),
        )
        for box, score in boxes:
            t = T0 + pd.Timedelta(seconds=0.2 * i)
            rows.append(
                {
                    "camera_id": "a",
                    "t_utc": t,
                    "score": score,
                    **dict(zip(("x0", "y0", "x1", "y1"), box, strict=True)),
                }
            )
    found = DETECTIONS.shape(pd.DataFrame(rows).assign(foot_hidden=False))
    assert track(found, CAMERAS[0][0])["track_id"].nunique() == 2


def test_uncalibrated_camera_still_tracks():
    """Without a homography tracks have boxes and no positions."""
    view = Camera(camera_id="a", image_width=1280, image_height=720)
    found, _ = observe(
        CAMERAS[:1],
        {"p": (1.75, straight((3, 2), (8, 6), 0.0))},
        5,
        np.random.default_rng(0),
        miss=0.0,
    )
    tracks = track(found, view)
    assert tracks["track_id"].nunique() == 1
    assert tracks["x_m"].isna().all()


def test_nothing_in_nothing_out():
    """No detections give an empty table of the contract."""
    validate(track(DETECTIONS.empty(), CAMERAS[0][0], TrackSettings()), TRACKS)


def test_body_height_trusts_many_looks_more_than_the_population():
    """Without looks the population's height comes back; with many of them theirs, more certain."""
    assert body_height(np.array([np.nan])) == (1.68, 0.09)
    height, sd = body_height(np.full(200, 1.55))
    assert height == pytest.approx(1.55, abs=0.01)
    assert sd < 0.02


def test_smoothing_halves_the_noise_and_bridges():
    """A noisy straight walk comes out closer to the truth than the measurements, also where they
    are missing.
    """
    rng = np.random.default_rng(0)
    t = np.arange(0, 10, 0.2)
    true = np.c_[1.2 * t, 0.3 * t]
    measured = true + rng.normal(0, 0.2, true.shape)
    measured[20:24] = np.nan
    state, cov = smooth(t, measured, np.repeat(np.eye(2)[None] * 0.04, len(t), 0))
    error = np.hypot(*(state[:, :2] - true).T)
    assert np.sqrt((error**2).mean()) < 0.5 * np.sqrt(2) * 0.2
    assert error[20:24].max() < 0.3
    assert cov[22, 0, 0] > cov[10, 0, 0]
    assert state[10, 2] == pytest.approx(1.2, abs=0.25)
