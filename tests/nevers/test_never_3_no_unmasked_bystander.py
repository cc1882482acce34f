"""Never 3: no unmasked bystander leaves the system. Tried on real pixels of the demo footage with
its true boxes.

A head of 16 px and more counts as leaked when more than a tenth of it is neither redacted nor
hidden behind the subject.
"""

from datetime import timedelta
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from demo_heads import BLIND, alike, boxes, now

from benchmarks.redaction.footage import as_seen
from benchmarks.redaction.heads import head_mask
from data_contracts import object_key
from data_contracts.camera import read_site
from data_contracts.errors import VideoUnreadable
from data_contracts.tables.contracts import TRACKS
from tasks.footage import reading
from tasks.redaction.background import build_background
from tasks.redaction.plan import PictureJob
from tasks.redaction.redact import RedactSettings, levels_to_hide
from tasks.redaction.render import CameraView, Segment, background_of, render_picture
from tasks.redaction.silhouette import silhouette
from tasks.redaction.who_is_where import locate

DEMO = Path(__file__).parents[2] / "demo"
SETTINGS = RedactSettings(background_frames=13)
MIN_HEAD_PX = 16
MAX_SHOWN = 0.1
CAMERAS = read_site((DEMO / "cameras.geojson").read_bytes()).by_id


@lru_cache
def segments(camera: str) -> list[Segment]:
    """Starts and bytes of one camera's segments."""
    root = DEMO / "footage"
    names = [
        (p, object_key.read_segment(str(p.relative_to(root))))
        for p in sorted((root / camera).rglob("*.mp4"))
    ]
    return [Segment(name.start_utc, path.read_bytes()) for path, name in names if name]


def tracks(camera: str, keep: float) -> pd.DataFrame:
    """TRACKS from the truth: the subject (track 0) whole, of everybody else only a share of the
    rows.
    """
    table = boxes(camera)
    numbers = {p: i + 1 for i, p in enumerate(sorted(set(table["person"]) - {"S"}))} | {"S": 0}
    luck = np.random.default_rng(4).random(len(table))
    table = table[(table["person"] == "S") | (luck < keep)]
    rows = table.assign(
        camera_id=camera, track_id=table["person"].map(numbers), score=0.8, foot_hidden=False
    )
    return TRACKS.shape(rows)


def view(camera: str) -> CameraView:
    """The camera's footage with a third of the true boxes as tracks."""
    return CameraView(CAMERAS[camera], segments(camera), tracks(camera, 0.33))


@lru_cache
def scene(camera: str):
    """The camera's empty scene, people kept out by a third of the true boxes."""
    return background_of(view(camera), BLIND, SETTINGS)


def leaked(camera: str, time, levels: np.ndarray) -> list[str]:
    """Bystanders whose visible head is shown."""
    rows = list(now(camera, time).itertuples())
    out = []
    for row in rows:
        if row.person == "S" or row.head_px < MIN_HEAD_PX or row.head_visible < 0.3:
            continue
        mask = head_mask(row, levels.shape)
        if mask.sum() >= 50 and (levels[mask] == 0).mean() > MAX_SHOWN:
            out.append(f"{camera} {time:%H:%M:%S.%f} {row.person}")
    return out


@lru_cache
def sampled(camera: str, step_s: float) -> list[reading.Frame]:
    """Frames in which the subject is there, a few seconds apart."""
    own = boxes(camera)[boxes(camera)["person"] == "S"]["t_utc"]
    out = []
    for start, data, _ in segments(camera):
        try:
            out += list(reading.frames(data, start, 1 / step_s))
        except VideoUnreadable:
            continue
    return [f for f in out if own.min() <= pd.Timestamp(f.t_utc) <= own.max()]


@pytest.mark.parametrize(
    ("camera", "with_scene"),
    [
        ("lobby-a", True),
        ("lobby-b", True),
        ("corridor", True),
        ("lobby-a", False),
        ("corridor", False),
    ],
)
def test_no_head_is_shown_with_gappy_tracks(camera: str, with_scene: bool) -> None:
    """With a third of the bystanders' boxes, blind detectors, with and without a scene: no head is
    left unmasked.
    """
    taken = sampled(camera, 3.8)
    assert taken
    background = scene(camera) if with_scene else None
    places = locate(taken, tracks(camera, 0.33), [0], BLIND, SETTINGS)
    leaks = []
    for frame, place in zip(taken, places, strict=True):
        levels = levels_to_hide(frame.image, place.subject, place.others, background, SETTINGS)
        leaks += leaked(camera, frame.t_utc, levels)
    assert leaks == []


@pytest.mark.parametrize(("light", "noise"), [(1.0, 5.0), (0.3, 3.0), (0.3, 5.0)])
def test_no_head_is_shown_in_noise_or_dim_light(light: float, noise: float) -> None:
    """Tracker and detectors miss everybody, in a picture with noise and in a dim one: whoever is
    there is told from the empty scene.
    """
    camera = "lobby-a"
    taken = [
        reading.Frame(f.t_utc, as_seen(f.image, light, noise, seed))
        for seed, f in enumerate(sampled(camera, 3.8))
    ]
    around = np.array([-15, -15, 15, 15])
    people = [
        now(camera, f.t_utc)[["x0", "y0", "x1", "y1"]].to_numpy(float) + around for f in taken
    ]
    background = build_background([f.image for f in taken], people)
    nobody_known = np.zeros((0, 4))
    leaks = []
    for frame in taken:
        levels = levels_to_hide(frame.image, nobody_known, nobody_known, background, SETTINGS)
        leaks += leaked(camera, frame.t_utc, levels)
        assert (levels == 0).mean() > 0.5
    assert leaks == []


def test_noise_that_drowns_people_shows_nothing() -> None:
    """In noise of a dim scene that a face does not stand out of, the scene is hidden with it."""
    taken = [as_seen(f.image, 0.3, 14.0, i) for i, f in enumerate(sampled("lobby-b", 3.8))]
    background = build_background(taken, [np.zeros((0, 4))] * len(taken))
    nobody_known = np.zeros((0, 4))
    for image in taken[:4]:
        levels = levels_to_hide(image, nobody_known, nobody_known, background, SETTINGS)
        assert (levels == 0).mean() < 0.1


def test_a_face_of_the_wall_s_own_colour_is_hidden() -> None:
    """Somebody whose colours are the wall's on the mean, and nowhere far off it, is told by the
    texture.
    """
    rng = np.random.default_rng(8)
    walls = [
        np.clip(120 + rng.normal(0, 3, (240, 320, 3)), 0, 255).astype(np.uint8) for _ in range(10)
    ]
    background = build_background(walls, [np.zeros((0, 4))] * 10)
    board = np.indices((12, 12)).sum(axis=0) % 2 * 20.0 - 10.0
    face = board.repeat(5, axis=0).repeat(5, axis=1)[..., None]
    image = walls[0].copy()
    image[80:140, 120:180] = np.clip(image[80:140, 120:180] + face, 0, 255)
    levels = levels_to_hide(image, np.zeros((0, 4)), np.zeros((0, 4)), background, SETTINGS)
    assert (levels[86:134, 126:174] > 0).all()
    assert (levels == 0).mean() > 0.5


@pytest.mark.parametrize("camera", ["lobby-a", "corridor"])
def test_everybody_hidden_is_one_grey(camera: str) -> None:
    """Whoever is hidden, and wherever, is the same two greys: neither clothes nor faces are drawn
    in any way, nor on the mean of frames.
    """
    seen = set()
    for frame in sampled(camera, 3.8)[:8]:
        others = now(camera, frame.t_utc).query("person != 'S'")
        boxed = others[["x0", "y0", "x1", "y1"]].to_numpy(float)
        levels = levels_to_hide(frame.image, np.zeros((0, 4)), boxed, scene(camera), SETTINGS)
        drawn = silhouette(frame.image, levels)
        seen |= {tuple(colour) for colour in np.unique(drawn[levels > 0], axis=0).tolist()}
        for row in others.itertuples():
            assert (levels[box_of(row)] > 0).all()
    assert len(seen) == 2
    assert all(len(set(colour)) == 1 for colour in seen)


def box_of(row) -> tuple[slice, slice]:
    """Rows and columns of a true box."""
    return (
        slice(max(0, int(row.y0)), max(0, int(row.y1))),
        slice(max(0, int(row.x0)), max(0, int(row.x1))),
    )


def test_a_box_s_own_sides_are_not_drawn() -> None:
    """People whose boxes differ by less than a cell in width and height leave one outline: it tells
    of no one's build.
    """
    wall = [np.full((360, 640, 3), 120, np.uint8)] * 9
    background = build_background(wall, [np.zeros((0, 4))] * 9)
    outlines = [
        levels_to_hide(wall[0], np.zeros((0, 4)), np.array([box]), background, SETTINGS) > 0
        for box in ([470.0, 100, 560, 305], [468.0, 98, 562, 307])
    ]
    assert (outlines[0] == outlines[1]).all()


@pytest.mark.parametrize("camera", ["lobby-a", "lobby-b"])
def test_nobody_known_but_the_subject(camera: str) -> None:
    """Tracker and detectors miss every bystander: those apart from the subject are hidden by the
    scene alone.
    """
    taken = sampled(camera, 3.8)
    places = locate(taken, tracks(camera, 0.0), [0], BLIND, SETTINGS)
    leaks = []
    for frame, place in zip(taken, places, strict=True):
        levels = levels_to_hide(frame.image, place.subject, place.others, scene(camera), SETTINGS)
        leaks += [
            who
            for who in leaked(camera, frame.t_utc, levels)
            if not _touches(camera, frame.t_utc, who[-2:])
        ]
    assert leaks == []


def _touches(camera: str, time, person: str) -> bool:
    """Whether somebody's head lies in the subject's box: there only a detector or tracker can tell
    them apart.
    """
    rows = {r.person: r for r in now(camera, time).itertuples()}
    own = rows.get("S")
    other = rows[person.strip()]
    if own is None:
        return False
    apart = (
        other.head_x1 < own.x0
        or other.head_x0 > own.x1
        or other.head_y1 < own.y0
        or other.head_y0 > own.y1
    )
    return not apart


def test_the_subject_lost_shows_nobody() -> None:
    """Without a certain place of the subject no head at all is shown, the subject's included."""
    for frame in sampled("lobby-a", 3.8):
        levels = levels_to_hide(
            frame.image, np.zeros((0, 4)), np.zeros((0, 4)), scene("lobby-a"), SETTINGS
        )
        assert leaked("lobby-a", frame.t_utc, levels) == []


def test_the_written_files_hold_no_bystander_s_face() -> None:
    """In the decoded MP4 and JPEG the fine detail of bystanders' heads is gone; the subject's is
    kept somewhere.
    """
    camera = "lobby-b"
    start = boxes("lobby-b")["t_utc"].min() + timedelta(seconds=15)
    begin = pd.Timestamp(start).to_pydatetime()
    end = begin + timedelta(seconds=2)
    job = PictureJob(
        name="S-01",
        camera_id=camera,
        start_utc=begin,
        end_utc=end,
        still_utc=begin,
        subject_tracks=(0,),
    )
    made = render_picture(job, view(camera), scene(camera), BLIND, SETTINGS)
    source = [
        f
        for s, d, _ in segments(camera)[:2]
        for f in reading.frames(d, s)
        if begin <= f.t_utc <= end
    ]
    written = list(reading.frames(made["S-01.mp4"], source[0].t_utc))
    assert len(source) == len(written) == 11
    heads = own = 0
    for before, after in zip(source, written, strict=True):
        for row in now(camera, before.t_utc).itertuples():
            if row.head_px < MIN_HEAD_PX or row.head_visible < 0.5:
                continue
            same = alike(before.image, after.image, head_mask(row, before.image.shape[:2]))
            if row.person == "S":
                own += same > 0.8
            else:
                heads += 1
                assert same < 0.5, (row.person, before.t_utc)
    assert heads > 10
    assert own > 0
