"""Never 3, attacks on who is taken for the subject: somebody covers them, stands behind them, or
takes over their track.
"""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from demo_frames import DEMO
from scene import STRANGER, SUBJECT, at, empty_room, head_of, seeing, shown, track, with_person

from data_contracts.camera import read_site
from data_contracts.tables.contracts import MEMBERS, PERSONS, TRACKS
from flows.stages.redact import detectors
from models.interface import Boxes, Faces
from tasks.footage import reading
from tasks.ground.projection import Projection
from tasks.redaction.background import build_background
from tasks.redaction.hidden_people import SitePeople, boxes_at, with_unseen
from tasks.redaction.redact import (
    Detectors,
    RedactSettings,
    levels_to_hide,
    redact,
    stranger_beside,
)
from tasks.redaction.who_is_where import locate

SETTINGS = RedactSettings()
TIMES = [i / 5 for i in range(30)]
NOBODY = np.zeros((0, 4))
# Somebody taller, nearer to the camera, who covers the subject whole.
COVER = SUBJECT + np.array([-15, -25, 15, 40])


def moved(box: np.ndarray, *by: float) -> np.ndarray:
    """The box with its four edges moved."""
    return box + np.array(by)


def walking(
    track_id: int, box: np.ndarray, times: list[float], step_px: float, face: bool = False
) -> pd.DataFrame:
    """A track that moves aside by `step_px` a frame; with `face`, its face is proposed as the
    subject's in every frame.
    """
    rows = track(track_id, box, times)
    moves = step_px * np.arange(len(rows))
    return TRACKS.shape(
        rows.assign(x0=rows.x0 + moves, x1=rows.x1 + moves, subject_p=0.95 if face else np.nan)
    )


def frames(*boxes: np.ndarray) -> list[reading.Frame]:
    """Six seconds of the room with people."""
    image = empty_room()
    for i, box in enumerate(boxes):
        image = with_person(image, box, i)
    return [reading.Frame(at(t), image) for t in TIMES]


def shown_at(places) -> list[bool]:
    """In which frames anybody is shown as the subject."""
    return [len(p.subject) == 1 for p in places]


def test_a_track_that_swaps_to_a_stranger() -> None:
    """The subject's track takes over a stranger in the middle of the clip: only the side with the
    subject's face is shown.
    """
    swapped = pd.concat(
        [walking(1, SUBJECT, TIMES[:12], 2, face=True), walking(1, STRANGER, TIMES[12:], 2)]
    )
    there = shown_at(locate(frames(SUBJECT), swapped, [1], seeing(), SETTINGS))
    assert all(there[:10])
    assert not any(there[12:])
    faceless = swapped.assign(subject_p=np.nan)
    assert not any(shown_at(locate(frames(SUBJECT), faceless, [1], seeing(), SETTINGS))), (
        "nobody knows which is which"
    )


def test_another_track_s_faces_do_not_vouch_for_a_stranger() -> None:
    """The first track goes over to a stranger while the subject gets a new one: faces of the new
    track say nothing of it.
    """
    both = pd.concat(
        [
            walking(1, SUBJECT, TIMES[:12], 2),
            walking(1, STRANGER, TIMES[12:], 2),
            walking(2, moved(SUBJECT, 24, 0, 24, 0), TIMES[12:], 2, face=True),
        ]
    )
    assert not any(shown_at(locate(frames(SUBJECT), both, [1, 2], seeing(), SETTINGS))[12:])


def test_somebody_steps_in_front() -> None:
    """A nearer, taller person covers the subject and both track and detector take them for the
    subject: hidden meanwhile.
    """
    covered = pd.concat(
        [
            walking(1, SUBJECT, TIMES[:10], 0),
            walking(1, moved(COVER, 0, -10, 0, 20), TIMES[10:18], 0),
            walking(1, SUBJECT, TIMES[18:], 0),
        ]
    )
    there = shown_at(locate(frames(SUBJECT), covered, [1], seeing(), SETTINGS))
    assert not any(there[9:19])
    assert all(there[:8])
    assert all(there[20:])


@pytest.mark.parametrize(
    "box",
    [moved(SUBJECT, 6, -4, 6, 4), moved(SUBJECT, -10, -12, -10, -12)],
    ids=["in front", "behind"],
)
def test_somebody_merges_with_the_subject(box: np.ndarray) -> None:
    """Somebody comes to exactly where the subject is and is lost there: the subject is hidden until
    they are seen again.
    """
    comes = walking(2, moved(box, -40, 0, -40, 0), TIMES[:10], 4)
    leaves = walking(3, box, TIMES[20:], 6)
    tracks = pd.concat([walking(1, SUBJECT, TIMES, 0), comes, leaves])
    settings = SETTINGS.model_copy(update={"neighbours_s": 0.1})
    there = shown_at(locate(frames(SUBJECT, box), tracks, [1], seeing(), settings))
    assert not any(there[10:20])
    assert there[0]
    assert there[25]


def test_somebody_who_came_before_the_clip_counts() -> None:
    """Who vanished at the subject long before the first frame is there as long as the subject
    stays, and a while longer.
    """
    early = [t - 30 for t in TIMES]
    comes = walking(2, moved(SUBJECT, -46, 0, -46, 0), early[:10], 4)
    standing = walking(1, SUBJECT, [-30 + i / 5 for i in range(180)], 0)
    stays = locate(frames(SUBJECT), pd.concat([standing, comes]), [1], seeing(), SETTINGS)
    assert not any(shown_at(stays))
    walks = pd.concat(
        [
            standing[standing["t_utc"] < at(-10)],
            walking(1, SUBJECT, [-10 + i / 5 for i in range(80)], 3),
        ]
    )
    assert all(
        shown_at(locate(frames(SUBJECT), pd.concat([walks, comes]), [1], seeing(), SETTINGS))
    )


def test_an_unknown_shape_beside_the_subject_hides_them() -> None:
    """Somebody whom nobody detects reaches out from behind the subject: the subject is hidden, the
    stranger's head too.
    """
    background = build_background([empty_room(i) for i in range(10, 20)], [NOBODY] * 10)
    assert background is not None
    behind = SUBJECT + np.array([45, -10, 45, -10])
    frame = with_person(with_person(empty_room(), behind, 2), SUBJECT, 1)
    out = redact(frame, SUBJECT[None], NOBODY, background, SETTINGS)
    assert shown(frame, out, head_of(SUBJECT)) < 0.02
    assert shown(frame, out, head_of(behind)) < 0.02
    differs = background.differs(frame, SETTINGS.tell)
    assert stranger_beside(differs, SUBJECT, NOBODY, SETTINGS)
    assert not stranger_beside(differs, SUBJECT, behind[None], SETTINGS), "a known box explains it"


def test_a_frame_without_any_detection() -> None:
    """In a frame in which the detector finds nobody, who was found before and after is hidden and
    the subject not guessed.
    """
    there = [SUBJECT, STRANGER]

    def people(images):
        found = seeing(*there).people(images)
        return [(np.zeros((0, 4)), np.zeros(0)) if i == 5 else f for i, f in enumerate(found)]

    detectors = seeing(*there).__class__(people=people)
    guessed = track(1, SUBJECT, TIMES, score=0.0)
    places = locate(frames(SUBJECT, STRANGER)[:8], guessed, [1], detectors, SETTINGS)
    assert [len(p.subject) for p in places] == [1, 1, 1, 1, 1, 0, 1, 1]
    assert all(len(p.others) for p in places)


def test_somebody_in_line_whom_only_another_camera_tells_apart() -> None:
    """Two people one behind the other are one box here for the whole time; the camera at their side
    sees two: hidden.
    """
    camera = read_site((DEMO / "cameras.geojson").read_bytes()).by_id["corridor"]
    subject_m, other_m = np.array([18.0, 4.3]), np.array([18.9, 4.3])  # the camera looks along x
    box = boxes_at(Projection(camera), subject_m[None], np.zeros((1, 2)))[0]
    own = TRACKS.shape(track(1, box, TIMES).assign(camera_id="corridor"))
    fixed = {"cov_xx": 0.01, "cov_xy": 0.0, "cov_yy": 0.01, "seen": True, "cameras": "a"}
    places = {"S": subject_m, "A": other_m}
    rows = [
        fixed | {"person_id": n, "x_m": m[0], "y_m": m[1], "t_utc": at(t)}
        for n, m in places.items()
        for t in TIMES
    ]
    members = [
        {"person_id": "S", "camera_id": "corridor", "track_id": 1},
        {"person_id": "A", "camera_id": "a", "track_id": 3},
    ]
    subject = pd.DataFrame({"camera_id": ["corridor"], "track_id": [1]})
    people = SitePeople(own, PERSONS.shape(rows), MEMBERS.shape(members), subject)
    known = with_unseen(people, camera, SETTINGS)
    taken = [reading.Frame(at(t), np.zeros((720, 1280, 3), np.uint8)) for t in TIMES[:5]]
    head = (round(box[1] + 0.08 * (box[3] - box[1])), round((box[0] + box[2]) / 2))
    for frame, place in zip(taken, locate(taken, known, [1], seeing(), SETTINGS), strict=True):
        assert levels_to_hide(frame.image, place.subject, place.others, None, SETTINGS)[head] > 0
    (alone, *_) = locate(taken, own, [1], seeing(), SETTINGS)
    assert levels_to_hide(taken[0].image, alone.subject, alone.others, None, SETTINGS)[head] == 0, (
        "or it shows nothing"
    )


def test_two_people_who_exchange_their_tracks_when_they_part() -> None:
    """The subject's track goes off with a bystander, as smoothly as anybody walks; the camera at
    the side kept them apart.
    """
    camera = read_site((DEMO / "cameras.geojson").read_bytes()).by_id["corridor"]
    moves = np.array([[0.0, max(0.0, 0.25 * (i - 10))] for i in range(len(TIMES))])
    middle = np.array([18.0, 4.3])
    strays = middle + moves * 0.6
    leaves = middle - moves * 0.6
    boxes = boxes_at(Projection(camera), strays, np.zeros((len(TIMES), 2)))
    place = {"cov_xx": 0.01, "cov_xy": 0.0, "cov_yy": 0.01}

    def rows(name: str, number: int, xy: np.ndarray) -> pd.DataFrame:
        given = pd.concat([track(number, box, [t]) for box, t in zip(boxes, TIMES, strict=True)])
        return TRACKS.shape(given.assign(camera_id=name, x_m=xy[:, 0], y_m=xy[:, 1], **place))

    own = rows("corridor", 1, strays)
    side = rows("a", 3, leaves)
    own.loc[:2, "subject_p"] = 0.95
    subject = pd.DataFrame({"camera_id": ["corridor", "a"], "track_id": [1, 3]})
    taken = [reading.Frame(at(t), np.zeros((720, 1280, 3), np.uint8)) for t in TIMES]
    tracks = pd.concat([own, side], ignore_index=True)
    people = SitePeople(tracks, PERSONS.empty(), MEMBERS.empty(), subject)
    known = with_unseen(people, camera, SETTINGS)
    there = shown_at(locate(taken, known, [1], seeing(), SETTINGS))
    assert all(there[:8])
    assert not any(there[12:])
    assert all(shown_at(locate(taken, own, [1], seeing(), SETTINGS))), (
        "without the other camera nothing tells"
    )


@pytest.mark.parametrize(("score", "people"), [(0.45, 2), (0.35, 1)], ids=["sure", "unsure"])
def test_a_sure_box_on_the_subject_s_is_somebody(score: float, people: int) -> None:
    """Two people in line are two boxes that overlap by half: the second hides the subject unless it
    is unsure.
    """
    both = np.array([SUBJECT, moved(SUBJECT, 20, 0, 24, 0)], np.float32)

    class Person:
        def detect(self, images: list) -> list[Boxes]:
            return [Boxes(both, np.array([0.9, score], np.float32)) for _ in images]

    models = SimpleNamespace(person=Person(), face=None)
    found = detectors(models, SETTINGS)
    ((boxes, _),) = found.people([np.zeros((360, 640, 3), np.uint8)])
    assert len(boxes) == people
    eyes = Detectors(people=found.people)
    places = locate(frames(SUBJECT), track(1, SUBJECT, TIMES), [1], eyes, SETTINGS)
    assert {len(place.others) > 0 for place in places} == {people == 2}


@pytest.mark.parametrize("role", ["person", "face"])
def test_who_has_no_place_may_be_anywhere(role: str) -> None:
    """A detector answers with numbers that are none: the whole picture is hidden, the subject
    too.
    """
    nowhere = np.full((1, 4), np.nan, np.float32)
    sure = np.array([0.9], np.float32)

    class Lost:
        def detect(self, images: list) -> list[Boxes] | list[Faces]:
            if role == "person":
                return [Boxes(nowhere, sure) for _ in images]
            return [Faces(nowhere, sure, np.zeros((1, 5, 2), np.float32)) for _ in images]

    class Nobody:
        def detect(self, images: list) -> list[Boxes]:
            return [Boxes(nowhere[:0], sure[:0]) for _ in images]

    models = SimpleNamespace(**({"person": Nobody(), "face": Nobody()} | {role: Lost()}))
    eyes = detectors(models, SETTINGS)
    for frame, place in zip(
        frames(SUBJECT),
        locate(frames(SUBJECT), track(1, SUBJECT, TIMES), [1], eyes, SETTINGS),
        strict=True,
    ):
        assert (levels_to_hide(frame.image, place.subject, place.others, None, SETTINGS) > 0).all()
