"""Body height: who is as tall as the subject is likelier them, who is not is not, and what cannot
be told says nothing.
"""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from demo_frames import DEMO

from data_contracts.camera import Site, read_site_file
from data_contracts.policy import SearchSettings
from data_contracts.tables.contracts import LOOKS, TRACKS
from tasks.ground.projection import Projection
from tasks.people.all_evidence import by_way, looks_evidence, with_looks
from tasks.people.face_evidence import SightSettings
from tasks.people.height_evidence import height_evidence, heights, log_ratio

SITE = read_site_file(DEMO / "cameras.geojson")
T0 = datetime(2026, 11, 16, tzinfo=UTC)
TALL = 1.88


def standing(person, camera, tall_m, x, y, start=0, seconds=10, **more):
    """TRACKS of somebody of this height who stands at (x, y), as an exact detector sees them."""
    projection = Projection(SITE.by_id[camera])
    foot, head = (projection.pixels(np.array([[x, y]]), h)[0] for h in (0.0, tall_m))
    wide = 0.3 * (foot[1] - head[1])
    box = (foot[0] - wide / 2, head[1], foot[0] + wide / 2, foot[1])
    rows = [
        {
            "camera_id": camera,
            "track_id": 1,
            "t_utc": T0 + timedelta(seconds=start + 0.2 * k),
            **dict(zip(("x0", "y0", "x1", "y1"), map(float, box), strict=True)),
            "score": 0.9,
            "x_m": x,
            "y_m": y,
            "foot_hidden": False,
            **more,
        }
        for k in range(5 * seconds)
    ]
    return TRACKS.shape(rows).assign(person=person)


def middle(camera):
    """A place in the middle of a camera's view."""
    polygon = SITE.by_id[camera].polygon
    return polygon.centroid.x, polygon.centroid.y


@pytest.mark.parametrize("tall_m", [1.5, 1.68, TALL])
@pytest.mark.parametrize("camera", ["lobby-a", "lobby-b"])
def test_a_height_is_read_from_foot_and_head(tall_m, camera) -> None:
    """By the camera's projection, to a few centimetres (the toe stands nearer than the axis)."""
    found = heights(standing("p", camera, tall_m, *middle(camera)), SITE)
    assert found.loc["p", "height_m"] == pytest.approx(tall_m, abs=0.06)
    assert found.loc["p", "sd_m"] >= 0.03


def test_as_tall_speaks_for_and_others_against() -> None:
    """The subject of 1.88 m: somebody as tall on another camera is likelier them, somebody of 1.6 m
    is not; neither is proof.
    """
    keyed = pd.concat(
        [
            standing("s", "lobby-a", TALL, *middle("lobby-a")),
            standing("tall", "lobby-b", TALL, *middle("lobby-b"), start=60),
            standing("small", "lobby-b", 1.6, *middle("lobby-b"), start=90),
        ]
    )
    found = height_evidence(keyed, SITE, {"s"})
    assert set(found) == {"tall", "small"}
    assert 1.0 < found["tall"] <= 2.0
    assert found["small"] == -2.0


def test_an_average_height_says_little() -> None:
    """Where the subject is as tall as most people, most people are."""
    ratio = log_ratio(np.array([1.68]), np.array([0.05]), 1.68, 0.05)
    assert 0 < ratio[0] < 0.7


def test_what_cannot_be_told_says_nothing() -> None:
    """Hidden feet, a few boxes only, a subject whose height is unknown: no number."""
    own = standing("s", "lobby-a", TALL, *middle("lobby-a"))
    hidden = standing("h", "lobby-b", TALL, *middle("lobby-b"), foot_hidden=True)
    short = standing("k", "lobby-b", TALL, *middle("lobby-b"), start=60).head(4)
    assert height_evidence(pd.concat([own, hidden, short]), SITE, {"s"}) == {}
    assert height_evidence(pd.concat([own, hidden]), SITE, {"h"}) == {}
    assert height_evidence(own, Site((), SITE.origin), {"s"}) == {}


def test_of_two_in_like_clothes_the_one_as_tall_is_likelier() -> None:
    """Clothes and ways fit both alike: height decides, and without the site they share it."""
    face = {"face_px": 70.0, "mask_p": 0.1, "subject_p": 0.95}
    x, y = middle("lobby-b")
    keyed = pd.concat(
        [
            standing("s", "lobby-a", TALL, *middle("lobby-a"), **face),
            standing("tall", "lobby-b", TALL, x - 1, y, start=40),
            standing("small", "lobby-b", 1.62, x + 1, y, start=40),
        ],
        ignore_index=True,
    )
    looks = LOOKS.shape(keyed.iloc[::5].assign(llr=2.0))
    keyed = with_looks(keyed, looks)
    alone = {"s": 0.99}
    search = SearchSettings(propose_probability=0.01)
    given = (keyed, alone, {}, search, SightSettings())
    found = by_way(*given, looks_evidence(keyed, alone, search, SITE))[0]
    assert found["tall"] > 2 * found.get("small", 0.0)
    alike = by_way(*given)[0]
    assert alike["tall"] == pytest.approx(alike["small"], rel=0.2)
