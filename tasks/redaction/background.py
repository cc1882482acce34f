"""The empty scene of a fixed camera: what may be shown without showing anybody.

A per-pixel median over frames spread in time, with everything inside a person's box left out. Where
too few frames saw a pixel free, or the free frames disagree, the pixel is unreliable and redaction
mosaics it. People who stand still for long would get into a plain median; leaving out boxes (found
at a low threshold) and asking for agreement keeps them out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]

# Above every grey level: sorts "not seen free" samples behind the others.
_MISSING = np.int16(999)
# Rows worked on at once: bounds the memory of the sort to some 20 MB at 1080p.
_STRIP_ROWS = 32


@dataclass(frozen=True)
class Background:
    """`image` (h, w, 3) BGR; `reliable` (h, w) bool; `noise` the sensor's typical deviation in grey
    levels.
    """

    image: Image
    reliable: Mask
    noise: float
    n_frames: int

    @cached_property
    def _smooth(self) -> Image:
        return np.asarray(cv2.blur(self.image, (3, 3)), np.uint8)

    def differs(self, frame: Image, levels: float, sigmas: float) -> Mask:
        """(h, w): where a frame is not the empty scene, or where that is not known.

        A pixel differs when a channel is off by more than `levels` grey levels and `sigmas` times
        the noise, after a 3 x 3 mean that takes most of the coding noise away.
        """
        blue, green, red = cv2.split(cv2.absdiff(cv2.blur(frame, (3, 3)), self._smooth))
        gap = cv2.max(cv2.max(blue, green), red)  # ten times as fast as numpy's along the last axis
        return (gap > max(levels, sigmas * self.noise)) | ~self.reliable


def build_background(
    frames: Sequence[Image],
    boxes_per_frame: Sequence[NDArray[np.floating]],
    *,
    min_free: int = 5,
    min_agreement: float = 0.8,
    tolerance: float = 12.0,
) -> Background | None:
    """Median of the frames without people. `boxes_per_frame[i]` (n, 4) px: people in frame i,
    already grown.

    A pixel is reliable when at least `min_free` frames saw it free and `min_agreement` of those lie
    within `tolerance` grey levels of the median. None where fewer than `min_free` frames are given
    or their sizes differ.
    """
    if len(frames) < min_free or len({f.shape for f in frames}) != 1:
        return None
    height, width = frames[0].shape[:2]
    taken = np.stack([box_mask(boxes, height, width) for boxes in boxes_per_frame])
    image = np.zeros((height, width, 3), np.uint8)
    reliable = np.zeros((height, width), bool)
    deviations = []
    for top in range(0, height, _STRIP_ROWS):
        rows = slice(top, min(top + _STRIP_ROWS, height))
        strip = np.stack([f[rows] for f in frames]).astype(np.int16)
        image[rows], reliable[rows], deviation = _strip(
            strip, taken[:, rows], min_free, min_agreement, tolerance
        )
        deviations.append(deviation)
    known = np.concatenate(deviations)
    # 1.4826 turns a median absolute deviation into a standard deviation of normal noise.
    noise = 1.4826 * float(np.median(known)) if len(known) else 0.0
    return Background(image, reliable, noise, len(frames))


def _strip(
    strip: NDArray[np.int16], taken: Mask, min_free: int, min_agreement: float, tolerance: float
) -> tuple[Image, Mask, NDArray[np.float64]]:
    """Median, reliability and the deviations of the reliable pixels of (n, rows, w, 3) samples."""
    free = (~taken).sum(axis=0)
    samples = np.where(taken[..., None], _MISSING, strip)
    middle = np.maximum(free - 1, 0) // 2
    # Sorting along the last, contiguous axis is four times as fast.
    ranked = np.sort(np.ascontiguousarray(np.moveaxis(samples, 0, -1)), axis=-1)
    median = np.take_along_axis(ranked, middle[..., None, None], axis=-1)[..., 0]
    gap = np.abs(strip - median).max(axis=3)
    agree = ((gap <= tolerance) & ~taken).sum(axis=0)
    reliable = (free >= min_free) & (agree >= min_agreement * free)
    deviations = gap[:, reliable][::4].astype(float).mean(axis=0) if reliable.any() else np.zeros(0)
    return np.where(free[..., None] > 0, median, 127).astype(np.uint8), reliable, deviations


def without(background: Background, boxes: NDArray[np.floating]) -> Background:
    """The background with what lies inside boxes (n, 4) px declared unreliable: somebody was found
    in the median.
    """
    height, width = background.reliable.shape
    return replace(background, reliable=background.reliable & ~box_mask(boxes, height, width))


def box_mask(boxes: NDArray[np.floating], height: int, width: int) -> Mask:
    """(height, width): inside any of the boxes (n, 4) px, clipped to the image."""
    mask = np.zeros((height, width), bool)
    for x0, y0, x1, y1 in np.asarray(boxes, float).reshape(-1, 4):
        left = max(0, int(np.floor(x0)))
        top = max(0, int(np.floor(y0)))
        mask[top : max(0, int(np.ceil(y1))), left : max(0, int(np.ceil(x1)))] = True
    return mask
