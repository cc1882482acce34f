"""Another site from one with truth: pictures, cameras and truth change together."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.truth import read_truth
from benchmarks.variant import Variant, make_variant
from data_contracts import object_key
from data_contracts.camera import read_site_file
from tasks.footage import reading
from tasks.ground.projection import Projection

DEMO = Path(__file__).parents[2] / "demo"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's cameras and truth with the footage of one camera's first minute, mirrored, turned,
    smaller, later.
    """
    site = tmp_path_factory.mktemp("site") / "a"
    out = tmp_path_factory.mktemp("out") / "b"
    for name in ("cameras.geojson", "itinerary.csv", "reference", "truth"):
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).symlink_to(DEMO / name)
    for key in ("entrance/2026-11-16/00/00.00.mp4", "entrance/2026-11-16/00/00.30.mp4"):
        (site / "footage" / key).parent.mkdir(parents=True, exist_ok=True)
        (site / "footage" / key).write_bytes((DEMO / "footage" / key).read_bytes())
    make_variant(
        site, out, Variant(mirror=True, turn_deg=30, scale=0.5, segment_s=15, later_s=3600)
    )
    return out


def test_feet_stay_where_the_truth_says(small: Path) -> None:
    """The foot of each true box goes through the new homography to the person's new position, as
    near as before.
    """

    def misses(site: Path) -> np.ndarray:
        camera = read_site_file(site / "cameras.geojson").by_id["lobby-a"]
        truth = read_truth(site)
        boxes = truth.boxes[(truth.boxes["camera"] == "lobby-a") & (truth.boxes["visible"] > 0.9)]
        both = boxes.merge(truth.people, on=["t_utc", "person"])
        foot = np.c_[(both["x0"] + both["x1"]) / 2, both["y1"]].astype(float)
        return np.linalg.norm(
            Projection(camera).at_height(foot, 0.0) - both[["x_m", "y_m"]].to_numpy(float), axis=1
        )

    before = misses(DEMO)
    after = misses(small)
    assert len(after) > 100
    assert np.median(after) == pytest.approx(np.median(before), abs=0.03)


def test_segments_are_cut_and_begin_when_their_names_say(small: Path) -> None:
    """Four segments of 15 s an hour later, each with the frames of its time."""
    keys = sorted(
        p.relative_to(small / "footage").as_posix() for p in (small / "footage").rglob("*.mp4")
    )
    starts = [object_key.read_segment(key).start_utc for key in keys]
    assert starts == [datetime(2026, 11, 16, 1, 0, s, tzinfo=UTC) for s in (0, 15, 30, 45)]
    taken = list(reading.frames((small / "footage" / keys[1]).read_bytes(), starts[1]))
    assert len(taken) == 75
    assert taken[-1].image.shape == (360, 640, 3)
    assert (taken[-1].t_utc - starts[1]).total_seconds() == pytest.approx(14.8, abs=0.01)


def test_times_of_truth_and_itinerary_move_together(small: Path) -> None:
    """Everything happens an hour later."""
    for name, column in (("truth/people.csv", "t_utc"), ("itinerary.csv", "from")):
        old, new = (
            pd.to_datetime(pd.read_csv(site / name)[column], utc=True) for site in (DEMO, small)
        )
        assert set(new - old) == {pd.Timedelta(hours=1)}
