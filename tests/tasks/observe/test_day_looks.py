"""A coat put on or off: several looks a day, each with its time, each under a secret of its own."""

from datetime import timedelta

import pytest
from drawn_clothes import GREEN, GREY, SUBJECT, drawn, only
from subject_case import derive, subject_case

from data_contracts.errors import BadInput
from tasks.observe.day_looks import looks_from_bytes, looks_to_bytes
from tasks.observe.looks import build_looks, compare_looks

CASE = subject_case(scopes=("appearance",))
COAT = ((160, 120, 30), (160, 120, 30), (30, 30, 30))


def later(footage, hours):
    """The same segment at another time."""
    by = timedelta(hours=hours)
    boxes = footage.boxes.assign(t_utc=footage.boxes["t_utc"] + by)
    return footage._replace(start_utc=footage.start_utc + by, boxes=boxes)


def learnt():
    """The subject in a coat at nine, without it two hours later, on two cameras."""
    coat = only(drawn((GREEN, COAT)), 1)
    bare = later(only(drawn((GREEN, SUBJECT)), 1), 2)
    again = later(only(drawn((GREY, SUBJECT), "b"), 1), 2.1)
    day = build_looks(CASE, [bare, coat, again], derive)
    assert day is not None
    return day


def test_a_coat_taken_off_makes_a_second_look() -> None:
    """Two looks in order of time; what was seen alike on two cameras is one."""
    day = learnt()
    assert [look.from_utc.hour for look in day.looks] == [9, 11]
    assert day.looks[1].to_utc - day.looks[1].from_utc >= timedelta(minutes=6)
    one = build_looks(CASE, [only(drawn((GREEN, SUBJECT)), 1)], derive)
    assert one is not None
    assert len(one.looks) == 1


@pytest.mark.parametrize(("hours", "worn", "other"), [(0.1, COAT, SUBJECT), (2.2, SUBJECT, COAT)])
def test_each_look_is_known_at_its_time(hours, worn, other) -> None:
    """What is worn then speaks for, what is worn at another time less, and others' clothes
    against.
    """
    seen = later(drawn((worn, other, GREEN), "b"), hours)
    found = compare_looks(CASE, seen, learnt()).groupby("x0")["llr"].mean().tolist()
    assert found[0] > 2
    assert found[1] < found[0] - 2
    assert found[2] < -2


def test_between_two_looks_either_may_be_worn() -> None:
    """Halfway in time both speak for."""
    seen = later(drawn((COAT, SUBJECT, GREEN), "b"), 1)
    coat, bare, other = compare_looks(CASE, seen, learnt()).groupby("x0")["llr"].mean()
    assert min(coat, bare) > 1.5
    assert other < -2


def test_looks_are_stored_whole_and_share_no_secret() -> None:
    """Read again they are the same; under one rotation the angle between them would show."""
    day = learnt()
    again = looks_from_bytes(looks_to_bytes(day), derive)
    assert [(x.from_utc, x.to_utc) for x in again.looks] == [
        (x.from_utc, x.to_utc) for x in day.looks
    ]
    first, second = (look.template for look in again.looks)
    assert first.salt != second.salt
    assert abs(float(first.rotated @ second.rotated)) < 0.3


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: b"",
        lambda data: data[:20],
        lambda data: data[:-1],
        lambda data: data + b"x",
        lambda data: b"XXXX" + data[4:],
        lambda data: data[:5] + bytes([0]) + data[6:],
        lambda data: data[:5] + bytes([3]) + data[6:],
        lambda data: data[:6] + b"\xff" * 8 + data[14:],
    ],
)
def test_damaged_looks_are_refused(spoil) -> None:
    """Nothing but what was stored is read."""
    with pytest.raises(BadInput, match=r"damaged|template"):
        looks_from_bytes(spoil(looks_to_bytes(learnt())), derive)
