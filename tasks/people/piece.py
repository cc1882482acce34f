"""Numbers of a camera's tracks that were cut, and of their pieces.

A tracker's tracks are numbered from 1. A piece after a cut has the number of the track that it goes
on as, and `PIECE` more for each cut before it. Where nothing says whose it is, it goes on as a
track with a number of its own. So pieces of equal `base_of` are one person, as far as one camera
tells, and what begins with a cut is told by its number.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# More than a camera has tracks.
PIECE = 1_000_000

Ints = NDArray[np.int64]


def base_of(track_id: Ints) -> Ints:
    """(n,) the track that each piece goes on as."""
    return np.asarray(track_id) % PIECE


def follows_cut(track_id: Ints) -> NDArray[np.bool_]:
    """(n,) whether a cut lies before the piece."""
    return np.asarray(track_id) >= PIECE
