"""Who another camera sees is hidden here too: positions on the ground become boxes in the
picture.
"""

import numpy as np
import pandas as pd
import pytest
from demo_frames import DEMO

from data_contracts.camera import Camera, read_site
from data_contracts.tables.contracts import MEMBERS, PERSONS, TRACKS
from tasks.ground.projection import Projection
from tasks.redaction.hidden_people import SitePeople, boxes_at, with_unseen
from tasks.redaction.redact import RedactSettings

SITE = read_site((DEMO / "cameras.geojson").read_bytes())
SETTINGS = RedactSettings()
T0 = pd.Timestamp("2026-11-16T00:00:20Z")
TIMES = [T0 + pd.Timedelta(milliseconds=200 * i) for i in range(20)]


def truth(camera: str) -> pd.DataFrame:
    """True boxes of one camera with the true positions of their people."""
    boxes = pd.read_csv(DEMO / "truth" / "boxes.csv", parse_dates=["t_utc"])
    people = pd.read_csv(DEMO / "truth" / "people.csv", parse_dates=["t_utc"])
    both = boxes[boxes["camera"] == camera].merge(
        people[["t_utc", "person", "x_m", "y_m"]], on=["t_utc", "person"]
    )
    return both.iloc[::37]


def persons(**where: tuple[float, float]) -> pd.DataFrame:
    """People who stand still for four seconds, known to 5 cm."""
    fixed = {"cov_xx": 0.0025, "cov_xy": 0.0, "cov_yy": 0.0025, "seen": True, "cameras": "lobby-a"}
    rows = [
        fixed | {"person_id": n, "x_m": x, "y_m": y, "t_utc": t}
        for n, (x, y) in where.items()
        for t in TIMES
    ]
    return PERSONS.shape(rows)


def tracks_on(camera: str, track: int, times: list) -> pd.DataFrame:
    """A track that stands still."""
    box = {"x0": 700.0, "y0": 120.0, "x1": 760.0, "y1": 260.0}
    fixed = {"camera_id": camera, "track_id": track, "score": 0.8, "foot_hidden": False}
    return TRACKS.shape([fixed | box | {"t_utc": t} for t in times])


def members(*rows: tuple[str, str, int]) -> pd.DataFrame:
    """Which track is whose."""
    return MEMBERS.shape(
        [dict(zip(("person_id", "camera_id", "track_id"), row, strict=True)) for row in rows]
    )


OWN = members(("S", "corridor", 1), ("A", "lobby-a", 7))
IS_SUBJECT = pd.DataFrame({"camera_id": ["corridor"], "track_id": [1]})


def unseen(tracks: pd.DataFrame, who: pd.DataFrame = OWN) -> pd.DataFrame:
    """The rows that were added to the corridor's tracks."""
    at = truth("corridor")
    middle = at[["x_m", "y_m"]].median()
    known = persons(S=tuple(middle), A=tuple(middle + 0.2))
    out = with_unseen(SitePeople(tracks, known, who, IS_SUBJECT), SITE.by_id["corridor"], SETTINGS)
    return out[out["track_id"] < 0]


@pytest.mark.parametrize("camera", ["lobby-a", "lobby-b", "corridor", "entrance"])
def test_a_true_position_covers_the_true_head(camera: str) -> None:
    """The box drawn at somebody's true position holds the head that the picture shows, on every
    camera of the demo.
    """
    rows = truth(camera)
    boxes = boxes_at(
        Projection(SITE.by_id[camera]),
        rows[["x_m", "y_m"]].to_numpy(float),
        np.full((len(rows), 2), 0.01),
    )
    x = (rows["head_x0"] + rows["head_x1"]).to_numpy() / 2
    y = (rows["head_y0"] + rows["head_y1"]).to_numpy() / 2
    held = (boxes[:, 0] < x) & (x < boxes[:, 2]) & (boxes[:, 1] < y) & (y < boxes[:, 3])
    assert held.mean() > 0.98


def test_who_has_no_track_here_is_drawn_and_the_subject_is_not() -> None:
    """Somebody whom only another camera tracks gets boxes in this picture; the subject gets
    none.
    """
    added = unseen(tracks_on("corridor", 1, TIMES))
    assert len(added) == len(TIMES)
    assert set(added["track_id"]) == {-1}
    assert (added["score"] == 0).all()


def test_who_is_tracked_here_is_not_drawn_meanwhile() -> None:
    """Where the person's own track is in the picture nothing is added; half a second after its end
    it is.
    """
    tracks = pd.concat([tracks_on("corridor", 1, TIMES), tracks_on("corridor", 2, TIMES[:10])])
    added = unseen(tracks, pd.concat([OWN, members(("A", "corridor", 2))]))
    assert added["t_utc"].min() > TIMES[9] + pd.Timedelta(seconds=SETTINGS.neighbours_s)
    assert added["t_utc"].max() == TIMES[-1]


def test_outside_the_picture_nobody_is_drawn() -> None:
    """Somebody behind the camera or far aside, and a camera without calibration, add nothing."""
    camera = SITE.by_id["corridor"]
    own = tracks_on("corridor", 1, TIMES)
    for away in ((60.0, 4.5), (21.0, 40.0)):
        people = SitePeople(own, persons(A=away), OWN, IS_SUBJECT)
        assert len(with_unseen(people, camera, SETTINGS)) == len(own)
    blind = Camera(camera_id="corridor", image_width=1280, image_height=720)
    inside = SitePeople(own, persons(A=(15.0, 4.0)), OWN, IS_SUBJECT)
    assert len(with_unseen(inside, blind, SETTINGS)) == len(own)
