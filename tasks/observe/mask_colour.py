"""What the colour of the lower face says about a mask: bare skin has a chroma of its own, cloth and
paper have not.

Colour survives where shape does not: a face 12 px wide, or half turned, still has the right mean
colour. Skin of all tones lies in a narrow band of Cr (133 to 173; Chai and Ngan, IEEE Trans. CSVT
9(4), 1999); on the demo footage the lower half of bare faces has a median Cr of 139 to 157, of
masked ones 120 to 136 (`python -m benchmarks.accuracy.masks demo`). Skin-coloured masks and
strongly coloured light are told wrongly, so the evidence is bounded.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from models.geometry import ARCFACE_112, warp

# Narrower than this the mouth is a pixel or two.
SKIN_MIN_FACE_PX = 11.0
# Between the band's lower end (133) and the least Cr of bare lower faces measured (139).
_CR_EVEN = 136.0
# Log odds a level of Cr, and their bound: about 13 to 1 either way.
_PER_LEVEL = 0.35
_BOUND = 2.5
# A picture whose chroma hardly leaves grey (night vision) says nothing.
_LEAST_CHROMA = 6.0
_SIZE = 112
_LOWER = np.s_[82:104, 40:72]  # mouth and chin in the ArcFace template at 112 px


def mask_log_odds(image: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> float:
    """Log odds of a mask from the lower face's colour; 0 where the picture has no colour.

    `image` (h, w, 3) BGR; `landmarks` (5, 2) px: eyes, nose, mouth corners.
    """
    face = cv2.cvtColor(warp(image, landmarks, ARCFACE_112, _SIZE), cv2.COLOR_BGR2YCrCb)
    chroma = np.abs(face[..., 1:].astype(float) - 128.0).max(axis=-1)
    if np.percentile(chroma, 95) < _LEAST_CHROMA:
        return 0.0
    lower = float(np.median(face[_LOWER][..., 1]))
    return float(np.clip((_CR_EVEN - lower) * _PER_LEVEL, -_BOUND, _BOUND))
