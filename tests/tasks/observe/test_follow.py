"""Template, match, scan and follow with the real models on the demo's footage."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest
from subject_case import derive, subject_case

from data_contracts.camera import read_site_file
from data_contracts.errors import BadInput, ModelUnavailable, NotAuthorised, VideoUnreadable
from data_contracts.policy import SearchSettings
from data_contracts.tables.contracts import CANDIDATES, DETECTIONS, SEGMENT_REPORTS
from data_contracts.tables.validate import validate
from models.interface import Boxes
from models.registry import load
from tasks.footage.segment import SegmentInput, fitted
from tasks.observe.face import find_faces, turn_of
from tasks.observe.follow import detect_people, follow_segment
from tasks.observe.match import SubjectSearch, match
from tasks.observe.motion import MotionGate, MotionSettings
from tasks.observe.scan import scan_segment
from tasks.observe.template import build_template

DEMO = Path(__file__).parents[3] / "demo"
START = datetime(2026, 11, 16, tzinfo=UTC)
SEARCH = SearchSettings()
PICTURES = {p.name: p.read_bytes() for p in sorted((DEMO / "reference").glob("*.jpg"))}
SITE = read_site_file(DEMO / "cameras.geojson")


def segment(camera, name):
    """A demo segment."""
    minute, second = (int(v) for v in name.split("."))
    path = DEMO / "footage" / camera / "2026-11-16" / "00" / f"{name}.mp4"
    return SegmentInput(
        SITE.by_id[camera],
        f"{camera}/2026-11-16/00/{name}.mp4",
        START + timedelta(minutes=minute, seconds=second),
        path.read_bytes(),
    )


@pytest.fixture(scope="module")
def models():
    """The default models; without their files these tests are skipped."""
    try:
        return load()
    except ModelUnavailable as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def template(models):
    """The demo subject's template."""
    return build_template(subject_case(), PICTURES, models, derive)


def test_template_names_the_picture_that_fails(models):
    """A picture without a face, with two faces, or that is not a picture is refused by name."""
    case = subject_case()
    face = cv2.imdecode(np.frombuffer(PICTURES["frontal.jpg"], np.uint8), cv2.IMREAD_COLOR)
    blank = np.full_like(face, 128)
    two = np.hstack([face, face])
    for name, data in (
        ("blank.png", cv2.imencode(".png", blank)[1].tobytes()),
        ("two.png", cv2.imencode(".png", two)[1].tobytes()),
        ("text.jpg", b"hello"),
    ):
        with pytest.raises(BadInput, match=name):
            build_template(
                case, {"frontal.jpg": PICTURES["frontal.jpg"], name: data}, models, derive
            )
    with pytest.raises(NotAuthorised):
        build_template(subject_case(scopes=("appearance",)), PICTURES, models, derive)


def test_scan_finds_the_subject_and_not_the_decoy(models, template):
    """Key frames of the entrance propose the subject as they come in, and nobody in a segment
    without them.
    """
    case = subject_case()
    search = SubjectSearch(case, template, models, SEARCH)
    found, _, report = scan_segment(segment("entrance", "00.00"), search)
    validate(found, CANDIDATES)
    validate(report, SEGMENT_REPORTS)
    assert found["t_utc"].between(START + timedelta(seconds=5), START + timedelta(seconds=13)).all()
    assert found["subject_p"].max() > 0.9
    others, *_ = scan_segment(segment("entrance", "00.30"), search)
    assert others.empty
    assert report["n_frames"].iloc[0] == 15


def test_follow_sees_only_what_was_granted(models, template):
    """Only granted seconds are looked at; people there get positions, the subject's face is
    proposed, mask unworn.
    """
    case = subject_case(from_utc=START + timedelta(seconds=9), to_utc=START + timedelta(seconds=12))
    search = SubjectSearch(case, template, models, SEARCH)
    found, report = follow_segment(segment("entrance", "00.00"), search)
    validate(found, DETECTIONS)
    assert report["n_frames"].iloc[0] == 15
    assert found["t_utc"].min() >= START + timedelta(seconds=9)
    assert found["t_utc"].max() < START + timedelta(seconds=12)
    sure = found[found["score"] > 0.5]
    assert sure["x_m"].notna().mean() > 0.9
    assert found["subject_p"].max() > 0.9
    assert found.loc[found["subject_p"].notna(), "mask_p"].median() < 0.5
    assert found.loc[found["subject_p"].notna(), "face_px"].min() >= models.calibration.min_face_px


def test_unreadable_segment_is_a_fault_and_no_traceback(models, template):
    """The demo's cut-off segment gives no rows and a report that says why."""
    search = SubjectSearch(subject_case(), template, models, SEARCH)
    for look in (scan_segment, follow_segment):
        found, *_, report = look(segment("corridor", "00.30"), search)
        assert found.empty
        assert "MP4" in report["fault"].iloc[0]
        assert report["end_utc"].iloc[0] == report["start_utc"].iloc[0]


def test_a_person_with_two_boxes_is_one():
    """The detector may answer twice to one person; what is tracked and compared is their best
    box.
    """
    camera = SITE.by_id["lobby-a"]
    boxes = np.array([[300, 200, 400, 500], [328, 200, 428, 500], [600, 200, 700, 500]], np.float32)

    class Twice:
        def detect(self, frames):
            return [Boxes(boxes, np.array([0.9, 0.6, 0.5], np.float32)) for _ in frames]

    image = np.zeros((camera.image_height, camera.image_width, 3), np.uint8)
    rows = detect_people(camera, START, image, Twice(), None)
    assert [(row["x0"], round(row["score"], 1)) for row in rows] == [(300.0, 0.9), (600.0, 0.5)]


def test_cameras_that_were_not_granted_are_not_opened(models, template):
    """Scan and follow refuse a camera that consent and approval do not name, before reading a
    byte.
    """
    case = subject_case(cameras=("lobby-a",))
    unread = SegmentInput(SITE.by_id["entrance"], "k", START, b"")
    for look in (scan_segment, follow_segment):
        with pytest.raises(NotAuthorised):
            look(unread, SubjectSearch(case, template, models, SEARCH))


def test_match_keeps_others_to_itself(models, template):
    """A stranger's face yields no number, a subject's does; another case's template is refused."""
    frontal = cv2.imdecode(np.frombuffer(PICTURES["frontal.jpg"], np.uint8), cv2.IMREAD_COLOR)
    whole = np.array([[60, 20, 260, 520]], float)
    faces = find_faces(frontal, whole, models.face, 32)
    assert len(faces) == 1
    search = SubjectSearch(subject_case(), template, models, SEARCH)
    verdict = match(search, [frontal], faces)
    assert verdict.compared.all()
    assert verdict.subject_p[0] > 0.9
    assert np.isnan(verdict.masked_llr).all(), "a bare face adds nothing as a masked one"
    mirrored = np.ascontiguousarray(255 - frontal)
    stranger = match(search, [mirrored], faces)
    assert np.isnan(stranger.subject_p).all()
    with pytest.raises(NotAuthorised):
        match(search._replace(case=subject_case("K-2026-0043")), [frontal], faces)
    with pytest.raises(NotAuthorised):
        match(search._replace(case=subject_case(scopes=("appearance",))), [frontal], faces)


def test_a_blurred_face_says_nothing(models, template):
    """The subject's own face, blurred by two px for each 32 of its width, is not compared: neither
    for nor against.
    """
    frontal = cv2.imdecode(np.frombuffer(PICTURES["frontal.jpg"], np.uint8), cv2.IMREAD_COLOR)
    faces = find_faces(frontal, np.array([[60, 20, 260, 520]], float), models.face, 32)
    blurred = np.asarray(cv2.GaussianBlur(frontal, (0, 0), 2 * faces[0].width_px / 32), np.uint8)
    search = SubjectSearch(subject_case(), template, models, SEARCH)
    verdict = match(search, [frontal, blurred], faces * 2)
    assert list(verdict.compared) == [True, False]
    assert np.isnan(verdict.subject_p[1])


def test_motion_gate():
    """Still pictures and changes of light are skipped; something the size of a head is not."""
    gate = MotionGate(MotionSettings())
    rng = np.random.default_rng(0)
    scene = rng.integers(60, 180, (360, 640, 3), np.uint8)
    scene = cv2.GaussianBlur(scene, (0, 0), 8)
    assert gate.moved(scene)
    noisy = np.clip(scene + rng.normal(0, 3, scene.shape), 0, 255).astype(np.uint8)
    assert not gate.moved(noisy)
    assert not gate.moved(cv2.add(scene, np.full_like(scene, 15)))
    scene[100:140, 200:230] = 255
    assert gate.moved(scene)
    assert not gate.moved(scene)


@pytest.mark.parametrize(("nose", "turned"), [(50, False), (58, False), (75, True)])
def test_turn_from_landmarks(nose, turned):
    """A nose in the middle is a full face; far to one side it is too far aside to compare."""
    marks = np.array([[30, 40], [70, 40], [nose, 60], [35, 80], [65, 80]], float)
    assert (turn_of(marks) > 0.35) == turned


def test_pictures_of_another_size_are_fitted():
    """A substream of the same aspect is enlarged to the calibrated size; a cropped one is
    refused.
    """
    camera = SITE.by_id["entrance"]
    assert fitted(np.zeros((360, 640, 3), np.uint8), camera).shape == (720, 1280, 3)
    with pytest.raises(VideoUnreadable, match="1280 x 720"):
        fitted(np.zeros((480, 640, 3), np.uint8), camera)
