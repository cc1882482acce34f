"""What is said of somebody up to a moment, and from it on."""

import numpy as np
import pandas as pd
import pytest

from tasks.people.face_evidence import SightSettings, face_evidence
from tasks.people.told import said_of, tell

T0 = pd.Timestamp("2026-03-02T09:00Z")
SECONDS = 20


def rows(**columns):
    """One person's rows, a second apart, in whom nothing was compared but what is given."""
    table = pd.DataFrame(
        {
            "camera_id": "a",
            "track_id": 1,
            "person": "P",
            "t_utc": [T0 + pd.Timedelta(seconds=s) for s in range(SECONDS)],
            "x0": np.arange(SECONDS, dtype=float),
            "y0": 0.0,
            "x1": 1.0,
            "y1": 2.0,
            "face_px": np.nan,
            "subject_p": np.nan,
            "mask_p": np.nan,
            "masked_llr": np.nan,
        }
    )
    return table.assign(**columns)


def test_a_face_at_the_end_says_nothing_of_the_beginning_before_it():
    """Seen in the last three seconds: known from then on, looking back; before them nothing was."""
    seen = np.arange(SECONDS) >= SECONDS - 3
    table = rows(face_px=np.where(seen, 60.0, np.nan), subject_p=np.where(seen, 0.99, np.nan))
    told = tell(table, SightSettings())
    assert told["before"].iloc[SECONDS - 4] == 0
    assert told["before"].iloc[-1] == pytest.approx(face_evidence(table, SightSettings())["P"])
    assert told["after"].iloc[0] == pytest.approx(told["before"].iloc[-1])


def test_clothes_that_change_contradict_each_other():
    """Like the subject's in the first half, unlike them in the second."""
    told = tell(rows(llr=np.where(np.arange(SECONDS) < 10, 2.0, -3.0)), SightSettings())
    assert told["before"].iloc[9] == pytest.approx(2.5)
    assert told["after"].iloc[10] == pytest.approx(-3.75)


def test_pointing_counts_from_its_moment_on():
    """Before it, what comes after is known; after it, what was before."""
    point = T0 + pd.Timedelta(seconds=8)
    told = tell(rows(), SightSettings(), {"P": [point]})
    assert told["after"].iloc[7] == SightSettings().pointed
    assert told["before"].iloc[7] == 0
    assert told["before"].iloc[9] == SightSettings().pointed
    assert told["after"].iloc[9] == 0


def test_what_is_not_told_is_nothing():
    """Rows that were not there before have no evidence; the others have theirs, by camera, time and
    box.
    """
    table = rows(llr=3.0)
    told = tell(table, SightSettings())
    other = pd.concat([table.iloc[:2], table.iloc[:1].assign(camera_id="b")], ignore_index=True)
    assert said_of(other, told)[:, 0] == pytest.approx([3.75, 3.75, 0.0])
