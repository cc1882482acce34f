"""Where the lowest point of a standing body lies beside its axis, by which way it faces, on a
synthetic site.

    python -m benchmarks.accuracy.feet demo --detections FILE --json out.json

The foot point is the middle of a box's lower edge, through the homography, without the corrections
of `tasks.ground.position`. Printed is how far it is from the true position, towards the camera, for
exact boxes and for detected ones, and how far the located position (`tasks.ground.position`, all
corrections) is from it in the direction that the person faces. Then what that makes of the distance
between two people nearer than 3 m. Only people of whom 70 % or more are to be seen.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from supervision import box_iou_batch

from benchmarks.accuracy import following, site_tracks
from benchmarks.accuracy.detection import BOX, frames_of
from benchmarks.accuracy.ground import NEAR_M
from data_contracts.camera import Camera
from tasks.ground.position import Locator
from tasks.people.track import TrackSettings

# Degrees between the direction that a person faces and the line to the camera.
FACING = {"to the camera": (0, 45), "aside": (45, 135), "away": (135, 181)}
FULL_VIEW = 0.7
SAME = 0.6
# Two people face each other, or stand one behind the other, where both are turned less than this
# from the line between.
IN_LINE_DEG = 45


def main() -> None:
    """Print one table for each way of facing; write the figures as JSON."""
    given, site, looked = site_tracks.asked(__doc__)
    people = pd.read_csv(
        given.folder / "truth" / "people.csv", usecols=["t_utc", "person", "heading_deg"]
    )
    people["t_utc"] = pd.to_datetime(people["t_utc"], utc=True, format="ISO8601")
    truth = site_tracks.truth_of(given.folder).merge(people, on=["t_utc", "person"])
    rows = pd.concat([_offsets(looked.found, truth, camera) for camera in site.cameras])
    following.report(
        {"machine": following.machine(), **figures(rows), **pair_figures(rows)}, given.json
    )


def figures(rows: pd.DataFrame) -> dict[str, Any]:
    """Medians in metres by way of facing. `rows`: turned_deg, exact_m, detected_m, located_m."""
    out = {}
    for name, (low, high) in FACING.items():
        part = rows[(rows["turned_deg"] >= low) & (rows["turned_deg"] < high)]
        medians = {key: float(part[key].median()) for key in ("exact_m", "detected_m", "located_m")}
        out[name] = {"boxes": len(part), **medians}
    return out


def pair_figures(rows: pd.DataFrame) -> dict[str, Any]:
    """Median error in metres of the distance between two people, by how they stand to each other.

    `rows`: camera_id, t_utc, x_m, y_m, at_x_m, at_y_m (located), face_x, face_y (unit vector).
    """
    pairs = []
    for _, frame in rows.groupby(["camera_id", "t_utc"]):
        true, at, facing = (
            frame[c].to_numpy(float)
            for c in (["x_m", "y_m"], ["at_x_m", "at_y_m"], ["face_x", "face_y"])
        )
        for i, j in zip(*np.triu_indices(len(frame), 1), strict=True):
            line = true[j] - true[i]
            apart = float(np.hypot(*line))
            if apart < NEAR_M:
                turned = np.degrees(
                    np.arccos(np.clip([facing[i] @ line / apart, facing[j] @ -line / apart], -1, 1))
                )
                pairs.append((_stance(turned), float(np.hypot(*(at[j] - at[i]))) - apart))
    table = pd.DataFrame(pairs, columns=["stance", "error_m"])
    return {
        s: {"pairs": len(g), "error_m": float(g["error_m"].median())}
        for s, g in table.groupby("stance")
    }


def _stance(turned_deg: np.ndarray) -> str:
    """How two people stand; `turned_deg` (2,) degrees that each is turned away from the other."""
    towards = turned_deg < IN_LINE_DEG
    back = turned_deg > 180 - IN_LINE_DEG
    if towards.all():
        return "face to face"
    return "one behind the other" if towards.any() and back.any() else "otherwise"


def _offsets(found: pd.DataFrame, truth: pd.DataFrame, camera: Camera) -> pd.DataFrame:
    """One row a person and frame: offsets of the foot point and of the located position, and what
    they are made of.
    """
    sure = found[
        (found["camera_id"] == camera.camera_id) & (found["score"] >= TrackSettings().high_score)
    ]
    clear = truth[(truth["camera_id"] == camera.camera_id) & (truth["visible"] >= FULL_VIEW)]
    pairs = []
    for boxes, people in frames_of(sure, clear):
        overlap = box_iou_batch(people[BOX].to_numpy(float), boxes[BOX].to_numpy(float))
        if overlap.size:
            good = np.flatnonzero(overlap.max(1) >= SAME)
            pairs.append((people.iloc[good], boxes.iloc[overlap.argmax(1)[good]]))
    if not pairs:
        return pd.DataFrame()
    people, boxes = (pd.concat(part, ignore_index=True) for part in zip(*pairs, strict=True))
    locator = Locator(camera)
    true = people[["x_m", "y_m"]].to_numpy(float)
    near = locator.projection.camera_xy_m - true
    near /= np.linalg.norm(near, axis=1, keepdims=True)
    angle = np.radians(people["heading_deg"].to_numpy(float))
    facing = np.c_[np.cos(angle), np.sin(angle)]
    feet = [locator.projection.axis_ends(t[BOX].to_numpy(float))[0] for t in (people, boxes)]
    exact, detected = (
        ((locator.projection.at_height(px, 0.0) - true) * near).sum(1) for px in feet
    )
    at = locator.locate(boxes[BOX].to_numpy(float)).xy_m
    turned = np.degrees(np.arccos(np.clip((facing * near).sum(1), -1, 1)))
    return people[["camera_id", "t_utc", "x_m", "y_m"]].assign(
        turned_deg=turned,
        exact_m=exact,
        detected_m=detected,
        located_m=((at - true) * facing).sum(1),
        at_x_m=at[:, 0],
        at_y_m=at[:, 1],
        face_x=facing[:, 0],
        face_y=facing[:, 1],
    )


if __name__ == "__main__":
    main()
