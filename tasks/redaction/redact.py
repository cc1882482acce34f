"""Redaction, failing closed: the subject and the empty scene are shown, everything else is one
flat grey.

A pixel is shown only for a reason: it equals the scene's reliable background, or it lies in the
subject's own outline and in no box of anybody else. So a person that no detector found is still
hidden, because they differ from the empty scene; and without a background, or without a subject's
box, correspondingly less is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from data_contracts.record import Record
from data_contracts.time import CLOCK_HZ
from models.files.manifest import default_face_scores, default_person_scores
from models.interface import FaceScores, PersonScores
from tasks.redaction.background import Background, Image, Mask, Tell, box_mask
from tasks.redaction.silhouette import (
    MIN_CELL_PX,
    Levels,
    level_of,
    level_of_head,
    silhouette,
    whole_cells,
)

Boxes = NDArray[np.floating]
# Height of a head without neck over the stature (Drillis & Contini 1966: chin to vertex 0.13).
_HEAD_SHARE_OF_HEIGHT = 0.13
# Where somebody beside the subject is looked for: half a box's width aside, two heads above, and
# not in the lowest fifth, where shadows lie. Chosen.
_ABOVE_SHARE = 0.3
_FLOOR_SHARE = 0.2
# What a detector says of one image: xyxy (n, 4) px and score (n,).
Found = tuple[NDArray[np.floating], NDArray[np.floating]]


class RedactSettings(Record):
    """How cautious redaction is.

    What the defaults do together is measured in docs/redaction.md. Their sources, and where there
    is none the reason for which they are chosen (no other values were measured):

    - scores are the detectors' own: defaults and sources stand in models/files/manifest.yaml;
    - `match_iou`: chosen, as the overlap at which detectors take two boxes for one person (0.6 in
      NanoDet's test, 0.5 in `models.geometry`), with the stricter of the two;
    - `margin`, `margin_px`: chosen, for boxes that cut off hair, hats and sleeves;
    - `spread`: chosen, 12 px at 720 rows, and never less than half of the least cell;
    - `neighbours_s`: chosen, two frames of a clip on either side;
    - `vanished_s`: the longest occlusion after which a person is joined (`JoinSettings.link_s`);
    - `differs_*`: docs/redaction.md, in noise and dim light;
    - `speck_px`: chosen, an eighth of the least cell hidden (16 x 16 px);
    - `clip_s`: chosen, so that a clip shows one moment and little else;
    - `background_frames`: chosen, five times the five that must have seen a pixel free.
    """

    person_score: float = Field(
        default_factory=lambda: default_person_scores().hidden,
        gt=0,
        lt=1,
        description="detector score that counts as a person to hide",
    )
    sure_score: float = Field(
        default_factory=lambda: default_person_scores().beside,
        gt=0,
        lt=1,
        description="score that counts as another person on the subject",
    )
    face_score: float = Field(
        default_factory=lambda: default_face_scores().hidden,
        gt=0,
        lt=1,
        description="face detector score that counts as a face to hide",
    )
    match_iou: float = Field(
        default=0.6, gt=0, lt=1, description="overlap at which a detection is the subject's track"
    )
    margin: float = Field(
        default=0.12, ge=0, description="growth of other people's boxes, share of their size"
    )
    margin_px: float = Field(default=6.0, ge=0, description="least growth of boxes")
    spread: float = Field(
        default=1 / 60,
        gt=0,
        description="growth of what differs from the scene, share of image height",
    )
    neighbours_s: float = Field(
        default=0.5, ge=0, description="a detection also covers this long before and after"
    )
    vanished_s: float = Field(
        default=3.0,
        ge=0,
        description="who vanished where the subject was may walk with them this long",
    )
    differs_levels: float = Field(
        default=14.0, gt=0, description="grey levels that make a pixel differ from the scene"
    )
    differs_sigmas: float = Field(
        default=5.0, gt=0, description="the same in deviations of the sensor's noise"
    )
    differs_most: float = Field(
        default=20.0, gt=0, description="a pixel that is off by more differs in any noise"
    )
    differs_texture: float = Field(
        default=7.0, gt=0, description="deviation of the difference that makes a window differ"
    )
    speck_px: int = Field(
        default=24, ge=0, description="differing specks smaller than this area are noise"
    )
    clip_s: float = Field(default=6.0, gt=0, le=6.0, description="longest clip")
    clip_fps: float = Field(default=CLOCK_HZ, gt=0, le=30, description="frames a second of clips")
    background_frames: int = Field(
        default=25, ge=5, le=60, description="frames that the empty scene is built from"
    )

    @classmethod
    def of(cls, person: PersonScores, face: FaceScores) -> RedactSettings:
        """For detectors other than the defaults."""
        return cls(person_score=person.hidden, sure_score=person.beside, face_score=face.hidden)

    @property
    def tell(self) -> Tell:
        """What tells a pixel from the empty scene."""
        return Tell(
            levels=self.differs_levels,
            most=self.differs_most,
            sigmas=self.differs_sigmas,
            texture=self.differs_texture,
        )


@dataclass(frozen=True)
class Detectors:
    """Independent looks at the very frames that are written: one `Found` per image."""

    people: Callable[[Sequence[Image]], list[Found]]
    faces: Callable[[Sequence[Image]], list[Found]] | None = None


def redact(
    frame: Image,
    subject_boxes: Boxes,
    other_boxes: Boxes,
    background: Background | None,
    settings: RedactSettings,
) -> Image:
    """The frame (h, w, 3) BGR with everybody but the subject hidden.

    `subject_boxes` (n, 4) px: the subject's box in this frame, none when it is not certain where
    the subject is. `other_boxes` (m, 4) px: everybody else, bare boxes (they are grown here). Where
    the two overlap it is hidden.
    """
    return silhouette(
        frame, levels_to_hide(frame, subject_boxes, other_boxes, background, settings)
    )


def levels_to_hide(
    frame: Image,
    subject_boxes: Boxes,
    other_boxes: Boxes,
    background: Background | None,
    settings: RedactSettings,
) -> Levels:
    """(h, w) level of each pixel (cells of 2^level px are hidden); 0 is shown.

    A subject beside whom more differs from the empty scene than boxes explain is hidden: someone
    may reach into the outline.
    """
    if background is not None and background.image.shape != frame.shape:
        background = None
    differs = _differs(frame, background, settings)
    levels = _unexplained(frame, differs, background, settings)
    hide = np.array(
        [grown(box, settings) for box in np.asarray(other_boxes, float).reshape(-1, 4)]
    ).reshape(-1, 4)
    own = np.zeros(levels.shape, bool)
    for box in np.asarray(subject_boxes, float).reshape(-1, 4):
        if background is None or not stranger_beside(
            differs & background.reliable, box, hide, settings
        ):
            own |= outline(box[None], *frame.shape[:2])
    boxed = np.zeros_like(levels)
    for box in hide:
        hide_box(boxed, box)
    # A box's exact sides tell of somebody's build: only before the subject are they kept.
    return np.where(own, boxed, whole_cells(np.maximum(levels, boxed)))


def stranger_beside(
    differs: Mask, subject: NDArray[np.floating], hidden: Boxes, settings: RedactSettings
) -> bool:
    """Whether something of a head's size beside or above the subject's box (4,) px differs and no
    hidden box explains it.

    `differs` (h, w): surely not the empty scene; `hidden` (n, 4): others' boxes, grown. The lowest
    part of the box is not looked beside: shadows and reflections lie there, and a head there would
    belong to somebody much nearer and larger.
    """
    x0, y0, x1, y1 = subject
    wide = x1 - x0
    high = y1 - y0
    left = max(0, int(x0 - wide / 2))
    top = max(0, int(y0 - _ABOVE_SHARE * high))
    part = differs[
        top : max(top, int(y1 - _FLOOR_SHARE * high)), left : max(left, int(x1 + wide / 2))
    ].astype(np.uint8)
    shift = np.array([left, top, left, top])
    for box in (grown(subject, settings), *hidden):
        a, b, c, d = np.maximum(np.round(box - shift), 0).astype(int)
        part[b:d, a:c] = 0
    # Half a head must fit in; thinner things are limbs, or the box's own jitter.
    head = max(3.0, _HEAD_SHARE_OF_HEIGHT * high)
    if min(part.shape) < head / 2:
        return False
    core = cv2.erode(
        part,
        cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (max(2, round(head / 2)),) * 2),
        borderValue=0,
    )
    return bool(core.any())


def hide_box(levels: Levels, box: NDArray[np.floating]) -> None:
    """Raise the levels (h, w), in place, inside a box of px so that its largest possible head is
    hidden.
    """
    x0, y0, x1, y1 = box
    part = levels[
        max(0, int(y0)) : max(0, int(np.ceil(y1))), max(0, int(x0)) : max(0, int(np.ceil(x1)))
    ]
    np.maximum(part, level_of(x1 - x0, y1 - y0), out=part)


def grown(box: NDArray[np.floating], settings: RedactSettings) -> NDArray[np.floating]:
    """A box (4,) with the margin on every side, twice that above (hair, hats, a box that starts at
    the brow).
    """
    x0, y0, x1, y1 = box
    dx = max(settings.margin_px, settings.margin * (x1 - x0))
    dy = max(settings.margin_px, settings.margin * min(x1 - x0, y1 - y0))
    return np.array([x0 - dx, y0 - 2 * dy, x1 + dx, y1 + dy])


def outline(boxes: Boxes, height: int, width: int) -> Mask:
    """(height, width): the subject's outline: a narrow head and rounded body inside each box (n, 4)
    px.

    A box's upper corners are where a neighbour's head shows, so the top quarter is only the middle
    half, as an ellipse. The shares are chosen: a head two thirds as wide as the box, and a trunk
    that fills it.
    """
    mask = np.zeros((height, width), np.uint8)
    for x0, y0, x1, y1 in np.asarray(boxes, float).reshape(-1, 4):
        w = x1 - x0
        h = y1 - y0
        middle = (x0 + x1) / 2
        head = min(0.3 * h, 0.9 * w)
        _ellipse(mask, middle, y0 + 0.6 * head, 0.33 * w, 0.62 * head)
        _ellipse(mask, middle, y0 + 0.55 * h, 0.5 * w, 0.42 * h)
        lower = np.array([[x0 + 0.1 * w, y0 + 0.55 * h], [x1 - 0.1 * w, y0 + 0.55 * h]])
        corners = np.vstack([lower, [[x1 - 0.1 * w, y1], [x0 + 0.1 * w, y1]]])
        cv2.fillConvexPoly(mask, corners.round().astype(np.int32), 1)
    # Ellipses of whole pixels reach a pixel too far.
    return mask.astype(bool) & box_mask(boxes, height, width)


def _ellipse(mask: NDArray[np.uint8], x: float, y: float, rx: float, ry: float) -> None:
    axes = (max(1, round(rx)), max(1, round(ry)))
    cv2.ellipse(mask, (round(x), round(y)), axes, 0, 0, 360, 1, -1)


def _differs(frame: Image, background: Background | None, settings: RedactSettings) -> Mask:
    """(h, w): what is not known to be the empty scene; everything without one."""
    if background is None:
        return np.ones(frame.shape[:2], bool)
    return background.differs(frame, settings.tell)


def _unexplained(
    frame: Image, differing: Mask, background: Background | None, settings: RedactSettings
) -> Levels:
    """Levels of what is not known to be the empty scene, grown."""
    height, width = frame.shape[:2]
    # Nothing is known about the size of who may be there: a head of up to a fifth of the image is
    # covered.
    coarse = level_of_head(height / 5)
    if background is None:
        return np.full((height, width), coarse, np.uint8)
    levels = np.where(background.reliable, 0, coarse).astype(np.uint8)
    # Join the fragments of one person before specks are dropped, so that no fragment of a face
    # counts as noise.
    differs = cv2.morphologyEx(
        differing.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)
    )
    least = max(MIN_CELL_PX // 2, round(settings.spread * height))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(differs, connectivity=8)
    for label in range(1, count):
        x, y, w, h, area = stats[label]
        if area <= settings.speck_px:
            continue
        spread = max(least, round(settings.margin * min(w, h)))
        rows = slice(max(0, y - spread), y + h + spread)
        columns = slice(max(0, x - spread), x + w + spread)
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * spread + 1, 2 * spread + 1))
        part = cv2.dilate((labels[rows, columns] == label).astype(np.uint8), kernel)
        np.maximum(levels[rows, columns], part * level_of(w, h), out=levels[rows, columns])
    return levels
