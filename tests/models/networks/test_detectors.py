"""Detectors find what is there, in the coordinates of the picture they were given."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import av
import cv2
import numpy as np
import pandas as pd
import pytest

from data_contracts.errors import ModelUnavailable
from models.files.checksum import sha256
from models.files.manifest import ModelInput
from models.files.pull import pull
from models.geometry import best_of_each, suppress
from models.interface import Boxes, FaceDetector, Faces, Image, PersonDetector
from models.networks.centerface import CenterFace
from models.networks.nanodet import NanoDet, letterbox
from models.registry import Models, load
from models.settings import ModelSettings
from tests.models.conftest import DEMO

PLAIN = ModelInput(width=64, height=64, colour="BGR", mean=(0, 0, 0), std=(1, 1, 1))


class Answers:
    """A session that answers with given outputs, whatever it is asked: the decoding is under test,
    not the network.
    """

    def __init__(self, outputs: list[np.ndarray]) -> None:
        self.outputs = outputs
        self.asked = []

    def run(self, batch: np.ndarray) -> list[np.ndarray]:
        """The given outputs."""
        self.asked.append(batch)
        return self.outputs


def test_nanodet_decodes_by_hand() -> None:
    """One cell at stride 16: centre (24, 40), sides of 1, 2, 1 and 3 strides; the frame is twice
    the canvas.
    """
    outputs = [np.zeros((1, (64 // s) ** 2, 80), np.float32) for s in (8, 16, 32)]
    sides = [np.zeros((1, (64 // s) ** 2, 44), np.float32) for s in (8, 16, 32)]
    cell = 2 * 4 + 1  # row 2, column 1 of the 4 x 4 map
    outputs[1][0, cell, 0] = 0.9
    outputs[1][0, 0, 5] = 0.99  # a bus is not a person
    for i, strides in enumerate((1, 2, 1, 3)):
        sides[1][0, cell, i * 11 + strides] = 100.0
    found = NanoDet(Answers([*outputs, *sides]), PLAIN, (64, 64), 0.1, 0.5).detect(
        [np.zeros((128, 128, 3), np.uint8)]
    )
    assert found[0].xyxy == pytest.approx(np.array([[16, 16, 80, 176]]))
    assert found[0].score == pytest.approx([0.9])


def test_letterbox_keeps_shape_and_says_the_ratio() -> None:
    """A 1280 x 720 frame on 640 x 384 is halved, top left, with zeros below."""
    canvas, ratio = letterbox(np.full((720, 1280, 3), 9, np.uint8), (640, 384))
    assert ratio == 0.5
    assert canvas[359, 639].tolist() == [9, 9, 9]
    assert not canvas[360:].any()


def test_centerface_decodes_by_hand() -> None:
    """A peak at row 3, column 5 on a crop that was enlarged four times: box and landmarks in the
    crop's pixels.
    """
    heat, size, offset, marks = (np.zeros((1, c, 40, 40), np.float32) for c in (1, 2, 2, 10))
    heat[0, 0, 3, 5] = 0.8
    size[0, :, 3, 5] = np.log([4.0, 2.0])  # 16 px high, 8 px wide on the canvas
    marks[0, :, 3, 5] = [0.25, 0.5] * 5
    crop = np.zeros((40, 40, 3), np.uint8)
    (faces,) = CenterFace(
        Answers([heat, size, offset, marks]), PLAIN.model_copy(update={"width": 640}), 0.35, 0.3
    ).detect([crop])
    # canvas: centre (22, 14), left 18, top 6; a quarter of that in the crop
    assert faces.xyxy == pytest.approx(np.array([[18, 6, 26, 22]]) / 4)
    assert faces.landmarks[0, 0] == pytest.approx(np.array([18 + 0.5 * 8, 6 + 0.25 * 16]) / 4)


def test_a_double_suppresses_nobody_s_only_box() -> None:
    """The second box is the first person again, and overlaps the third, a second person's, by more
    still: that one stays.
    """
    boxes = np.array([[0, 0, 100, 300], [28, 0, 128, 300], [50, 0, 150, 300]], np.float32)
    scores = np.array([0.9, 0.6, 0.5], np.float32)
    assert suppress(boxes, scores, 0.6).tolist() == [0, 1]
    assert suppress(boxes, scores, 0.6, np.array([True, False, True])).tolist() == [0, 1, 2]
    assert best_of_each(Boxes(boxes, scores)).score.tolist() == pytest.approx([0.9, 0.5])


def test_what_is_not_a_number_has_no_place_and_suppresses_nobody() -> None:
    """Boxes and faces keep the rows whose numbers are finite, and count the others."""
    boxes = np.array(
        [[np.nan] * 4, [0, 0, 100, 300], [0, 0, np.inf, 300], [200, 0, 300, 300]], np.float32
    )
    scores = np.array([0.9, 0.8, 0.7, 0.6], np.float32)
    assert {1, 3} <= set(suppress(boxes, scores, 0.6).tolist())
    people = best_of_each(Boxes(boxes, scores))
    assert people.score.tolist() == pytest.approx([0.8, 0.6])
    assert Boxes(boxes, scores).unplaced == 2
    marks = np.zeros((4, 5, 2), np.float32)
    marks[3, 2, 0] = np.nan
    faces = Faces(boxes, scores, marks)
    assert (len(faces), faces.unplaced, len(faces.landmarks)) == (1, 3, 1)


@pytest.fixture(scope="module")
def scene() -> tuple[Image, pd.DataFrame]:
    """A frame of the demo and its true boxes."""
    path = next(iter(sorted((DEMO / "footage" / "lobby-a").rglob("00.30.mp4"))))
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0)).to_ndarray(format="bgr24")
    truth = pd.read_csv(DEMO / "truth" / "boxes.csv", parse_dates=["t_utc"])
    start = pd.Timestamp("2026-11-16T00:00:00Z") + timedelta(seconds=30)
    return frame, truth[(truth.camera == "lobby-a") & (truth.t_utc == start)]


class PersonDetectorContract:
    """What every person detector does."""

    def test_finds_the_people_who_can_be_seen(
        self, detector: PersonDetector, scene: tuple[Image, pd.DataFrame]
    ) -> None:
        """Everybody who is at least 70 % visible has a box whose middle lies in theirs."""
        frame, truth = scene
        (found,) = detector.detect([frame])
        boxes = found.xyxy[found.score > 0.35]
        middle = (boxes[:, :2] + boxes[:, 2:]) / 2
        for row in truth[truth.visible > 0.7].itertuples():
            assert ((middle >= [row.x0, row.y0]) & (middle <= [row.x1, row.y1])).all(1).any()

    def test_empty_input_and_empty_picture(self, detector: PersonDetector) -> None:
        """Nothing in, nothing out; a grey picture has nobody in it."""
        assert detector.detect([]) == []
        (found,) = detector.detect([np.full((360, 640, 3), 128, np.uint8)])
        assert not (found.score > 0.35).any()
        assert found.xyxy.shape[1] == 4


class TestNanoDet(PersonDetectorContract):
    """The default person detector."""

    def test_doubles_cost_nobody_their_only_box(
        self, detector: NanoDet, scene: tuple[Image, pd.DataFrame], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One box a person is the same choice whether the detector lists its doubles or
        everything.
        """
        (listed,) = detector.detect([scene[0]])
        monkeypatch.setattr(detector, "_overlap", 1.0)
        (everything,) = detector.detect([scene[0]])
        assert len(best_of_each(listed)) < len(listed) < len(everything)
        assert (best_of_each(listed).xyxy == best_of_each(everything).xyxy).all()

    @pytest.fixture
    def detector(self, models: Models) -> PersonDetector:
        """The detector under test."""
        return models.person


class FaceDetectorContract:
    """What every face detector does."""

    def test_finds_the_portraits_face(self, detector: FaceDetector, portraits: list[Image]) -> None:
        """One face each, eyes above nose above mouth, left of right."""
        for faces in detector.detect(portraits):
            assert len(faces) == 1
            left, right, nose, mouth_left, mouth_right = faces.landmarks[0]
            assert left[0] < nose[0] < right[0]
            assert mouth_left[0] < mouth_right[0]
            assert max(left[1], right[1]) < nose[1] < min(mouth_left[1], mouth_right[1])

    @pytest.mark.parametrize("size", [64, 120, 200, 700])
    def test_finds_small_and_large_heads(
        self, detector: FaceDetector, portraits: list[Image], size: int
    ) -> None:
        """The head crop from 64 px (a face of about 20) to 700 px: the same face at the right
        place.
        """
        small = cv2.resize(portraits[0], (size, size), interpolation=cv2.INTER_AREA)
        (faces,) = detector.detect([np.asarray(small, np.uint8)])
        (full,) = detector.detect([portraits[0]])
        assert len(faces) == 1
        expected = full.landmarks[0] * size / portraits[0].shape[0]
        assert np.abs(faces.landmarks[0] - expected).max() < 0.05 * size

    def test_mixed_sizes_keep_their_order(
        self, detector: FaceDetector, portraits: list[Image]
    ) -> None:
        """Pictures of several sizes in one call are answered in their order."""
        blank = np.full((50, 80, 3), 128, np.uint8)
        found = detector.detect([blank, portraits[0], blank, portraits[1]])
        assert [len(f) for f in found] == [0, 1, 0, 1]
        assert detector.detect([]) == []

    def test_one_pixel_does_not_fail(self, detector: FaceDetector) -> None:
        """A degenerate crop gives no face rather than an error."""
        (found,) = detector.detect([np.zeros((1, 1, 3), np.uint8)])
        assert isinstance(found, Faces)
        assert len(found) == 0


class TestCenterFace(FaceDetectorContract):
    """The default face detector."""

    @pytest.fixture
    def detector(self, models: Models) -> FaceDetector:
        """The detector under test."""
        return models.face


def test_a_variant_for_openvino_is_chosen_by_its_name(tmp_path: Path) -> None:
    """models.person = nanodet-int8 takes the user's file, records its weights' digest, and says how
    to make a missing one.
    """
    import openvino as ov

    (tmp_path / "packs").mkdir()
    for row in pull():
        if row.path.suffix == ".onnx":
            (tmp_path / row.path.name).symlink_to(row.path)
    with pytest.raises(
        ModelUnavailable, match=r"nanodet-int8\.xml expected.*benchmarks\.accuracy\.quantise"
    ):
        load(ModelSettings(dir=tmp_path, person="nanodet-int8"))
    model = ov.Core().read_model(
        tmp_path / "nanodet.onnx"
    )  # what matters here is the file's kind, not its precision
    ov.save_model(model, tmp_path / "packs" / "nanodet-int8.xml")
    models = load(ModelSettings(dir=tmp_path, person="nanodet-int8", runtime="openvino"))
    assert isinstance(models.person, NanoDet)
    assert models.digests["nanodet-int8 nanodet-int8.bin"] == sha256(
        tmp_path / "packs" / "nanodet-int8.bin"
    )
