"""The empty scene of a fixed camera: what may be shown without showing anybody.

A per-pixel median over frames spread in time, with everything inside a person's box left out. Where
too few frames saw a pixel free, or the free frames disagree, the pixel is unreliable and redaction
hides it. People who stand still for long would get into a plain median; leaving out boxes (found
at a low threshold) and asking for agreement keeps them out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]

# Above every grey level: sorts "not seen free" samples behind the others.
_MISSING = np.int16(999)
# Rows worked on at once: bounds the memory of the sort to some 20 MB at 1080p.
_STRIP_ROWS = 32
# The light at which the thresholds hold (the middle of 8 bits), and the least share of it that they
# are scaled down to: below some 4 levels lies the coding's own noise.
_FULL_LIGHT = 128.0
_LEAST_LIGHT = 0.25
# Light is that of the surroundings, not of a person: chosen, about twice the least head.
_LIGHT_PX = 31
# Windows of 9 px: a third of the smallest head that counts, and some 27 independent numbers, of
# which the deviation strays by 14 %: five times that is 1.7 deviations.
_WINDOW_PX = 9
TEXTURE_SIGMAS = 2.0
# Largest of three channels in 25 frames: four deviations are not exceeded by a fifth of them.
_AGREE_SIGMAS = 4.0
_MEAN_OF_CHANNELS = np.full((1, 3), 1 / 3, np.float32)


@dataclass(frozen=True)
class Tell:
    """When a pixel is told from the empty scene, in grey levels at full light.

    A pixel is told where a channel is off by `levels`, or by `sigmas` deviations of the noise where
    that is more, but never by more than `most`: noise may hide more, not show more. A place whose
    difference varies by `texture` within a window (or by `TEXTURE_SIGMAS` deviations) is told too.
    """

    levels: float
    most: float
    sigmas: float
    texture: float


@dataclass(frozen=True)
class Background:
    """`image` (h, w, 3) BGR, after the mean of 3 x 3 px that takes most noise away; `reliable`
    (h, w) bool; `noise` a channel's typical deviation of that mean, in grey levels.
    """

    image: Image
    reliable: Mask
    noise: float
    n_frames: int

    @cached_property
    def _lit(self) -> NDArray[np.float32]:
        """(h, w) share of full light around each pixel."""
        return _light(self.image)

    def differs(self, frame: Image, tell: Tell) -> Mask:
        """(h, w): where a frame (h, w, 3) is not the empty scene, or where that is not known."""
        smooth = _smoothed(frame)
        blue, green, red = cv2.split(cv2.absdiff(smooth, self.image))
        gap = cv2.max(cv2.max(blue, green), red)  # ten times as fast as numpy's along the last axis
        most = tell.most * self._lit
        off = np.maximum(tell.levels * self._lit, tell.sigmas * self.noise)
        off = np.minimum(off, most)
        varied = np.maximum(tell.texture * self._lit, TEXTURE_SIGMAS * self.noise)
        varied = np.minimum(varied, most)
        return (gap > off) | (_texture(smooth, self.image) > varied) | ~self.reliable


def _light(image: Image) -> NDArray[np.float32]:
    """(h, w) share of full light around each pixel: in the dark all contrasts shrink alike."""
    around = cv2.blur(image.max(axis=2).astype(np.float32), (_LIGHT_PX, _LIGHT_PX))
    return np.clip(around / _FULL_LIGHT, _LEAST_LIGHT, 1.0).astype(np.float32)


def _smoothed(frame: Image) -> Image:
    return np.asarray(cv2.blur(frame, (3, 3)), np.uint8)


def _texture(frame: Image, scene: Image) -> NDArray[np.float32]:
    """(h, w) deviation of the difference of two pictures within a window, all channels together.

    A face before a wall of its own colour has the wall's mean, but not its texture. A shadow has
    another mean and the same texture.
    """
    gap = cv2.subtract(frame, scene, dtype=cv2.CV_32F)
    mean = cv2.blur(gap, (_WINDOW_PX, _WINDOW_PX))
    square = cv2.blur(gap * gap, (_WINDOW_PX, _WINDOW_PX))
    variance = np.maximum(square - mean * mean, 0)
    return np.asarray(np.sqrt(cv2.transform(variance, _MEAN_OF_CHANNELS)), np.float32)


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
    within `tolerance` grey levels (at full light) of the median. None where fewer than `min_free`
    frames are given or their sizes differ. The three limits are chosen and were not varied: one of
    five samples may show somebody who passes, and `tolerance` is less than what makes a pixel
    differ (`RedactSettings.differs_levels`).
    """
    if len(frames) < min_free or len({f.shape for f in frames}) != 1:
        return None
    height, width = frames[0].shape[:2]
    taken = np.stack([box_mask(boxes, height, width) for boxes in boxes_per_frame])
    smooth = [_smoothed(f) for f in frames]
    noise = _noise(smooth)
    image = np.zeros((height, width, 3), np.uint8)
    reliable = np.zeros((height, width), bool)
    for top in range(0, height, _STRIP_ROWS):
        rows = slice(top, min(top + _STRIP_ROWS, height))
        strip = np.stack([f[rows] for f in smooth]).astype(np.int16)
        image[rows], free, off = _strip(strip, taken[:, rows])
        # In the dark people are less unlike the scene: agreement must be closer, as far as noise
        # lets it.
        near = np.maximum(tolerance * _light(image[rows]), min(tolerance, _AGREE_SIGMAS * noise))
        agree = ((off <= near) & ~taken[:, rows]).sum(axis=0)
        reliable[rows] = (free >= min_free) & (agree >= min_agreement * free)
    return Background(image, reliable, noise, len(frames))


def _strip(
    strip: NDArray[np.int16], taken: Mask
) -> tuple[Image, NDArray[np.int_], NDArray[np.int16]]:
    """Median (rows, w, 3) of the free samples (n, rows, w, 3), how many are free (rows, w), and how
    far each sample is off (n, rows, w), grey levels.
    """
    free = (~taken).sum(axis=0)
    samples = np.where(taken[..., None], _MISSING, strip)
    middle = np.maximum(free - 1, 0) // 2
    # Sorting along the last, contiguous axis is four times as fast.
    ranked = np.sort(np.ascontiguousarray(np.moveaxis(samples, 0, -1)), axis=-1)
    median = np.take_along_axis(ranked, middle[..., None, None], axis=-1)[..., 0]
    image = np.where(free[..., None] > 0, median, 127).astype(np.uint8)
    return image, free, np.abs(strip - median).max(axis=3)


def _noise(smooth: Sequence[Image]) -> float:
    """A channel's typical deviation from one frame to the next, where most of the image is still.

    1.2533 mean absolute deviations are a normal one; a difference has the noise of both frames.
    """
    few = [f[::4, ::4].astype(np.int16) for f in smooth]
    gaps = np.stack([np.abs(a - b) for a, b in pairwise(few)])
    return 1.2533 / math.sqrt(2) * float(np.median(gaps.mean(axis=(0, 3))))


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
