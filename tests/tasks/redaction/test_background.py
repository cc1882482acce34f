"""The empty scene: people stay out of it, and what is not known is said to be unknown."""

import numpy as np
import pytest
from scene import STRANGER, empty_room, head_of, with_person

from tasks.redaction.background import Tell, build_background, without

NOBODY = np.zeros((0, 4))
TELL = Tell(levels=14, most=20, sigmas=5, texture=7)
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
    assert background.noise == pytest.approx(2 / 3, abs=0.25)


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
    assert background.differs(frames[0], TELL)[head_of(STRANGER)].all()
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


@pytest.mark.parametrize(("light", "sd"), [(1, 0), (1, 5), (1, 8), (0.3, 0), (0.3, 3), (0.3, 5)])
def test_noise_and_dim_light_hide_no_one(light: float, sd: float) -> None:
    """A person of ordinary contrast is told from the wall in any noise and light; most of the wall
    is shown.
    """
    rng = np.random.default_rng(11)
    frames = [as_seen(empty_room(i), light, sd, rng) for i in range(20)]
    background = build_background(frames, [NOBODY] * 20)
    assert background is not None
    # The mean of nine pixels has a third of their noise; the drawn room has a deviation of 2.
    noise = np.hypot(sd, 2 * light) / 3
    assert background.noise == pytest.approx(noise, abs=0.35 + 0.1 * noise)
    person = as_seen(with_person(empty_room(77), STRANGER), light, sd, rng)
    differs = background.differs(person, TELL)
    assert differs[head_of(STRANGER)].mean() > 0.9
    assert differs[WALL].mean() < 0.02


def test_more_noise_than_that_shows_nothing() -> None:
    """In noise that drowns people the scene is hidden too, instead of both being shown."""
    rng = np.random.default_rng(12)
    frames = [as_seen(empty_room(i), 0.3, 60, rng) for i in range(20)]
    background = build_background(frames, [NOBODY] * 20)
    assert background is not None
    assert background.differs(frames[0], TELL)[WALL].mean() > 0.95


def test_a_texture_of_the_wall_s_own_colour_differs() -> None:
    """A face whose colours are the wall's on the mean, and nowhere far off it, is told by how they
    vary.
    """
    room = np.full((120, 160, 3), 120, np.uint8)
    background = build_background([room] * 9, [NOBODY] * 9)
    assert background is not None
    face = room.copy()
    spots = np.random.default_rng(2).choice([-12, 12], (10, 10)).repeat(4, axis=0).repeat(4, axis=1)
    face[40:80, 60:100] = (120 + spots)[..., None]
    assert background.differs(face, TELL)[44:76, 64:96].mean() > 0.8


def as_seen(image: np.ndarray, light: float, sd: float, rng: np.random.Generator) -> np.ndarray:
    """A picture under a share of the light, with the sensor's noise of a deviation in levels."""
    return np.clip(image * light + rng.normal(0, sd, image.shape), 0, 255).astype(np.uint8)
