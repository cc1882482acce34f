"""What faces say of people: where two are apart, and what each face adds."""

import numpy as np
import pandas as pd
import pytest

from tasks.people.face_evidence import SightSettings, apart, face_evidence, whereabouts

T0 = pd.Timestamp("2026-11-16T00:00:00Z")
SETTINGS = SightSettings()


def rows(x, start=0, seconds=10, **columns):
    """A person's rows, twice a second, at (x, 0) m."""
    at = [T0 + pd.Timedelta(seconds=start + k / 2) for k in range(2 * seconds)]
    return pd.DataFrame({"t_utc": at, "x_m": x, "y_m": 0.0, **columns})


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
