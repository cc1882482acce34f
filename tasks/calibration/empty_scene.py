"""The still that a camera is calibrated in: the empty scene, and nothing that could be a person.

It is the background of redaction (`tasks.redaction.render.background_of`): the median of frames
spread over the footage without what is in people's boxes. Of it only what is reliable is shown; the
rest is one flat grey.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data_contracts.camera import Camera
from data_contracts.tables.contracts import TRACKS
from tasks.redaction.background import Background
from tasks.redaction.redact import Detectors, RedactSettings
from tasks.redaction.render import CameraView, Segment, background_of

Image = NDArray[np.uint8]

GREY = 127
# Frames this far apart at least, the first from the last: whoever stands still for half of it is in
# the median, where no detector sees them. Chosen: longer than anyone waits without a step.
LEAST_SPAN_S = 150.0
# With less of the scene than this there is nothing to click on.
LEAST_SHOWN = 0.3


def empty_scene(
    camera: Camera, segments: list[Segment], detectors: Detectors, settings: RedactSettings
) -> Image | None:
    """The empty scene (height, width, 3) BGR at the camera's size, grey where it is not known to be
    empty; None where too little footage is given or too little of it is known.

    `segments`: recordings of the camera, the farther apart in time the better.
    """
    starts = [segment.start_utc for segment in segments]
    if not starts or (max(starts) - min(starts)).total_seconds() < LEAST_SPAN_S:
        return None
    view = CameraView(camera, segments, TRACKS.empty())
    background = background_of(view, detectors, settings)
    return None if background is None else shown(background)


def shown(background: Background) -> Image | None:
    """What of a background may be shown, the rest grey; None where that is too little."""
    if background.reliable.mean() < LEAST_SHOWN:
        return None
    return np.where(background.reliable[..., None], background.image, np.uint8(GREY))
