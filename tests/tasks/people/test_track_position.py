"""Place: a track's rows on the ground, where foot and head of a box contradict each other."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from walk_scene import T0, box_of, camera, projection

from tasks.ground.position import Locator
from tasks.people.track_position import placed

POSE = ((0.3, 0.3, 2.7), (5.0, 4.0))
PATH = np.linspace([3.0, 3.0], [8.0, 5.0], 40)


def walk(edge, share, rows):
    """A walk of 8 s in exact boxes; in `rows` the `edge` (1 upper, 3 lower) lies `share` of the
    height inside the body.
    """
    full = projection(*POSE)
    boxes = np.array([box_of(full, xy, 1.7) for xy in PATH])
    high = (boxes[rows, 3] - boxes[rows, 1]) * share
    boxes[rows, edge] += high if edge == 1 else -high
    part = pd.DataFrame(boxes, columns=["x0", "y0", "x1", "y1"])
    times = [T0 + timedelta(seconds=0.2 * i) for i in range(len(PATH))]
    return part.assign(t_utc=pd.to_datetime(times, utc=True), hidden_share=0.0, measured=True)


@pytest.mark.parametrize(
    ("edge", "share", "rows"),
    [(1, 0.25, slice(18, 22)), (3, 0.3, slice(18, 22)), (3, 0.3, slice(10, 35))],
    ids=["head for a moment", "feet for a moment", "feet for longer than is bridged"],
)
def test_what_contradicts_the_path_does_not_count(edge, share, rows):
    """Head or feet out of sight for a moment: the other one places the person. For long, it is the
    feet that are hidden.
    """
    locator = Locator(camera("a", *POSE))
    clear = walk(1, 0.0, slice(0))
    assert (
        locator.locate(walk(edge, share, rows)[["x0", "y0", "x1", "y1"]].to_numpy(), 1.7, 0.02)
        .at_odds[rows]
        .all()
    )
    expected = placed(clear, locator)[["x_m", "y_m"]].to_numpy()
    found = placed(walk(edge, share, rows), locator)[["x_m", "y_m"]].to_numpy()
    assert np.hypot(*(found - expected).T).max() < 0.25
