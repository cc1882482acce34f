"""Redaction of one frame: what is shown, what is hidden, and that doubt hides."""

import numpy as np
import pytest
from scene import HEIGHT, STRANGER, SUBJECT, WIDTH, empty_room, head_of, shown, with_person

from tasks.redaction.background import Background, build_background, without
from tasks.redaction.redact import RedactSettings, grown, levels_to_hide, outline, redact
from tasks.redaction.silhouette import MIN_CELL_PX, level_of

SETTINGS = RedactSettings()
NOBODY = np.zeros((0, 4))


@pytest.fixture(scope="module")
def scene() -> Background:
    """The empty room's background."""
    background = build_background([empty_room(i) for i in range(10, 20)], [NOBODY] * 10)
    assert background is not None
    return background


@pytest.fixture(scope="module")
def frame() -> np.ndarray:
    """The subject and a stranger in the room."""
    return with_person(with_person(empty_room(), SUBJECT, 1), STRANGER, 2)


def test_shows_the_subject_and_the_empty_scene(scene: Background, frame: np.ndarray) -> None:
    """The subject's head and body and the empty wall are unchanged, the known stranger is gone."""
    out = redact(frame, SUBJECT[None], STRANGER[None], scene, SETTINGS)
    assert shown(frame, out, head_of(SUBJECT)) == 1.0
    assert shown(frame, out, (slice(180, 300), slice(300, 340))) == 1.0
    assert shown(frame, out, (slice(20, 340), slice(20, 220))) > 0.99
    assert shown(frame, out, head_of(STRANGER)) < 0.02


def test_a_missed_person_is_hidden(scene: Background, frame: np.ndarray) -> None:
    """Somebody whom no detector and no track knows is hidden all the same: they differ from the
    empty scene.
    """
    out = redact(frame, SUBJECT[None], NOBODY, scene, SETTINGS)
    assert shown(frame, out, head_of(STRANGER)) < 0.02
    assert shown(frame, out, head_of(SUBJECT)) == 1.0


def test_without_a_background_only_the_subject_is_shown(frame: np.ndarray) -> None:
    """No background, or one of another size: everything outside the subject's outline is hidden."""
    other = Background(np.zeros((10, 10, 3), np.uint8), np.ones((10, 10), bool), 1.0, 9)
    for background in (None, other):
        levels = levels_to_hide(frame, SUBJECT[None], NOBODY, background, SETTINGS)
        assert ((levels == 0) == outline(SUBJECT[None], HEIGHT, WIDTH)).all()


def test_without_a_subject_box_nobody_is_shown(scene: Background, frame: np.ndarray) -> None:
    """When it is not certain where the subject is, only the empty scene is shown."""
    out = redact(frame, NOBODY, NOBODY, scene, SETTINGS)
    assert shown(frame, out, head_of(SUBJECT)) < 0.02
    assert shown(frame, out, head_of(STRANGER)) < 0.02


def test_where_boxes_overlap_the_stranger_wins(scene: Background) -> None:
    """A stranger's box over the subject's hides the overlap, the subject's face included."""
    close = SUBJECT + np.array([30, 0, 30, 0])
    frame = with_person(with_person(empty_room(), SUBJECT, 1), close, 2)
    levels = levels_to_hide(frame, SUBJECT[None], close[None], scene, SETTINGS)
    x0, y0, x1, y1 = close.astype(int)
    assert (levels[y0:y1, x0:x1] > 0).all()


def test_unreliable_background_is_hidden(scene: Background) -> None:
    """Where the empty scene is not known, even a matching pixel is hidden."""
    frame = empty_room(50)
    levels = levels_to_hide(frame, NOBODY, NOBODY, without(scene, STRANGER[None]), SETTINGS)
    rows, columns = head_of(STRANGER)
    assert (levels[rows, columns] > 0).all()
    assert (levels[:, :400] > 0).mean() < 0.01


def test_a_changed_scene_is_hidden(scene: Background) -> None:
    """A camera that was moved or a light that was switched leaves nothing that can be trusted."""
    moved = np.roll(empty_room(), 60, axis=1)
    assert (levels_to_hide(moved, NOBODY, NOBODY, scene, SETTINGS) > 0).mean() > 0.9


def test_boxes_are_grown_most_above() -> None:
    """Other people's boxes grow on every side by the margin, twice above, where hair is."""
    box = grown(STRANGER, SETTINGS)
    assert box[0] < STRANGER[0]
    assert box[3] > STRANGER[3]
    assert STRANGER[1] - box[1] == pytest.approx(2 * (box[3] - STRANGER[3]))


def test_the_outline_leaves_the_upper_corners() -> None:
    """A neighbour's head in the upper corner of the subject's box is outside the subject's
    outline.
    """
    mask = outline(SUBJECT[None], HEIGHT, WIDTH)
    x0, y0, x1, _ = SUBJECT.astype(int)
    assert not mask[y0 : y0 + 25, x0 : x0 + 8].any()
    assert not mask[y0 : y0 + 25, x1 - 8 : x1].any()
    assert mask[head_of(SUBJECT)].mean() > 0.95


@pytest.mark.parametrize("size", [(20, 50), (40, 120), (90, 260), (300, 320), (700, 700)])
def test_a_head_is_at_most_four_cells_wide(size: tuple[int, int]) -> None:
    """Cells grow with the person: a head (at most 0.6 of the box's width) spans at most 4 of them,
    and 12 px at least.
    """
    cell = 2 ** level_of(*size)
    assert cell >= max(MIN_CELL_PX, 12)
    assert 0.6 * min(size) / cell <= 4


def test_the_outline_of_a_box_is_whole_cells(scene: Background) -> None:
    """Two people whose boxes differ by less than a cell in width and height leave the same outline;
    only before the subject are the box's own sides kept.
    """
    slim = np.array([470.0, 100, 560, 305])
    broad = np.array([468.0, 98, 562, 307])
    plain = empty_room(50)
    drawn = [levels_to_hide(plain, NOBODY, box[None], scene, SETTINGS) > 0 for box in (slim, broad)]
    assert (drawn[0] == drawn[1]).all()
    beside = SUBJECT + np.array([46, 0, 46, 0])
    shown = levels_to_hide(plain, SUBJECT[None], beside[None], scene, SETTINGS) == 0
    left = int(grown(beside, SETTINGS)[0])
    assert shown[200:280, left - 3 : left].all()
    assert not shown[200:280, left + 1].any()


def test_the_input_is_not_changed(scene: Background, frame: np.ndarray) -> None:
    """Redaction returns a new picture."""
    before = frame.copy()
    redact(frame, SUBJECT[None], STRANGER[None], scene, SETTINGS)
    assert (frame == before).all()
