"""Counting heads in redacted frames: bystanders' that are shown, and how much of the subject's
is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import pandas as pd

from tasks.redaction.render import Judged

MIN_HEAD_PX = 16
MAX_SHOWN = 0.1
SEEABLE = 0.3
# The truth is at the frames' own times; presentation times are rounded to milliseconds.
_SAME = pd.Timedelta(milliseconds=60)


@dataclass
class Figures:
    """Counts of one mode on one camera."""

    frames: int = 0
    heads: int = 0
    leaked: list[str] = field(default_factory=list)
    subject_frames: int = 0
    subject_shown: int = 0
    clips: int = 0
    clips_shown: int = 0
    judge_s: float = 0.0
    write_s: float = 0.0

    def line(self) -> dict[str, Any]:
        """The figures as shown and written."""
        return {
            "frames": self.frames,
            "heads": self.heads,
            "leaked": len(self.leaked),
            "leak_rate": round(len(self.leaked) / max(self.heads, 1), 4),
            "subject_frames": self.subject_frames,
            "subject_shown": round(self.subject_shown / max(self.subject_frames, 1), 3),
            "clips": self.clips,
            "clips_shown": self.clips_shown,
            "cpu_ms_per_frame": round(1e3 * (self.judge_s + self.write_s) / max(self.frames, 1), 1),
        }

    def plus(self, other: Figures) -> Figures:
        """Both together."""
        return Figures(
            *(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True))
        )


def compare(
    frame: Judged, rows: pd.DataFrame, subject: str, figures: Figures, tracked: bool = True
) -> None:
    """Count the heads of one frame. `rows`: the truth of its time; `tracked`: whether a sure
    sighting of the subject is on.
    """
    figures.frames += 1
    row: Any
    for row in rows.itertuples():
        if row.head_visible < SEEABLE or (row.person != subject and row.head_px < MIN_HEAD_PX):
            continue
        mask = head_mask(row, frame.levels.shape)
        if not mask.any():
            continue
        shown = float((frame.levels[mask] == 0).mean())
        if row.person == subject:
            figures.subject_frames += tracked
            figures.subject_shown += tracked and shown > 0.5
        else:
            figures.heads += 1
            if shown > MAX_SHOWN:
                figures.leaked.append(
                    f"{row.camera} {frame.frame.t_utc:%H:%M:%S.%f} {row.person} {shown:.2f}"
                )


def head_mask(row, shape: tuple[int, int]) -> np.ndarray:
    """(h, w): the ellipse in a true head box, as far as the person is visible."""
    mask = np.zeros(shape, np.uint8)
    centre = (round((row.head_x0 + row.head_x1) / 2), round((row.head_y0 + row.head_y1) / 2))
    axes = (
        max(1, round((row.head_x1 - row.head_x0) / 2)),
        max(1, round((row.head_y1 - row.head_y0) / 2)),
    )
    cv2.ellipse(mask, centre, axes, 0, 0, 360, 1, -1)
    seen = np.zeros(shape, bool)
    seen[max(0, int(row.y0)) : int(row.y1), max(0, int(row.x0)) : int(row.x1)] = True
    return mask.astype(bool) & seen


def now(boxes: pd.DataFrame, t_utc) -> pd.DataFrame:
    """The truth's rows of a frame's time."""
    return boxes[(boxes["t_utc"] - pd.Timestamp(t_utc)).abs() < _SAME]
