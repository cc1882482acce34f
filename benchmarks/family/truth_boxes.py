"""Detections made from a scene's exact boxes, for what comes after the detector: everyone of whom a
third is to be seen, with jitter, and feet cut off where a part of the body is hidden.

The truth does not say which part is hidden. Cutting the lower part off is the worst for places:
furniture does so, other people often.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks.site.instants import FACE_ANGLE_DEG, HEAD_FREE
from benchmarks.truth import SEEABLE, Truth
from data_contracts.camera import Site
from data_contracts.tables.contracts import DETECTIONS

# Below this share something of the body is hidden: its own arms and legs hide the rest.
_WHOLE = 0.92
# Deviation of a box's edges as a share of its height: as `EDGE_SD_SHARE` of tasks.ground.position.
_JITTER = 0.012
# A face is proposed as the subject's from this head height on, with this probability.
_FACE_HEAD_PX = 60.0
_FACE_WIDTH_SHARE = 0.44
_PROPOSED = 0.97


def truth_detections(truth: Truth, subject: str, site: Site, cut_feet: bool) -> pd.DataFrame:
    """DETECTIONS of a scene's true boxes; faces of 26 px and more are known without fault."""
    boxes = truth.boxes
    rows = boxes[(boxes["footage"] == "ok") & (boxes["visible"] >= SEEABLE)].copy()
    if cut_feet:
        kept = np.where(rows["visible"] < _WHOLE, rows["visible"], 1.0)
        rows["y1"] = rows["y0"] + kept * (rows["y1"] - rows["y0"])
    _jitter(rows, site)
    rows = rows[(rows["x1"] > rows["x0"]) & (rows["y1"] > rows["y0"])]
    face = (
        (rows["face_angle_deg"] < FACE_ANGLE_DEG)
        & (rows["head_px"] >= _FACE_HEAD_PX)
        & (rows["head_visible"] > HEAD_FREE)
    )
    found = rows.rename(columns={"camera": "camera_id"}).assign(
        score=0.8,
        foot_hidden=False,
        face_px=np.where(face, _FACE_WIDTH_SHARE * rows["head_px"], np.nan),
        subject_p=np.where(face & (rows["person"] == subject), _PROPOSED, np.nan),
        mask_p=np.where(face, rows["masked"], np.nan),
    )
    return DETECTIONS.shape(found)


def _jitter(rows: pd.DataFrame, site: Site) -> None:
    rng = np.random.default_rng(0)
    high = (rows["y1"] - rows["y0"]).to_numpy(float)
    width = rows["camera"].map({c.camera_id: c.image_width for c in site.cameras})
    height = rows["camera"].map({c.camera_id: c.image_height for c in site.cameras})
    for name, most in (("x0", width), ("y0", height), ("x1", width), ("y1", height)):
        moved = rows[name] + rng.normal(0, _JITTER, len(rows)) * high
        rows[name] = moved.clip(lower=0).clip(upper=most)
