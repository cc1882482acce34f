"""Never 1, one person: a consent is of one subject, and nobody else's face is searched under it;
what no camera is named like is searched nowhere. Each test tries to look for more.
"""

import cv2
import pytest
from demo_frames import PICTURES, frames_at
from subject_case import derive, subject_case

from data_contracts.errors import BadInput, NotAuthorised
from models.registry import load
from tasks.observe.template import build_template, check_one_person


def strangers_picture() -> bytes:
    """N2's head at the entrance, cut out of the footage and enlarged, as somebody would do it."""
    image, boxes, people = frames_at("entrance", "00.30", 2.6)
    x0, y0, x1, _ = boxes[people.index("N2")].astype(int)
    head = image[max(0, y0 - 20) : y0 + (x1 - x0) + 20, max(0, x0 - 10) : x1 + 10]
    large = cv2.resize(head, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    return bytes(cv2.imencode(".png", large)[1])


def test_two_faces_are_not_searched_under_one_consent() -> None:
    """Three pictures of S and one of N2 gave a template that found both: the picture that is not
    like the others is refused by its name, where the template is built and before.
    """
    models = load()
    case = subject_case()
    check_one_person(case, PICTURES, models)
    mixed = {**PICTURES, "n2.png": strangers_picture()}
    check_one_person(case, {"n2.png": mixed["n2.png"]}, models)
    for attempt in (
        lambda: build_template(case, mixed, models, derive),
        lambda: check_one_person(case, mixed, models),
    ):
        with pytest.raises(BadInput, match=r"n2\.png: it seems to show somebody else"):
            attempt()


def test_the_check_itself_needs_the_consent_to_faces() -> None:
    """Comparing the pictures' faces is a face search too."""
    with pytest.raises(NotAuthorised):
        check_one_person(subject_case(scopes=("appearance",)), PICTURES, load())
