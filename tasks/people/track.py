"""Detections of one camera to tracks: the same anonymous person through consecutive frames.

ByteTrack (Zhang et al., ECCV 2022; `trackers`) associates boxes by their overlap. Where the camera
is calibrated, the distance on the ground decides between boxes that overlap alike: two people who
cross in the picture are seldom at one place on the floor. What is lost is joined again on the
ground plane by `tasks.people.join`, with the other cameras' help. Nothing about anyone's looks is
used.
"""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from data_contracts.camera import Camera
from data_contracts.record import Record
from data_contracts.tables.contracts import TRACKS
from data_contracts.time import CLOCK_S, seconds_of
from models.files.manifest import default_person_scores
from models.interface import PersonScores
from tasks.ground.position import (
    BODY_HEIGHT_M,
    EDGE_SD_PX,
    EDGE_SD_SHARE,
    Locator,
    hidden_by_others,
)
from tasks.people.track_position import bridged, placed

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import supervision as sv
    from trackers import ByteTrackTracker
    from trackers.utils.iou import BaseIoU, IoU

Array = NDArray[np.float64]
_BOX = ["x0", "y0", "x1", "y1"]
# How far a walker is from where the last steps lead, a frame or two later: half a step.
STEP_SD_M = 0.5


class TrackSettings(Record):
    """Tracker parameters.

    The first five are ByteTrack's. A box of at least `high_score` goes on as the track that it
    overlaps by `min_similarity` (the default of `trackers`), or starts one. A doubtful box, down to
    `low_score`, goes on as the track that it overlaps by `doubtful_similarity`: the authors take
    .5, but NanoDet has many doubtful boxes on limbs and furniture: at .55 and .6 fewer tracks are
    carried away by them, at .7 people half hidden are lost (docs/accuracy.md). A track ends when
    nothing was seen for `lost_s`, as long as gaps are bridged.

    The scores are the detector's own: their defaults stand beside the default detector in
    models/files/manifest.yaml.

    A track needs `min_frames` detections and one of at least `sure_score`; gaps up to `bridge_s`
    are interpolated. A doubtful box of which `explained_share` lies in sure ones is dropped.
    """

    high_score: float = Field(default_factory=lambda: default_person_scores().sure, gt=0, lt=1)
    low_score: float = Field(default_factory=lambda: default_person_scores().continues, gt=0, lt=1)
    min_similarity: float = Field(default=0.1, gt=0, lt=1)
    doubtful_similarity: float = Field(default=0.6, gt=0, lt=1)
    lost_s: float = Field(default=2.0, gt=0)
    min_frames: int = Field(default=3, ge=1)
    sure_score: float = Field(default_factory=lambda: default_person_scores().sure, gt=0, lt=1)
    typical_score: float = Field(
        default_factory=lambda: default_person_scores().typical, gt=0, lt=1
    )
    bridge_s: float = Field(default=2.0, ge=0)
    explained_share: float = Field(default=0.85, gt=0, le=1)

    @classmethod
    def of(cls, scores: PersonScores) -> TrackSettings:
        """For detections whose scores are another detector's than the default's."""
        return cls(
            high_score=scores.sure,
            low_score=scores.continues,
            sure_score=scores.sure,
            typical_score=scores.typical,
        )


class GroundIoU(BaseIoU):
    """Overlap of boxes, less where their feet and heads would be apart on the ground.

    IoU (1 + w) / 2 with w = 1 / (1 + m²), and m² the mean of the squared distances of the foot
    points and of the head points (at the population's height) on the ground, in units of their
    deviation. It halves an overlap at most: this orders boxes that compete for a track, while a
    place that jumps (feet that vanish behind something) still does not end one. Overlaps with the
    frame's `doubtful` boxes (m, 4) count from `least` on; `trackers` has one limit for both
    associations.
    """

    def __init__(self, locator: Locator | None, least: float) -> None:
        self._locator = locator
        self._least = least
        self._plain = IoU()
        self.doubtful = np.zeros((0, 4), np.float32)

    def _compute(self, boxes_1: np.ndarray, boxes_2: np.ndarray) -> np.ndarray:
        overlap = self._plain.compute(boxes_1, boxes_2)
        if np.array_equal(boxes_2, self.doubtful):
            overlap = np.where(overlap >= self._least, overlap, 0.0)
        if self._locator is None or not overlap.size:
            return overlap
        away = (
            self._apart(boxes_1, boxes_2, 3, 0.0) + self._apart(boxes_1, boxes_2, 1, BODY_HEIGHT_M)
        ) / 2
        return overlap * (1 + 1 / (1 + away)) / 2

    def _apart(self, boxes_1: Array, boxes_2: Array, row: int, height_m: float) -> Array:
        """(n, m) squared distances over variances, 0 where a point lies beyond the horizon.

        The variance is what a box edge's jitter makes of the distance from the camera, and
        STEP_SD_M.
        """
        assert self._locator is not None
        at = []
        variance = []
        for boxes in (np.asarray(boxes_1, float), np.asarray(boxes_2, float)):
            x = (boxes[:, 0] + boxes[:, 2]) / 2
            sd_px = EDGE_SD_PX + EDGE_SD_SHARE * (boxes[:, 3] - boxes[:, 1])
            rows = np.concatenate([boxes[:, row] + k * sd_px for k in (0, 1, -1)])
            px = self._locator.projection.undistort(np.c_[np.tile(x, 3), rows])
            middle, nearer, further = np.split(self._locator.projection.at_height(px, height_m), 3)
            at.append(middle)
            variance.append(((nearer - further) ** 2).sum(1) / 4)
        squared = ((at[0][:, None] - at[1][None]) ** 2).sum(-1)
        return np.nan_to_num(
            squared / (STEP_SD_M**2 + variance[0][:, None] + variance[1][None]), nan=0.0
        )


def track(
    detections: pd.DataFrame, camera: Camera, settings: TrackSettings | None = None
) -> pd.DataFrame:
    """Tracks (contract TRACKS) of one camera from its DETECTIONS over all segments; ids start at 1.

    Positions are smoothed over each track, with the body height that the track itself shows; they
    stay null where the camera is not calibrated or the person was beyond its coverage. Rows bridged
    by interpolation have score 0.
    """
    settings = settings or TrackSettings()
    own = detections[detections["camera_id"] == camera.camera_id].sort_values(
        "t_utc", kind="stable"
    )
    own = own[own["score"] >= settings.low_score].reset_index(drop=True)
    own = own[~_explained(own, settings)].reset_index(drop=True)
    if own.empty:
        return TRACKS.empty()
    locator = None if camera.homography is None else Locator(camera)
    ids = _associate(own, locator, settings)
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


def _associate(
    own: pd.DataFrame, locator: Locator | None, settings: TrackSettings
) -> NDArray[np.intp]:
    """(n,) ByteTrack's number for each detection, -1 where none."""
    at = seconds_of(own["t_utc"])
    frames, index = np.unique(at, return_inverse=True)
    step = float(np.median(np.diff(frames))) if len(frames) > 1 else CLOCK_S
    similarity = GroundIoU(locator, settings.doubtful_similarity)
    tracker = ByteTrackTracker(
        lost_track_buffer=round(30 * settings.lost_s),
        frame_rate=1.0 / max(step, 1e-3),
        track_activation_threshold=settings.high_score,
        high_conf_det_threshold=settings.high_score,
        minimum_iou_threshold=settings.min_similarity,
        iou=similarity,
    )
    boxes = own[_BOX].to_numpy(np.float32)
    score = own["score"].to_numpy(np.float32)
    out = np.full(len(own), -1, np.intp)
    for k, t in enumerate(frames):
        rows = np.flatnonzero(index == k)
        similarity.doubtful = boxes[rows[score[rows] < settings.high_score]]
        # class_id carries the row through the tracker, which reorders detections.
        found = tracker.update(
            sv.Detections(xyxy=boxes[rows], confidence=score[rows], class_id=rows), timestamp=t
        )
        if len(found) and found.tracker_id is not None:
            out[found.class_id] = found.tracker_id
    return out


def _by_frame(own: pd.DataFrame) -> list[NDArray[np.intp]]:
    """Row numbers of each frame."""
    return [np.asarray(rows, np.intp) for rows in own.groupby("t_utc").indices.values()]


def _explained(own: pd.DataFrame, settings: TrackSettings) -> NDArray[np.bool_]:
    """(n,) whether a doubtful box lies in sure boxes of the same frame: limbs of two people in a
    crowd, no third one.
    """
    out = np.zeros(len(own), bool)
    boxes = own[_BOX].to_numpy(float)
    score = own["score"].to_numpy(float)
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
    boxes = own[_BOX].to_numpy(float)
    score = own["score"].to_numpy(float)
    for rows in _by_frame(own):
        out[rows] = hidden_by_others(boxes[rows], score[rows])
    return out
