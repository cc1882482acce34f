"""What faces say of people: where two are apart, and what each face adds."""

import numpy as np
import pandas as pd
import pytest

from tasks.people.face_evidence import (
    SightSettings,
    apart,
    asked_of,
    by_ties,
    face_evidence,
    whereabouts,
)

T0 = pd.Timestamp("2026-11-16T00:00:00Z")
SETTINGS = SightSettings()


def rows(x, start=0, seconds=10, **columns):
    """A person's rows, twice a second, at (x, 0) m, in whom nothing was compared but what is
    given.
    """
    at = [T0 + pd.Timedelta(seconds=start + k / 2) for k in range(2 * seconds)]
    faceless = dict.fromkeys(("face_px", "mask_p", "subject_p", "masked_llr"), np.nan)
    return pd.DataFrame({"t_utc": at, "x_m": x, "y_m": 0.0, **faceless, **columns})


@pytest.mark.parametrize(
    ("first", "second", "answer"),
    [
        (rows(0.0), rows(3.0), True),
        (rows(0.0), rows(0.5), False),
        (rows(0.0), rows(3.0, start=20), False),
        (rows(0.0), rows(np.nan), True),
        (rows(0.0), rows(3.0, start=8), True),
    ],
)
def test_two_are_apart_where_they_are_seen_at_once(first, second, answer) -> None:
    """At different places at one time; never where they are not seen at one time; without a
    position two tracks at one time are two people.
    """
    a, b = (whereabouts(r, SETTINGS) for r in (first, second))
    assert apart(a, b, SETTINGS) is answer
    assert apart(b, a, SETTINGS) is answer


def test_faces_that_were_not_proposed_speak_against() -> None:
    """Twenty looks of one second each; those of large faces say more."""
    looks = {"face_px": 70.0, "mask_p": 0.1}
    keyed = pd.concat(
        [
            rows(0.0, person="his", subject_p=0.95, **looks),
            rows(0.0, person="not his", subject_p=np.nan, **looks),
            rows(0.0, person="small", subject_p=np.nan, **(looks | {"face_px": 32.0})),
            rows(0.0, person="unseen", subject_p=np.nan, face_px=np.nan, mask_p=np.nan),
        ]
    )
    found = face_evidence(keyed, SETTINGS)
    assert set(found) == {"his", "not his", "small"}
    assert found["his"] > 5
    assert found["not his"] < found["small"] < 0


MASKED = {"face_px": 45.0, "mask_p": 0.99}


def masked(person, llr, x=0.0, **when):
    """Rows of somebody masked whose faces all say `llr`."""
    return rows(x, person=person, masked_llr=llr, **MASKED, **when)


@pytest.mark.parametrize(("seconds", "tied"), [(1, False), (2, False), (4, True), (8, True)])
def test_masked_faces_add_up_over_seconds(seconds, tied) -> None:
    """Each says 20 to 1 for the subject, and somebody who comes by is the subject in one of 20
    times: one or two say little beside how alike people are above a mask, several are a question.
    """
    chances = by_ties(masked("P", 3.0, seconds=seconds), SETTINGS)
    assert set(chances) == ({"P"} if tied else set())
    assert all(0.5 <= p < 0.9 for p in chances.values())


def test_masked_faces_alone_are_never_sure() -> None:
    """A minute of the most that a masked face can say: a question still."""
    assert 0.6 < by_ties(masked("P", 4.7, seconds=60), SETTINGS)["P"] < 0.9


def test_masked_faces_that_say_nothing_speak_against() -> None:
    """Every other face of somebody else is by chance a little like the subject's: no question."""
    faces = masked("P", np.where(np.arange(40) // 2 % 2, 1.0, np.nan), seconds=20)
    assert by_ties(faces, SETTINGS) == asked_of(faces, SETTINGS) == {}
    assert face_evidence(faces, SETTINGS)["P"] < 0


def test_two_masked_people_who_fit_alike_share_it() -> None:
    """At one time at two places only one of them can be the subject: neither is proposed, both are
    asked about.
    """
    one = masked("P", 4.0, seconds=8)
    both = pd.concat([one, masked("Q", 4.0, x=5.0, seconds=8)])
    assert by_ties(one, SETTINGS)["P"] > 0.7
    assert by_ties(both, SETTINGS) == {}
    asked = asked_of(both, SETTINGS)
    assert asked["P"] == pytest.approx(asked["Q"])
    assert 0.3 < asked["P"] < 0.5


def test_the_few_likeliest_are_asked_about() -> None:
    """Of five masked people three at most, and nobody who is less likely than anybody is."""
    said = {"A": 3.0, "B": 2.0, "C": 2.6, "D": 2.3, "E": 1.0}
    crowd = [masked(p, v, seconds=4, start=10 * i) for i, (p, v) in enumerate(said.items())]
    assert list(asked_of(pd.concat(crowd), SETTINGS)) == ["A", "C", "D"]
    assert list(asked_of(pd.concat(crowd[:2] + crowd[-1:]), SETTINGS)) == ["A", "B"]


def test_a_masked_decoy_takes_from_nobody_whose_bare_face_was_seen() -> None:
    """A bare face outweighs masked ones that are like it."""
    face = rows(0.0, person="S", subject_p=0.95, face_px=60.0, mask_p=0.05)
    chances = by_ties(pd.concat([face, masked("D", 4.0, x=5.0)]), SETTINGS)
    assert chances["S"] > 0.95
    assert "D" not in chances


def test_a_mask_does_not_take_back_what_a_bare_face_said() -> None:
    """Faces behind a mask that say nothing cost a known subject little."""
    bare = rows(0.0, person="S", subject_p=0.95, face_px=60.0, mask_p=0.05)
    worn = masked("S", np.nan, start=10, seconds=30)
    assert by_ties(pd.concat([bare, worn]), SETTINGS)["S"] > 0.95
