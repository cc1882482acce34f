"""Detections of one camera to tracks: the same anonymous person through consecutive frames.

ByteTrack (Zhang et al., ECCV 2022; `trackers`) associates boxes. Where the camera is calibrated, the boxes' overlap is
weighed with the distance on the ground: two people who cross in the picture are seldom at one place on the floor.
Where two boxes merged all the same, the tracks are cut: joining again is decided on the ground plane by `tasks.join`,
with the other cameras' help. Nothing about anyone's looks is used.
"""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from data_contracts.camera import Camera
from data_contracts.tables import TRACKS
from data_contracts.time import Record
from tasks.locate import BODY_HEIGHT_M, Locator, hidden_by_others
from tasks.place import bridged, placed, seconds

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import supervision as sv
    from trackers import ByteTrackTracker
    from trackers.utils.iou import BaseIoU, IoU

Array = NDArray[np.float64]
_BOX = ["x0", "y0", "x1", "y1"]


class TrackSettings(Record):
    """Tracker parameters. The first four are ByteTrack's (score thresholds as measured for the detector on PETS).

    A track needs `min_frames` detections and one of at least `sure_score`; gaps up to `bridge_s` are interpolated.
    Tracks whose boxes overlap by `merged_iou` are cut; a doubtful box of which `explained_share` lies in sure ones is
    dropped.
    """

    high_score: float = Field(default=0.5, gt=0, lt=1)
    low_score: float = Field(default=0.1, gt=0, lt=1)
    min_similarity: float = Field(default=0.1, gt=0, lt=1)
    lost_s: float = Field(default=1.0, gt=0)
    min_frames: int = Field(default=3, ge=1)
    sure_score: float = Field(default=0.5, gt=0, lt=1)
    typical_score: float = Field(default=0.25, gt=0, lt=1)
    bridge_s: float = Field(default=2.0, ge=0)
    ground_scale_m: float = Field(default=0.5, gt=0)
    merged_iou: float = Field(default=0.5, gt=0, lt=1)
    explained_share: float = Field(default=0.85, gt=0, le=1)


class GroundIoU(BaseIoU):
    """Overlap of boxes, less where their feet and heads would be apart on the ground.

    IoU / (1 + d² / s²), with d² the mean of the squared distances of the foot points and of the head points (at the
    population's height) on the ground, and s `scale_m`. The heavy tail keeps people whose feet vanish behind something.
    """

    def __init__(self, locator: Locator, scale_m: float) -> None:
        self._locator, self._scale, self._plain = locator, scale_m, IoU()

    def _compute(self, boxes_1: np.ndarray, boxes_2: np.ndarray) -> np.ndarray:
        feet = self._apart(boxes_1, boxes_2, 3, 0.0)
        heads = self._apart(boxes_1, boxes_2, 1, BODY_HEIGHT_M)
        return self._plain.compute(boxes_1, boxes_2) / (1 + (feet + heads) / 2 / self._scale**2)

    def _apart(self, boxes_1: Array, boxes_2: Array, row: int, height_m: float) -> Array:
        """Squared distances (n, m) in m², 0 where a point lies beyond the horizon."""
        at = []
        for boxes in (boxes_1, boxes_2):
            px = np.c_[(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, row]].astype(float)
            at.append(self._locator.projection.at_height(self._locator.projection.undistort(px), height_m))
        return np.nan_to_num(((at[0][:, None] - at[1][None]) ** 2).sum(-1), nan=0.0)


def track(detections: pd.DataFrame, camera: Camera, settings: TrackSettings | None = None) -> pd.DataFrame:
    """Tracks (contract TRACKS) of one camera from its DETECTIONS over all segments; ids start at 1.

    Positions are smoothed over each track, with the body height that the track itself shows; they stay null where the
    camera is not calibrated or the person was beyond its coverage. Rows bridged by interpolation have score 0.
    """
    settings = settings or TrackSettings()
    own = detections[detections["camera_id"] == camera.camera_id].sort_values("t_utc", kind="stable")
    own = own[own["score"] >= settings.low_score].reset_index(drop=True)
    own = own[~_explained(own, settings)].reset_index(drop=True)
    if own.empty:
        return TRACKS.empty()
    locator = None if camera.homography is None else Locator(camera)
    ids = _associate(own, locator, settings)
    ids = _cut_merged(own, ids, settings)
    hidden = _hidden(own)
    parts: list[pd.DataFrame] = []
    for number in np.unique(ids[ids >= 0]):
        rows = np.flatnonzero(ids == number)
        score = own["score"].to_numpy()[rows]
        if len(rows) < settings.min_frames or score.max() < settings.sure_score:
            continue
        if np.median(score) < settings.typical_score:
            continue
        part = bridged(own.iloc[rows].assign(hidden_share=hidden[rows]), settings.bridge_s)
        parts.append(placed(part, locator).assign(track_id=len(parts) + 1))
    return TRACKS.shape(pd.concat(parts, ignore_index=True)) if parts else TRACKS.empty()


def _associate(own: pd.DataFrame, locator: Locator | None, settings: TrackSettings) -> NDArray[np.intp]:
    """(n,) ByteTrack's number for each detection, -1 where none."""
    at = seconds(own["t_utc"])
    frames, index = np.unique(at, return_inverse=True)
    step = float(np.median(np.diff(frames))) if len(frames) > 1 else 0.2
    tracker = ByteTrackTracker(
        lost_track_buffer=round(30 * settings.lost_s),
        frame_rate=1.0 / max(step, 1e-3),
        track_activation_threshold=settings.high_score,
        high_conf_det_threshold=settings.high_score,
        minimum_iou_threshold=settings.min_similarity,
        iou=_similarity(locator, settings),
    )
    boxes, score = own[_BOX].to_numpy(np.float32), own["score"].to_numpy(np.float32)
    out = np.full(len(own), -1, np.intp)
    for k, t in enumerate(frames):
        rows = np.flatnonzero(index == k)
        # class_id carries the row through the tracker, which reorders detections.
        found = tracker.update(sv.Detections(xyxy=boxes[rows], confidence=score[rows], class_id=rows), timestamp=t)
        if len(found) and found.tracker_id is not None:
            out[found.class_id] = found.tracker_id
    return out


def _similarity(locator: Locator | None, settings: TrackSettings) -> BaseIoU:
    return IoU() if locator is None else GroundIoU(locator, settings.ground_scale_m)


def _cut_merged(own: pd.DataFrame, ids: NDArray[np.intp], settings: TrackSettings) -> NDArray[np.intp]:
    """New numbers, cut where two tracks' boxes had merged: what comes after may be the other person."""
    boxes, at = own[_BOX].to_numpy(float), seconds(own["t_utc"])
    cuts: dict[int, set[float]] = {}
    last: dict[int, int] = {}
    for t in np.unique(at):
        rows = [int(i) for i in np.flatnonzero((at == t) & (ids >= 0))]
        present = {int(ids[i]): i for i in rows}
        # A track that has no detection now stands where it was last seen.
        ghosts = {k: i for k, i in last.items() if k not in present and t - at[i] <= settings.lost_s}
        around = present | ghosts
        alike = IoU().compute(boxes[list(present.values())], boxes[list(around.values())])
        for a, b in zip(*np.nonzero(alike >= settings.merged_iou), strict=True):
            k, other = list(present)[a], list(around)[b]
            if k != other:
                cuts.setdefault(k, set()).add(t)
                cuts.setdefault(other, set()).add(t)
        last |= present
    return _renumber(ids, at, cuts, settings)


def _renumber(
    ids: NDArray[np.intp], at: Array, cuts: dict[int, set[float]], settings: TrackSettings
) -> NDArray[np.intp]:
    """Split each track at its cut times: rows in a merged stretch belong to no one, those after it get a new number."""
    out, fresh = ids.copy(), int(ids.max(initial=0)) + 1
    for number, times in cuts.items():
        rows = np.flatnonzero(ids == number)
        for stretch in _stretches(sorted(times), settings.lost_s / 2):
            after = rows[at[rows] > stretch[1]]
            out[rows[(at[rows] >= stretch[0]) & (at[rows] <= stretch[1])]] = -1
            if len(after):
                out[after] = fresh
                fresh += 1
    return out


def _stretches(times: list[float], within_s: float) -> list[tuple[float, float]]:
    out: list[tuple[float, float]] = []
    for t in times:
        if out and t - out[-1][1] <= within_s:
            out[-1] = (out[-1][0], t)
        else:
            out.append((t, t))
    return out


def _by_frame(own: pd.DataFrame) -> list[NDArray[np.intp]]:
    """Row numbers of each frame."""
    return [np.asarray(rows, np.intp) for rows in own.groupby("t_utc").indices.values()]


def _explained(own: pd.DataFrame, settings: TrackSettings) -> NDArray[np.bool_]:
    """(n,) whether a doubtful box lies in sure boxes of the same frame: limbs of two people in a crowd, no third one."""
    out = np.zeros(len(own), bool)
    boxes, score = own[_BOX].to_numpy(float), own["score"].to_numpy(float)
    share = (np.arange(12) + 0.5) / 12
    for rows in _by_frame(own):
        sure = boxes[rows[score[rows] >= settings.high_score]]
        for i in rows[score[rows] < settings.high_score]:
            x = boxes[i, 0] + share * (boxes[i, 2] - boxes[i, 0])
            y = boxes[i, 1] + share * (boxes[i, 3] - boxes[i, 1])
            in_x = (sure[:, :1] <= x) & (x <= sure[:, 2:3])
            in_y = (sure[:, 1:2] <= y) & (y <= sure[:, 3:4])
            inside = (in_x[:, :, None] & in_y[:, None, :]).any(0)
            out[i] = inside.mean() >= settings.explained_share
    return out


def _hidden(own: pd.DataFrame) -> Array:
    """(n,) how much of the lower part a nearer person hides, frame by frame."""
    out = np.zeros(len(own))
    boxes, score = own[_BOX].to_numpy(float), own["score"].to_numpy(float)
    for rows in _by_frame(own):
        out[rows] = hidden_by_others(boxes[rows], score[rows])
    return out
