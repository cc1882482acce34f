"""Redaction for any frame and any boxes: what must be hidden is, and nothing of a hidden pixel
is drawn.
"""

import cv2
import numpy as np
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tasks.redaction.background import Background
from tasks.redaction.redact import RedactSettings, grown, levels_to_hide, outline
from tasks.redaction.silhouette import silhouette

SETTINGS = RedactSettings()
HEIGHT = 96
WIDTH = 144
EXAMPLES = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def boxes(draw, least: int = 0, most: int = 3):
    """Boxes (n, 4) of 8 px and more, some of them reaching past the image."""
    out = []
    for _ in range(draw(st.integers(least, most))):
        x0 = draw(st.floats(-30, WIDTH - 10))
        y0 = draw(st.floats(-30, HEIGHT - 10))
        out.append([x0, y0, x0 + draw(st.floats(8, 90)), y0 + draw(st.floats(8, 90))])
    return np.array(out, float).reshape(-1, 4)


@st.composite
def frames(draw):
    """A random coarse picture, enlarged, with noise."""
    coarse = draw(arrays(np.uint8, (6, 9, 3)))
    noise = np.random.default_rng(draw(st.integers(0, 99))).normal(0, 3, (HEIGHT, WIDTH, 3))
    return np.clip(cv2.resize(coarse, (WIDTH, HEIGHT)) + noise, 0, 255).astype(np.uint8)


@st.composite
def scenes(draw):
    """No scene, or one with a random unreliable part."""
    if draw(st.booleans()):
        return None
    reliable = np.ones((HEIGHT, WIDTH), bool)
    for x0, y0, x1, y1 in draw(boxes()).astype(int):
        reliable[max(0, y0) : max(0, y1), max(0, x0) : max(0, x1)] = False
    return Background(draw(frames()), reliable, draw(st.floats(0.5, 3)), 9)


def rectangle(box) -> np.ndarray:
    """(h, w): the pixels of a box."""
    mask = np.zeros((HEIGHT, WIDTH), bool)
    x0, y0, x1, y1 = np.round(box).astype(int)
    mask[max(0, y0) : max(0, y1), max(0, x0) : max(0, x1)] = True
    return mask


@EXAMPLES
@given(frames(), boxes(most=1), boxes(least=1), scenes())
def test_other_people_s_boxes_are_hidden(frame, subject, others, scene) -> None:
    """Every pixel of another person's grown box is hidden, also where it overlaps the subject's
    box.
    """
    levels = levels_to_hide(frame, subject, others, scene, SETTINGS)
    for box in others:
        assert (levels[rectangle(grown(box, SETTINGS))] > 0).all()


@settings(max_examples=300, deadline=None)
@given(boxes(least=1))
@example(np.array([[0.0, 0.0, 15.0, 8.0]]))
def test_the_outline_stays_in_the_box(subject) -> None:
    """However small or flat the subject's box is, not a pixel beside it is taken for the
    subject.
    """
    inside = np.any([rectangle([*np.floor(box[:2]), *np.ceil(box[2:])]) for box in subject], axis=0)
    assert not (outline(subject, HEIGHT, WIDTH) & ~inside).any()


@EXAMPLES
@given(frames(), boxes(most=1), boxes(), scenes())
def test_what_is_not_explained_is_hidden(frame, subject, others, scene) -> None:
    """Outside the subject's box no pixel is shown that is not known to be the empty scene, or
    differs clearly from it.
    """
    levels = levels_to_hide(frame, subject, others, scene, SETTINGS)
    outside = (
        ~np.any([rectangle(box + np.array([-1, -1, 1, 1])) for box in subject], axis=0)
        if len(subject)
        else True
    )
    if scene is None:
        assert (levels > 0)[outside].all()
        return
    assert (levels > 0)[outside & ~scene.reliable].all()
    gap = cv2.absdiff(cv2.blur(frame, (3, 3)), scene.image).max(axis=2)
    count, labels, stats, _ = cv2.connectedComponentsWithStats((gap > 20).astype(np.uint8))
    for label in range(1, count):
        if stats[label][4] > SETTINGS.speck_px:
            assert (levels > 0)[outside & (labels == label)].all()


@EXAMPLES
@given(frames(), boxes(most=1), boxes(), st.integers(0, 2**32 - 1))
def test_hidden_pixels_do_not_count(frame, subject, others, seed) -> None:
    """Hidden pixels replaced by any others give the very same picture."""
    levels = levels_to_hide(frame, subject, others, None, SETTINGS)
    other = frame.copy()
    where = levels > 0
    other[where] = np.random.default_rng(seed).integers(0, 255, (int(where.sum()), 3))
    drawn = silhouette(frame, levels)
    assert (drawn == silhouette(other, levels)).all()
    assert (drawn[~where] == frame[~where]).all()
    assert len(np.unique(drawn[where].reshape(-1, 3), axis=0)) <= 2


@EXAMPLES
@given(frames(), boxes(), boxes(), scenes())
def test_doubt_never_shows_more(frame, subject, others, scene) -> None:
    """Without the subject's box, without a scene or with one more bystander, nothing is shown that
    was hidden before.
    """
    with_all = levels_to_hide(frame, subject[:1], others, scene, SETTINGS) > 0
    assert (levels_to_hide(frame, subject[:0], others, scene, SETTINGS) > 0)[with_all].all()
    more = (
        levels_to_hide(frame, subject[:0], np.vstack([others, [[5, 5, 60, 90]]]), scene, SETTINGS)
        > 0
    )
    assert more[levels_to_hide(frame, subject[:0], others, scene, SETTINGS) > 0].all()
