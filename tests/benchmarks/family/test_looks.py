"""The looks of a drawn scene: which boxes are compared in which segment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd

from benchmarks.family import looks
from benchmarks.redaction.footage import Footage
from data_contracts.camera import Camera, Origin, Site
from tasks.redaction.render import Segment

T = datetime(2026, 11, 16, tzinfo=UTC)


def test_each_box_is_compared_in_the_one_segment_that_it_lies_in():
    """Boxes at 0, 10 and 40 s, in segments that begin at 0 and 30 s."""
    camera = Camera(camera_id="a", image_width=1280, image_height=720)
    site = Site(cameras=(camera,), origin=Origin(lon=0, lat=0))
    parts = [Segment(T, b"first"), Segment(T + timedelta(seconds=30), b"second")]
    found = pd.DataFrame(
        {"camera_id": "a", "t_utc": [T + timedelta(seconds=s) for s in (0, 10, 40)]}
    )
    cut = list(looks._segments(Footage(site, {"a": parts}), found))
    assert [(s.data, len(s.boxes)) for s in cut] == [(b"first", 2), (b"second", 1)]
