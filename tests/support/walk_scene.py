"""Walkers with known positions seen by pinhole cameras: detections as a detector would give them,
with exact truth.
"""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
from supervision import box_iou_batch

from data_contracts.camera import Camera, Neighbour, Origin, Site
from data_contracts.tables.contracts import DETECTIONS

T0 = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
WIDTH = 1280
HEIGHT = 720
FOCAL = 820.0


def camera(camera_id, position, look_at, focal=FOCAL, **options):
    """A level pinhole camera at `position` (x, y, z) m that looks at the floor point `look_at` (x,
    y).
    """
    full = projection(position, look_at, focal)
    homography = np.linalg.inv(full[:, [0, 1, 3]])
    return Camera(
        camera_id=camera_id,
        image_width=WIDTH,
        image_height=HEIGHT,
        homography_px_to_local=tuple(map(tuple, (homography / homography[2, 2]).tolist())),
        **{"position_local_m": tuple(map(float, position)), **options},
    )


def projection(position, look_at, focal=FOCAL):
    """The (3, 4) matrix from metres to pixels."""
    position = np.asarray(position, float)
    forward = np.array([*look_at, 0.0]) - position
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    k = np.array([[focal, 0, WIDTH / 2], [0, focal, HEIGHT / 2], [0, 0, 1.0]])
    return k @ np.c_[rotation, -rotation @ position]


def box_of(full, xy, height):
    """Box (4,) px of a cylinder of `height` m and 0.45 m width at `xy`, not clipped; None behind
    the camera.
    """
    foot = full @ np.array([*xy, 0.0, 1.0])
    head = full @ np.array([*xy, height, 1.0])
    if min(foot[2], head[2]) < 0.3:
        return None
    middle = (foot[0] / foot[2] + head[0] / head[2]) / 2
    half = 0.225 * FOCAL / foot[2]
    return np.array([middle - half, head[1] / head[2], middle + half, foot[1] / foot[2]])


def observe(cameras, walkers, seconds, rng, jitter=0.012, step_s=0.2, hide_iou=0.55, miss=0.02):
    """DETECTIONS of `walkers` {name: (height, path(t) -> (2,) or None)} and the truth {(camera, t):
    {name: box}}.

    `cameras` {Camera: (3, 4) projection}. Boxes jitter by `jitter` of their height. Of two boxes
    that overlap more than `hide_iou` only the nearer is detected; a share `miss` is not detected at
    all.
    """
    rows = []
    for cam, full in cameras:
        for tick in range(round(seconds / step_s)):
            t = tick * step_s
            seen = []
            for name, (height, path) in walkers.items():
                xy = path(t)
                box = None if xy is None else box_of(full, xy, height)
                if box is None:
                    continue
                cut = np.clip(box, 0, [WIDTH, HEIGHT] * 2)
                if (cut[2] - cut[0]) * (cut[3] - cut[1]) > 0.3 * (box[2] - box[0]) * (
                    box[3] - box[1]
                ):
                    seen.append((float((full @ np.array([*xy, 0.0, 1.0]))[2]), name, cut))
            kept = []
            for _, name, box in sorted(seen, key=lambda item: item[0]):
                if not hidden(box, kept, hide_iou) and rng.random() > miss:
                    kept.append((name, box))
            for name, box in kept:
                noisy = box + rng.normal(0, jitter * (box[3] - box[1]), 4)
                noisy = np.clip(noisy, 0, [WIDTH, HEIGHT] * 2)
                rows.append(
                    {
                        "camera_id": cam.camera_id,
                        "t_utc": T0 + pd.Timedelta(seconds=round(t, 3)),
                        **dict(zip(("x0", "y0", "x1", "y1"), noisy, strict=True)),
                        "score": 0.8,
                        "foot_hidden": False,
                        "who": name,
                    }
                )
    frame = pd.DataFrame(rows)
    return DETECTIONS.shape(frame), frame


def hidden(box, nearer, hide_iou):
    """Whether a box overlaps one of the `nearer` (name, box) by at least `hide_iou`."""
    boxes = np.array([other for _, other in nearer]).reshape(-1, 4)
    return bool((box_iou_batch(box[None], boxes) >= hide_iou).any())


def straight(start, end, begin_s, speed=1.2):
    """A walk from `start` to `end` that begins at `begin_s`; absent before and after."""
    start = np.asarray(start, float)
    end = np.asarray(end, float)
    length = float(np.hypot(*(end - start)))

    def path(t):
        along = (t - begin_s) * speed
        return (
            None
            if along < 0 or along > length
            else start + (end - start) * along / max(length, 1e-9)
        )

    return path


def way(*points):
    """A path through (t, x, y) points in time order; absent before the first and after the last."""
    table = np.asarray(points, float)

    def path(t):
        if not table[0, 0] <= t <= table[-1, 0]:
            return None
        return np.array(
            [np.interp(t, table[:, 0], table[:, 1]), np.interp(t, table[:, 0], table[:, 2])]
        )

    return path


def site(*cameras):
    """A site in which every camera overlaps with every other."""
    linked = tuple(
        c.model_copy(
            update={
                "neighbours": tuple(
                    Neighbour(camera_id=o.camera_id, walking_seconds=0)
                    for o in cameras
                    if o is not c
                )
            }
        )
        for c in cameras
    )
    return Site(cameras=linked, origin=Origin(lon=0.0, lat=0.0))


POSE_A = ((0.3, 0.3, 2.7), (5.0, 4.0))
POSE_B = ((9.7, 7.7, 2.7), (5.0, 4.0))


def two_cameras():
    """Two cameras in opposite corners of a 10 m x 8 m room, with their projections."""
    return [(camera(n, *pose), projection(*pose)) for n, pose in (("a", POSE_A), ("b", POSE_B))]


def owner(tracks, truth):
    """Who each (camera, track) mostly is, and the share of its detections that are: {(camera,
    track): (name, share)}.
    """
    key = ["camera_id", "t_utc", "x0", "y0"]
    merged = tracks[tracks["score"] > 0].merge(truth[[*key, "who"]], on=key)
    out = {}
    for ident, rows in merged.groupby(["camera_id", "track_id"]):
        counts = rows["who"].value_counts()
        out[ident] = (counts.index[0], counts.iloc[0] / len(rows))
    return out
