"""The empty scene: people stay out of it, and what is not known is said to be unknown."""

import numpy as np
from scene import STRANGER, empty_room, head_of, with_person

from tasks.redaction.background import build_background, without

NOBODY = np.zeros((0, 4))
WALL = (slice(20, 340), slice(20, 220))


def test_median_is_the_empty_room() -> None:
    """Passers-by in a few frames leave no trace, even unnoticed; the noise of the sensor is
    measured.
    """
    frames = [empty_room(i) if i % 5 else with_person(empty_room(i), STRANGER) for i in range(20)]
    background = build_background(frames, [NOBODY] * 20)
    assert background is not None
    gap = np.abs(
        background.image[head_of(STRANGER)].astype(int) - empty_room(99)[head_of(STRANGER)]
    )
    assert gap.mean() < 4
    assert background.reliable[WALL].mean() > 0.99
    assert 0.5 < background.noise < 4


def test_who_stands_still_is_left_out_when_boxed() -> None:
    """Somebody who stands in most frames, boxed there, is not in the median: the free frames show
    the wall.
    """
    frames = [empty_room(i) if i < 6 else with_person(empty_room(i), STRANGER) for i in range(20)]
    boxes = [NOBODY if i < 6 else STRANGER[None] for i in range(20)]
    background = build_background(frames, boxes)
    assert background is not None
    gap = np.abs(
        background.image[head_of(STRANGER)].astype(int) - empty_room(99)[head_of(STRANGER)]
    )
    assert gap.mean() < 5
    assert background.reliable[head_of(STRANGER)].all()


def test_never_seen_free_is_unreliable() -> None:
    """Where somebody was in every frame, or in all but too few, nothing is known."""
    frames = [with_person(empty_room(i), STRANGER) for i in range(12)]
    background = build_background(frames, [STRANGER[None]] * 12)
    assert background is not None
    assert not background.reliable[head_of(STRANGER)].any()
    assert background.differs(frames[0], 14, 5)[head_of(STRANGER)].all()
    assert background.reliable[WALL].mean() > 0.99


def test_disagreement_is_unreliable() -> None:
    """Somebody unnoticed in nearly half of the frames makes the place unreliable instead of half
    shown.
    """
    frames = [
        empty_room(i) if i % 2 else with_person(empty_room(i), STRANGER, seed=i) for i in range(20)
    ]
    background = build_background(frames, [NOBODY] * 20)
    assert background is not None
    assert not background.reliable[head_of(STRANGER)].any()


def test_too_few_or_unequal_frames_give_none() -> None:
    """No background is better than a bad one."""
    assert build_background([empty_room(i) for i in range(4)], [NOBODY] * 4) is None
    assert build_background([empty_room(i)[: 300 + i] for i in range(9)], [NOBODY] * 9) is None


def test_people_found_in_the_median_make_it_unreliable() -> None:
    """A box found in the finished background is taken out of what is trusted."""
    background = build_background(
        [with_person(empty_room(i), STRANGER) for i in range(9)], [NOBODY] * 9
    )
    assert background is not None
    assert not without(background, STRANGER[None]).reliable[head_of(STRANGER)].any()
