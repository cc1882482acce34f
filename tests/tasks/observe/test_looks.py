"""Looks of the day: the subject's clothes are known again under another camera's light, others'
are not, and what cannot be judged says nothing.
"""

import pickle

import numpy as np
import pandas as pd
import pytest
from drawn_clothes import GREEN, GREY, SUBJECT, T0, drawn, only
from subject_case import derive, subject_case

from data_contracts.errors import NotAuthorised
from data_contracts.tables.contracts import LOOKS
from data_contracts.tables.validate import validate
from tasks.observe.day_looks import looks_from_bytes, looks_to_bytes
from tasks.observe.looks import COLOURS, build_looks, compare_looks

CASE = subject_case(scopes=("appearance",))
WARM = (0.7, 1.0, 1.2)


def learnt(case=CASE):
    """The looks of the drawn subject, from one camera where others stand beside."""
    return build_looks(case, [only(drawn((GREEN, SUBJECT)), 1)], derive)


def by_person(table):
    """Mean log likelihood ratio of each person, from left to right."""
    return table.groupby("x0")["llr"].mean().tolist()


@pytest.mark.parametrize("light", [(1.0, 1.0, 1.0), WARM, (0.6, 0.6, 0.6)])
def test_the_subjects_clothes_are_known_in_another_light(light) -> None:
    """The subject first, the others far below, whatever the colour of the light."""
    found = compare_looks(CASE, drawn((GREEN, GREY, SUBJECT), "b", light), learnt())
    validate(found, LOOKS)
    green, grey, subject = by_person(found)
    assert subject > 1.5
    assert max(green, grey) < -2


def test_the_same_clothes_on_somebody_else_say_the_same() -> None:
    """Two in the subject's clothes fit alike, and neither is certain: clothes are no proof."""
    one, other = by_person(compare_looks(CASE, drawn((SUBJECT, SUBJECT), "b"), learnt()))
    assert one == pytest.approx(other, abs=0.5)
    assert one <= 3.0


def test_what_cannot_be_judged_is_not_compared() -> None:
    """Hidden feet, small bodies and bodies behind others have no row."""
    looks = learnt()
    seen = drawn((GREEN, SUBJECT, GREY), "b", hidden=(1,))
    assert set(compare_looks(CASE, seen, looks)["x0"]) == {60.0, 300.0}
    small = seen._replace(boxes=seen.boxes.assign(y1=seen.boxes["y0"] + 30))
    assert compare_looks(CASE, small, looks).empty
    behind = seen.boxes.copy()
    front = behind["x0"] == 300
    behind.loc[front, ["x0", "x1", "y1"]] = [80.0, 150.0, 330.0]
    assert set(compare_looks(CASE, seen._replace(boxes=behind), looks)["x0"]) == {80.0}


def test_nobody_to_learn_from_is_no_looks() -> None:
    """Without a body that can be judged there is nothing to compare with."""
    assert build_looks(CASE, [drawn((SUBJECT,), hidden=(0,))], derive) is None
    assert build_looks(CASE, [], derive) is None


def test_a_segment_that_cannot_be_read_says_nothing() -> None:
    """Following told so already; here it ends without a row."""
    broken = drawn((SUBJECT,))._replace(data=b"no video")
    assert compare_looks(CASE, broken, learnt()).empty


def test_only_granted_time_is_looked_at() -> None:
    """Frames after the grant's end have no row."""
    case = subject_case(scopes=("appearance",), to_utc=T0.replace(second=1))
    footage = drawn((SUBJECT,), seconds=6)
    assert compare_looks(CASE, footage, learnt())["t_utc"].nunique() >= 1
    late = footage._replace(
        start_utc=T0.replace(second=1),
        boxes=footage.boxes.assign(t_utc=footage.boxes["t_utc"] + pd.Timedelta(seconds=1)),
    )
    assert compare_looks(case, late, learnt()).empty


def test_looks_are_kept_under_the_cases_secret() -> None:
    """Stored and read again they compare as before; two builds have nothing in common."""
    one = learnt()
    again = looks_from_bytes(looks_to_bytes(one), derive)
    seen = drawn((GREEN, SUBJECT), "b")
    assert compare_looks(CASE, seen, again)["llr"].tolist() == pytest.approx(
        compare_looks(CASE, seen, one)["llr"].tolist()
    )
    stored = [day.looks[0].template.rotated for day in (one, learnt())]
    assert abs(float(stored[0] @ stored[1])) < 0.4
    with pytest.raises(NotAuthorised, match="does not travel"):
        pickle.dumps(one)


def test_a_likelihood_ratio_is_bounded_and_grows() -> None:
    """No clothes prove or exclude anybody."""
    ratio = COLOURS.calibration.log_ratio(np.array([-1.0, 0.5, 0.8, 0.9, 0.95, 0.99, 1.0]))
    assert np.all(np.diff(ratio) >= 0)
    assert ratio[0] == -3.0
    assert ratio[-1] == 3.0
