"""A description of clothes: where which colours are, whatever the light."""

import numpy as np
import pytest

from tasks.observe.clothes import describe_clothes, light_of, view_of_light

RED, BLUE, DARK = (40, 40, 190), (170, 90, 30), (30, 30, 30)
PLAIN = np.ones(3)


def body(upper, lower, light=(1.0, 1.0, 1.0)):
    """Somebody of 120 px in two colours and dark shoes."""
    picture = np.zeros((120, 40, 3))
    picture[:60], picture[60:110], picture[110:] = upper, lower, DARK
    return np.clip(picture * light, 0, 255).astype(np.uint8)


def test_a_description_has_length_one_and_says_where_colours_are() -> None:
    """Red over blue is not blue over red, which has the same colours on the whole."""
    one = describe_clothes(body(RED, BLUE), PLAIN)
    other = describe_clothes(body(BLUE, RED), PLAIN)
    assert np.linalg.norm([one, other], axis=1) == pytest.approx([1.0, 1.0])
    assert one @ describe_clothes(body(RED, BLUE), PLAIN) == pytest.approx(1.0)
    assert one @ other < 0.6


def test_the_cameras_light_is_taken_out() -> None:
    """By what its picture shows on average, the same clothes look alike in warm light."""
    warm = (0.7, 1.0, 1.2)
    rng = np.random.default_rng(3)
    scene = np.tile(rng.integers(90, 160, (90, 160, 1)), 3)
    views = [
        [view_of_light(np.clip(scene * light, 0, 255).astype(np.uint8))]
        for light in ((1.0, 1.0, 1.0), warm)
    ]
    usual, tinted = (light_of(view) for view in views)
    one = describe_clothes(body(RED, BLUE), usual)
    corrected = describe_clothes(body(RED, BLUE, warm), tinted)
    assert one @ corrected > 0.97
    assert one @ corrected > one @ describe_clothes(body(RED, BLUE, warm), usual)
