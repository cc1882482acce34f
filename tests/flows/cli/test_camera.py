"""`encounter camera`: what is written, what is left alone, and what is told."""

import copy
import json
import re
import stat
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from data_contracts.camera import read_site_file
from data_contracts.errors import BadInput, ModelUnavailable
from flows.cli import checking as command
from flows.cli.main import app
from models.interface import Boxes, PersonScores
from models.registry import load_person
from tasks.ground.projection import Projection

DEMO = Path(__file__).parents[3] / "demo"
CAMERAS = DEMO / "cameras.geojson"
SEGMENT = DEMO / "footage" / "lobby-b" / "2026-11-16" / "00" / "01.00.mp4"
LOBBY = read_site_file(CAMERAS).by_id["lobby-b"]
FLOOR = np.array([[3, 3], [8, 7], [5, 1], [10, 6.5], [11, 5], [7, 4], [2, 6]], float)


def points(folder, m=FLOOR, scale=1.0, noise_px=1.0):
    """A file of clicks of lobby-b's floor."""
    px = Projection(LOBBY).pixels(m) * scale + np.random.default_rng(0).normal(0, noise_px, m.shape)
    rows = [f"{p[0]:.1f},{p[1]:.1f},{q[0]},{q[1]}" for p, q in zip(px, m, strict=True)]
    path = folder / "points.csv"
    path.write_text("\n".join(["px,py,x_m,y_m", *rows]))
    return path


def blank(folder, size=(720, 1280)):
    """A picture of an empty scene."""
    path = folder / "scene.png"
    cv2.imwrite(str(path), np.full((*size, 3), 90, np.uint8))
    return path


def run(*words):
    """The command's result; errors are raised as they are."""
    result = CliRunner().invoke(app, ["camera", *map(str, words)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def calibrate(
    folder, *more, cameras=CAMERAS, name="lobby-b", picture="check.png", out="out.geojson"
):
    """Calibrate with a picture in `folder`."""
    given = [] if cameras is None else ["--cameras", cameras]
    where = ["--out", folder / out, "--picture", folder / picture]
    return run(
        "calibrate", "--points", folder / "points.csv", "--camera", name, *given, *where, *more
    )


def test_one_camera_changes_and_nothing_else(tmp_path):
    """The camera gets its homography; other cameras, its own other fields and its coverage stay as
    they were.
    """
    points(tmp_path)
    assert calibrate(tmp_path, "--segment", SEGMENT).exit_code == 0
    before = json.loads(CAMERAS.read_text())
    after = json.loads((tmp_path / "out.geojson").read_text())
    own = copy.deepcopy(after)["features"][1]["properties"]
    was = before["features"][1]["properties"]
    assert own.pop("homography_px_to_local") != was.pop("homography_px_to_local")
    assert own.pop("calibration")["points"] == len(FLOOR)
    assert own == was
    assert [f for f in after["features"] if f["id"] != "lobby-b"] == [
        f for f in before["features"] if f["id"] != "lobby-b"
    ]
    new = Projection(read_site_file(tmp_path / "out.geojson").by_id["lobby-b"])
    assert new.at_height(Projection(LOBBY).pixels(FLOOR), 0.0) == pytest.approx(FLOOR, abs=0.15)


def test_the_picture_is_the_owners_alone(tmp_path):
    """The picture shows a real scene: mode 0600, only where the user says, never over another
    file.
    """
    points(tmp_path)
    calibrate(tmp_path, "--segment", SEGMENT)
    assert stat.S_IMODE((tmp_path / "check.png").stat().st_mode) == 0o600
    assert cv2.imread(str(tmp_path / "check.png")).shape == (720, 1280, 3)
    assert {p.name for p in tmp_path.iterdir()} == {"points.csv", "out.geojson", "check.png"}
    with pytest.raises(BadInput, match=r"check\.png exists already"):
        calibrate(tmp_path, "--segment", SEGMENT, out="other.geojson")


def test_a_new_file_and_a_new_camera(tmp_path):
    """Without a camera file one is made, with a coverage; a second camera is added to it in
    place.
    """
    points(tmp_path)
    picture = blank(tmp_path)
    with pytest.raises(BadInput, match="--origin"):
        calibrate(tmp_path, "--image", picture, cameras=None, name="one")
    calibrate(
        tmp_path,
        "--image",
        picture,
        "--origin",
        "126.7,37.5",
        "--height",
        "2.75",
        cameras=None,
        name="one",
    )
    out = tmp_path / "out.geojson"
    first = read_site_file(out)
    assert first.origin.lon == 126.7
    assert first.by_id["one"].polygon.area > 20
    calibrate(tmp_path, "--image", picture, cameras=out, name="two", picture="two.png")
    both = read_site_file(out)
    assert set(both.by_id) == {"one", "two"}
    assert both.by_id["one"] == first.by_id["one"]


def test_a_smaller_picture_was_clicked(tmp_path):
    """Points clicked in a half-size copy are brought to the camera's pixels."""
    points(tmp_path, scale=0.5, noise_px=0.5)
    calibrate(tmp_path, "--image", blank(tmp_path, (360, 640)))
    new = read_site_file(tmp_path / "out.geojson").by_id["lobby-b"]
    assert (new.image_width, new.image_height) == (1280, 720)
    assert Projection(new).at_height(Projection(LOBBY).pixels(FLOOR), 0.0) == pytest.approx(
        FLOOR, abs=0.2
    )


def test_a_bad_click_is_told(tmp_path):
    """The output names the point that is off."""
    moved = FLOOR.copy()
    points(tmp_path, moved)
    text = (tmp_path / "points.csv").read_text().splitlines()
    text[3] = ",".join([*text[3].split(",")[:2], "6.5", "2.5"])
    (tmp_path / "points.csv").write_text("\n".join(text))
    result = calibrate(tmp_path, "--image", blank(tmp_path))
    assert "3 off" in result.output
    assert "point 3 does not agree" in result.output


def test_nothing_half_written_stays(tmp_path, monkeypatch):
    """When writing fails the old file is whole and nothing lies beside it."""
    points(tmp_path)
    out = tmp_path / "cameras.geojson"
    out.write_bytes(CAMERAS.read_bytes())
    picture = blank(tmp_path)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(BadInput, match=r"cameras\.geojson: cannot be written"):
        calibrate(tmp_path, "--image", picture, cameras=out, out="cameras.geojson")
    assert out.read_bytes() == CAMERAS.read_bytes()
    assert {p.name for p in tmp_path.iterdir()} == {
        "points.csv",
        "cameras.geojson",
        "scene.png",
        "check.png",
    }


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ((), "one of --image and --segment"),
        (("--image", "POINTS"), "cannot be read as one"),
        (("--segment", SEGMENT, "--at", "900"), "no picture at 900 s"),
        (("--segment", SEGMENT, "--height", "-1"), "above the floor"),
        (("--segment", SEGMENT, "--position", "1,2"), "X,Y,Z"),
        (("--segment", SEGMENT, "--click-px", "0"), "above 0"),
    ],
)
def test_bad_options_are_one_line(tmp_path, more, says):
    """Each wrong option says what was expected, and writes nothing."""
    path = points(tmp_path)
    with pytest.raises(BadInput, match=says):
        calibrate(tmp_path, *(str(path) if word == "POINTS" else word for word in more))
    assert {p.name for p in tmp_path.iterdir()} == {"points.csv"}


def test_another_file_is_not_overwritten(tmp_path):
    """--out that exists and is not --cameras is refused."""
    points(tmp_path)
    (tmp_path / "out.geojson").write_text("mine")
    with pytest.raises(BadInput, match="exists already"):
        calibrate(tmp_path, "--segment", SEGMENT)
    assert (tmp_path / "out.geojson").read_text() == "mine"


def test_check_without_footage_reads_the_record(tmp_path):
    """The demo's file passes; a scaled camera in it is named with exit status 1."""
    assert run("check", "--cameras", CAMERAS).exit_code == 0
    data = json.loads(CAMERAS.read_text())
    h = np.array(data["features"][2]["properties"]["homography_px_to_local"])
    data["features"][2]["properties"]["homography_px_to_local"] = (
        np.diag([1.15, 1.15, 1]) @ h
    ).tolist()
    (tmp_path / "c.geojson").write_text(json.dumps(data))
    result = run("check", "--cameras", tmp_path / "c.geojson")
    assert result.exit_code == 1
    assert "entrance: position" in result.output.replace("\n", " ")
    assert "lobby" not in result.output


def test_check_with_footage_measures_people(tmp_path, monkeypatch):
    """With the real detector on real frames: the right camera passes, one that looks 4 degrees
    further down is told.
    """
    try:
        detector = load_person()
    except ModelUnavailable as error:
        pytest.skip(str(error))
    monkeypatch.setattr(command, "load_person", lambda _: detector)
    monkeypatch.setattr(command, "_CHECK_FPS", 2.0)
    result = run("check", SEGMENT, "--camera", "lobby-b", "--cameras", CAMERAS)
    assert result.exit_code == 0, result.output
    k = LOBBY.intrinsics
    matrix = np.array([[k["fx"], 0, k["cx"]], [0, k["fy"], k["cy"]], [0, 0, 1.0]])
    c = np.cos(np.radians(4))
    s = np.sin(np.radians(4))
    moved = (
        LOBBY.homography
        @ matrix
        @ np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
        @ np.linalg.inv(matrix)
    )
    data = json.loads(CAMERAS.read_text())
    data["features"][1]["properties"]["homography_px_to_local"] = moved.tolist()
    (tmp_path / "c.geojson").write_text(json.dumps(data))
    result = run("check", SEGMENT, "--camera", "lobby-b", "--cameras", tmp_path / "c.geojson")
    assert result.exit_code == 1
    assert "looks further down" in result.output.replace("\n", " ")


class SeesTwice:
    """A detector that answers with two boxes, which overlap by 0.8, to the only person."""

    def __init__(self):
        self.frames = 0

    def detect(self, frames):
        """Boxes of someone who walks to and fro, 1 m a second."""
        share = 0.5 - 0.5 * np.cos(self.frames / 8)
        self.frames += 1
        at = np.array([[3 + 7 * share, 3 + 3.5 * share]])
        feet, head = (Projection(LOBBY).pixels(at, height)[0] for height in (0.0, 1.7))
        half = 0.15 * (feet[1] - head[1])
        box = np.array([feet[0] - half, head[1], feet[0] + half, feet[1]])
        aside = np.array([0.22 * half, 0, 0.22 * half, 0])
        boxes = np.array([box, box + aside], np.float32)
        return [Boxes(boxes, np.array([0.9, 0.8], np.float32)) for _ in frames]


def test_a_person_with_two_boxes_is_one_person(tmp_path, monkeypatch):
    """The detector's doubles are dropped before tracking, as in a trace."""
    monkeypatch.setattr(command, "load_person", lambda _: SeesTwice())
    monkeypatch.setattr(command, "_CHECK_FPS", 2.0)
    result = run("check", SEGMENT, "--camera", "lobby-b", "--cameras", CAMERAS)
    assert re.search(r"\b1\s+tracks", result.output), result.output


class SeesNowhere(SeesTwice):
    """The same, with a third box in each frame that has no place."""

    def detect(self, frames):
        """The walker, first a box that is not a number and last one that reaches to infinity."""
        (walker,) = super().detect(frames)
        nan = np.full((1, 4), np.nan, np.float32)
        endless = np.array([[0, 0, np.inf, 400]], np.float32)
        boxes = np.vstack([nan, walker.xyxy, endless])
        return [Boxes(boxes, np.array([0.95, 0.9, 0.8, 0.7], np.float32))]


def test_a_box_without_a_place_is_nobody(monkeypatch):
    """A network may answer with numbers that are none: the walker is measured all the same."""
    monkeypatch.setattr(command, "load_person", lambda _: SeesNowhere())
    monkeypatch.setattr(command, "_CHECK_FPS", 2.0)
    result = run("check", SEGMENT, "--camera", "lobby-b", "--cameras", CAMERAS)
    assert re.search(r"\b1\s+tracks", result.output), result.output


class IsUnsure(SeesTwice):
    """The same walker, each box at a score that a detector of its kind gives to a sure person."""

    def detect(self, frames):
        """The walker at .3."""
        (walker,) = super().detect(frames)
        return [Boxes(walker.xyxy, np.array([0.3, 0.25], np.float32))]


def test_a_detector_s_own_scores_decide(monkeypatch):
    """Who is sure on the chosen detector's scale is measured; by the default's they would not
    be.
    """
    own = PersonScores(
        continues=0.05, hidden=0.1, typical=0.1, looked_at=0.15, beside=0.2, sure=0.25
    )
    monkeypatch.setattr(command, "load_person", lambda _: IsUnsure())
    monkeypatch.setattr(command, "_CHECK_FPS", 2.0)
    with pytest.raises(BadInput, match="expected at least"):
        run("check", SEGMENT, "--camera", "lobby-b", "--cameras", CAMERAS)
    monkeypatch.setattr(command, "detector_scores", lambda _: (own, None))
    result = run("check", SEGMENT, "--camera", "lobby-b", "--cameras", CAMERAS)
    assert re.search(r"\b1\s+tracks", result.output), result.output


def clock(folder, *more):
    """The `clock` command on a copy of the demo's camera file."""
    path = folder / "cameras.geojson"
    if not path.exists():
        path.write_bytes(CAMERAS.read_bytes())
    return run("clock", "--cameras", path, "--camera", "lobby-b", *more), path


def test_a_clock_is_written_shown_and_cleared(tmp_path):
    """Its spans stand in the camera file, the one for a time before the one for ever; all else in
    the file stays; --clear forgets them.
    """
    clock(tmp_path, "--ahead", "1.5", "--sd", "0.2")
    span = ("--from", "2026-11-16T08:00:00Z", "--until", "2026-11-16T09:00:00Z")
    result, path = clock(tmp_path, "--ahead", "-3", *span)
    assert "site publish" in result.output
    spans = read_site_file(path).by_id["lobby-b"].clock
    assert [(one.ahead_s, one.sd_s) for one in spans] == [(-3.0, 0.0), (1.5, 0.2)]
    shown, _ = clock(tmp_path)
    assert "ahead by 1.5 s (deviation 0.2 s)" in shown.output
    clock(tmp_path, "--clear")
    assert json.loads(path.read_text()) == json.loads(CAMERAS.read_text())


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--ahead", "1", "--from", "yesterday"), "with its offset"),
        (("--ahead", "1", "--from", "2026-11-16T08:00:00"), "with its offset"),
        (("--ahead", "1e9"), "clock of lobby-b"),
    ],
)
def test_a_wrong_clock_is_refused(tmp_path, more, told):
    """The file is not changed."""
    with pytest.raises(BadInput, match=told):
        clock(tmp_path, *more)
    assert read_site_file(tmp_path / "cameras.geojson").by_id["lobby-b"].clock == ()


def test_spans_that_overlap_are_refused(tmp_path):
    """Two corrections of one time would depend on their order."""
    clock(tmp_path, "--ahead", "1", "--from", "2026-11-16T08:00:00Z")
    with pytest.raises(BadInput, match="overlaps"):
        clock(tmp_path, "--ahead", "2", "--from", "2026-11-16T09:00:00Z")
    with pytest.raises(BadInput, match="no camera"):
        run("clock", "--cameras", tmp_path / "cameras.geojson", "--camera", "roof", "--ahead", "1")
