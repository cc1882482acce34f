"""Clips and stills: detections, tracks and neighbours in time together, and what is written to the
file.
"""

import io
from fractions import Fraction

import av
import cv2
import numpy as np
import pandas as pd
import pytest
from scene import CAMERA, STRANGER, SUBJECT, at, empty_room, head_of, seeing, track, with_person
from supervision import box_iou_batch

from data_contracts.tables.contracts import TRACKS
from data_contracts.time import Interval
from tasks.footage import reading, video
from tasks.redaction.background import build_background
from tasks.redaction.plan import PictureJob
from tasks.redaction.redact import RedactSettings
from tasks.redaction.render import CameraView, Segment, background_of, judged, render_picture
from tasks.redaction.who_is_where import locate

SETTINGS = RedactSettings()
TIMES = [i / 5 for i in range(10)]
NOBODY = seeing()


def frames(n: int = 10) -> list[reading.Frame]:
    """Two seconds of the subject and a stranger at 5 Hz."""
    return [
        reading.Frame(at(i / 5), with_person(with_person(empty_room(i), SUBJECT, 1), STRANGER, 2))
        for i in range(n)
    ]


def most_overlap(box, others) -> float:
    """The largest intersection over union of a box (4,) with `others` (n, 4); 0 without any."""
    return float(box_iou_batch(box[None], others).max(initial=0.0))


def others_at(places, i: int) -> bool:
    """Whether the stranger is hidden in frame i."""
    return most_overlap(STRANGER, places[i].others) > 0.8


def job(**columns) -> PictureJob:
    """A job over the two seconds."""
    fixed = {
        "name": "S-01",
        "camera_id": "a",
        "start_utc": at(0),
        "end_utc": at(2),
        "still_utc": at(1),
    }
    return PictureJob(**fixed | {"subject_tracks": (1,)} | columns)


def test_tracks_and_detections_are_both_hidden() -> None:
    """The stranger is hidden when only the tracker knows them, and when only the detector does."""
    subject = track(1, SUBJECT, TIMES)
    tracked = locate(
        frames(), pd.concat([subject, track(2, STRANGER, TIMES)]), [1], NOBODY, SETTINGS
    )
    detected = locate(frames(), subject, [1], seeing(SUBJECT, STRANGER), SETTINGS)
    for places in (tracked, detected):
        assert all(others_at(places, i) for i in range(10))
        assert all(len(p.subject) == 1 for p in places)
    assert all(most_overlap(SUBJECT, p.others) <= 0.4 for p in detected)


def test_a_find_covers_its_neighbours_in_time() -> None:
    """A stranger found in one frame alone is hidden half a second before and after, not for
    ever.
    """
    places = locate(
        frames(),
        pd.concat([track(1, SUBJECT, TIMES), track(2, STRANGER, [1.0])]),
        [1],
        NOBODY,
        SETTINGS,
    )
    hidden = [others_at(places, i) for i in range(10)]
    assert all(hidden[3:8])
    assert not hidden[0]


def test_holes_of_a_track_are_bridged() -> None:
    """Between two rows a second apart the stranger's box is drawn on."""
    tracks = pd.concat([track(1, SUBJECT, TIMES), track(2, STRANGER, [0.0, 1.2])])
    places = locate(frames(), tracks, [1], NOBODY, SETTINGS)
    assert all(others_at(places, i) for i in range(6))


def test_an_interpolated_subject_needs_to_be_seen() -> None:
    """Where the subject's track is only interpolated, nobody is shown unless a fresh detection is
    there.
    """
    guessed = track(1, SUBJECT, TIMES, score=0.0)
    assert all(len(p.subject) == 0 for p in locate(frames(), guessed, [1], NOBODY, SETTINGS))
    assert all(
        len(p.subject) == 1 for p in locate(frames(), guessed, [1], seeing(SUBJECT), SETTINGS)
    )


def test_a_second_face_in_the_subject_s_box_is_hidden() -> None:
    """Of the faces in the subject's box only the one at the subject's head is shown."""
    own = np.array([305.0, 110, 335, 150])
    second = np.array([330.0, 190, 355, 220])
    # Faces are looked for in a crop that reaches a fifth of the box's width past it.
    corner = np.array([264, 84, 264, 84])
    detectors = seeing(SUBJECT, faces=[own - corner, second - corner])
    places = locate(frames(), track(1, SUBJECT, TIMES), [1], detectors, SETTINGS)
    for place in places:
        assert most_overlap(second, place.others) > 0.9
        assert most_overlap(own, place.others) <= 0.1


@pytest.mark.parametrize(("score", "hidden"), [(0.2, False), (0.7, True)])
def test_a_piece_of_the_subject_is_not_a_stranger(score: float, hidden: bool) -> None:
    """An unsure box of the subject's upper half, with the same head, is the subject; a sure one is
    somebody.
    """
    upper = np.array([285.0, 102, 355, 160])
    subject = track(1, SUBJECT, TIMES)
    places = locate(frames(), subject, [1], seeing(upper, score=score), SETTINGS)
    assert all((most_overlap(upper, p.others) > 0.9) == hidden for p in places)


def test_the_subject_is_in_one_place() -> None:
    """Of two tracks both said to be the subject at one time, the likelier is shown and the other
    hidden.
    """
    both = pd.concat([track(1, SUBJECT, TIMES), track(2, STRANGER, TIMES)])
    places = locate(frames(), both, [1, 2], NOBODY, SETTINGS)
    assert all(
        others_at(places, i) and np.allclose(places[i].subject[0], SUBJECT) for i in range(10)
    )


def test_writes_a_clip_and_a_still_with_nobody_else() -> None:
    """The written MP4 and JPEG show the subject's head and not the stranger's, and carry no
    metadata.
    """
    taken = frames()
    background = build_background([empty_room(i) for i in range(20, 29)], [np.zeros((0, 4))] * 9)
    data = video.write_clip([f.image for f in taken], Fraction(5))
    made = render_picture(
        job(),
        CameraView(CAMERA, [Segment(at(0), data)], track(1, SUBJECT, TIMES)),
        background,
        NOBODY,
        SETTINGS,
    )
    assert sorted(made) == ["S-01.jpg", "S-01.mp4"]
    still = cv2.imdecode(np.frombuffer(made["S-01.jpg"], np.uint8), cv2.IMREAD_COLOR)
    written = [still, *(f.image for f in reading.frames(made["S-01.mp4"], at(0)))]
    assert len(written) == 1 + len(taken)
    for image in written:
        assert _alike(taken[5].image, image, head_of(SUBJECT)) > 0.7
        assert _alike(taken[5].image, image, head_of(STRANGER)) < 0.3
    assert b"Exif" not in made["S-01.jpg"]
    assert not any(word in made["S-01.mp4"] for word in (b"Lavf", b"Lavc", b"soun"))


def _alike(a: np.ndarray, b: np.ndarray, where: tuple[slice, slice]) -> float:
    """Correlation of fine detail; 0 where there is none."""
    fine = [
        im[where].astype(float) - cv2.GaussianBlur(im[where].astype(float), (0, 0), 4)
        for im in (a, b)
    ]
    if min(part.std() for part in fine) < 1e-6:
        return 0.0
    return float(np.corrcoef(fine[0].ravel(), fine[1].ravel())[0, 1])


def test_no_frames_no_picture() -> None:
    """A time without footage, or a segment that cannot be decoded, gives no picture instead of an
    error.
    """
    clip = video.write_clip([f.image for f in frames()], Fraction(5))
    late = job(start_utc=at(100), end_utc=at(102))
    assert (
        render_picture(
            late, CameraView(CAMERA, [Segment(at(0), clip)], TRACKS.empty()), None, NOBODY, SETTINGS
        )
        == {}
    )
    assert (
        render_picture(
            job(),
            CameraView(CAMERA, [Segment(at(0), b"no video")], TRACKS.empty()),
            None,
            NOBODY,
            SETTINGS,
        )
        == {}
    )


def test_the_empty_scene_comes_from_segments() -> None:
    """Key frames of several segments give the scene; a standing stranger known to the tracker is
    kept out.
    """
    away = [video.write_clip([empty_room(i + k) for i in range(3)], Fraction(5)) for k in range(6)]
    with_stranger = [f.image for f in frames(2)]
    segments = [Segment(at(100 * k), data) for k, data in enumerate(away)]
    segments += [Segment(at(-100), video.write_clip(with_stranger, Fraction(5)))]
    tracks = track(2, STRANGER, [-100 + t for t in TIMES])
    background = background_of(CameraView(CAMERA, segments, tracks), NOBODY, SETTINGS)
    assert background is not None
    assert background.reliable.mean() > 0.98
    gap = np.abs(
        background.image[head_of(STRANGER)].astype(int) - empty_room(99)[head_of(STRANGER)]
    )
    assert gap.mean() < 6
    everywhere = background_of(
        CameraView(CAMERA, segments, TRACKS.empty()), seeing(STRANGER), SETTINGS
    )
    assert everywhere is not None
    assert not everywhere.reliable[head_of(STRANGER)].any()
    assert background_of(CameraView(CAMERA, [], TRACKS.empty()), NOBODY, SETTINGS) is None


def test_sound_and_metadata_of_the_source_are_not_carried_over() -> None:
    """A segment with an audio track, titles and a location gives a clip that has one video stream
    and says none of it.
    """
    source = with_sound([f.image for f in frames()])
    with av.open(io.BytesIO(source)) as container:
        assert [s.type for s in container.streams] == ["video", "audio"], (
            "the source must have what is to be lost"
        )
        assert "SECRET" in str(container.metadata)
    background = build_background([empty_room(i) for i in range(20, 29)], [np.zeros((0, 4))] * 9)
    made = render_picture(
        job(),
        CameraView(CAMERA, [Segment(at(0), source)], track(1, SUBJECT, TIMES)),
        background,
        NOBODY,
        SETTINGS,
    )
    with av.open(io.BytesIO(made["S-01.mp4"])) as container:
        assert [s.type for s in container.streams] == ["video"]
        assert container.streams.video[0].frames == 10
        said = {**container.metadata, **container.streams.video[0].metadata}
        assert not {"title", "comment", "location", "creation_time", "encoder"} & set(said)
        notes = [bytes(note) for frame in container.decode(video=0) for note in frame.side_data]
        assert all(b"x264 - core" in note for note in notes), (
            "the encoder's own name and nothing else"
        )
    assert all(b"SECRET" not in data for data in made.values())
    assert made["S-01.jpg"][:4] == b"\xff\xd8\xff\xe0", "JFIF, no Exif segment"


def with_sound(images: list[np.ndarray]) -> bytes:
    """An MP4 at 5 fps with a tone and metadata."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4", options={"movflags": "use_metadata_tags"}) as container:
        container.metadata.update(
            title="SECRET title", comment="SECRET", location="+37.5+126.8/SECRET"
        )
        picture = container.add_stream("libx264", rate=5)
        sound = container.add_stream("aac", rate=8000)
        picture.height, picture.width, picture.pix_fmt = *images[0].shape[:2], "yuv420p"
        picture.metadata["handler_name"] = "SECRET handler"
        for image in images:
            container.mux(picture.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        tone = (np.sin(np.arange(16000) / 8) * 9000).astype(np.int16)[None]
        frame = av.AudioFrame.from_ndarray(tone, format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(sound.encode(frame))
        for stream in (picture, sound):
            container.mux(stream.encode(None))
    return out.getvalue()


def test_a_recording_of_another_size_is_brought_to_the_boxes() -> None:
    """Footage at half the calibrated size is enlarged before boxes are drawn on it; one of another
    shape is not shown.
    """
    small = [
        np.asarray(cv2.resize(f.image, (320, 180), interpolation=cv2.INTER_AREA), np.uint8)
        for f in frames()
    ]
    segments = [Segment(at(0), video.write_clip(small, Fraction(5)))]
    both = pd.concat([track(1, SUBJECT, TIMES), track(2, STRANGER, TIMES)])
    (first, *_) = judged(job(), CameraView(CAMERA, segments, both), None, NOBODY, SETTINGS)
    assert first.levels.shape == (360, 640)
    assert (first.levels[head_of(SUBJECT)] == 0).all()
    square = [Segment(at(0), video.write_clip([im[:, :180] for im in small], Fraction(5)))]
    assert render_picture(job(), CameraView(CAMERA, square, both), None, NOBODY, SETTINGS) == {}


@pytest.mark.parametrize("change", ["flicker", "switched", "moved"])
def test_a_scene_that_changed_is_hidden_whole(change: str) -> None:
    """Light that flickers or was switched, or a camera that was moved: nothing outside the
    subject's outline is shown.
    """
    background = build_background([empty_room(i) for i in range(20, 29)], [np.zeros((0, 4))] * 9)
    taken = [f.image for f in frames()]
    for i, image in enumerate(taken):
        if change == "moved":
            taken[i] = np.roll(image, (9, 40), axis=(0, 1))
        elif change == "switched" or i % 2:
            taken[i] = np.clip(image.astype(int) + 45, 0, 255).astype(np.uint8)
    data = video.write_clip(taken, Fraction(5))
    found = judged(
        job(),
        CameraView(CAMERA, [Segment(at(0), data)], TRACKS.empty()),
        background,
        NOBODY,
        SETTINGS,
    )
    changed = [f for i, f in enumerate(found) if change != "flicker" or i % 2]
    assert all((f.levels > 0).mean() > 0.97 for f in changed)
    assert all((f.levels[head_of(STRANGER)] > 0).all() for f in found)


def test_somebody_who_never_moves_is_hidden() -> None:
    """A stranger in every frame of all footage: hidden whether a detector knows them or not even
    the empty scene does.
    """
    still = [with_person(empty_room(i), STRANGER, 2) for i in range(20, 30)]
    segments = [
        Segment(at(100 * k), video.write_clip(still[k : k + 3], Fraction(5))) for k in range(7)
    ]
    clip = [Segment(at(0), video.write_clip([f.image for f in frames()], Fraction(5)))]
    subject = track(1, SUBJECT, TIMES)
    for eyes, tracks in (
        (seeing(STRANGER), subject),
        (NOBODY, pd.concat([subject, track(2, STRANGER, [-50.0, 0.2])])),
    ):
        everywhere = track(2, STRANGER, [100.0 * k + i / 5 for k in range(7) for i in range(3)])
        background = background_of(
            CameraView(CAMERA, segments, pd.concat([tracks, everywhere])), eyes, SETTINGS
        )
        found = judged(job(), CameraView(CAMERA, clip, tracks), background, eyes, SETTINGS)
        assert all((f.levels[head_of(STRANGER)] > 0).all() for f in found)


def test_pictures_are_taken_from_the_file_that_was_followed() -> None:
    """Two files of one camera that overlap: each instant is drawn from the file whose share it is,
    once.
    """
    taken = frames()
    bright = [np.full_like(f.image, 255) for f in taken[5:]]
    times = [f.t_utc for f in taken]
    own = Interval(times[0], times[5])
    other = Interval(times[5], at(2))
    segments = [
        Segment(at(0), video.write_clip([f.image for f in taken], Fraction(5)), (own,)),
        Segment(at(1), video.write_clip(bright, Fraction(5)), (other,)),
    ]
    view = CameraView(CAMERA, segments, track(1, SUBJECT, TIMES))
    found = judged(job(), view, None, NOBODY, SETTINGS)
    assert [f.frame.t_utc for f in found] == times
    assert [f.frame.image.mean() > 250 for f in found] == [False] * 5 + [True] * 5
