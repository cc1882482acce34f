"""Detections from exact boxes: feet are cut off where something hides a part of the body."""

import numpy as np
import pandas as pd

from benchmarks.family.truth_boxes import truth_detections
from benchmarks.truth import Truth
from data_contracts.camera import Camera, Origin, Site

T = pd.Timestamp("2026-11-18T01:00:00Z")


def test_hidden_parts_are_cut_off_below_and_faces_are_the_subjects_alone():
    """Of 200 px, 60 % to be seen: 120 px are left. Who is to be seen less than a third is not
    there.
    """
    boxes = pd.DataFrame(
        {
            "camera": "a",
            "t_utc": T,
            "person": ["S", "A", "B"],
            **{"x0": 100.0, "y0": 100.0, "x1": 160.0, "y1": 300.0},
            "visible": [0.6, 1.0, 0.2],
            "face_angle_deg": 10.0,
            "head_px": 70.0,
            "head_visible": 1.0,
            "masked": 0,
            "footage": "ok",
        }
    )
    site = Site(
        cameras=(Camera(camera_id="a", image_width=1280, image_height=720),),
        origin=Origin(lon=0, lat=0),
    )
    truth = Truth(pd.DataFrame(), boxes, pd.DataFrame())
    found = truth_detections(truth, "S", site, cut_feet=True)
    high = (found["y1"] - found["y0"]).to_numpy()
    assert np.allclose(high, [120, 200], atol=12)
    assert found["subject_p"].notna().tolist() == [True, False]
    whole = truth_detections(truth, "S", site, cut_feet=False)
    assert np.allclose(whole["y1"] - whole["y0"], 200, atol=12)
