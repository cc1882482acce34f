"""Encounters and contacts as two reviewers decided about them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from decisions import decision_on
from reviewed_run import T0, track

from data_contracts.policies import load_policy
from data_contracts.tables.contracts import CONTACTS, ENCOUNTERS, MEMBERS, PERSONS, TRAJECTORY
from data_contracts.tables.validate import validate
from tasks.exposure.assess import assess
from tasks.exposure.meet import meet
from tasks.exposure.reviewed import as_reviewed

SECONDS = 60
TRACKS = {"P-1": track(1, 500, seconds=SECONDS), "P-2": track(2, 500, start=100, seconds=SECONDS)}
MEMBER_ROWS = MEMBERS.shape(
    [
        {"person_id": name, "camera_id": "entrance", "track_id": n}
        for n, name in enumerate(TRACKS, 1)
    ]
)


def paths() -> tuple[pd.DataFrame, pd.DataFrame]:
    """The subject a metre beside each person, and the persons; masks are worn by nobody."""
    rows = pd.concat([rows.assign(person_id=name) for name, rows in TRACKS.items()])
    rows = rows.assign(seen=True, cameras="entrance", mask_p=0.02, probability=1.0)
    return TRAJECTORY.shape(rows.assign(y_m=rows["y_m"] + 1.0)), PERSONS.shape(rows)


POINTS, ENCOUNTERED = meet(*paths(), set())
ALL = pd.concat(TRACKS.values(), ignore_index=True)


def contacts_after(*decisions, encounters=ENCOUNTERED):
    """Encounters by person, and contacts by person, after decisions."""
    met, points = as_reviewed(encounters, POINTS, ALL, MEMBER_ROWS, decisions)
    validate(met, ENCOUNTERS)
    found = assess(points, met, load_policy("demo-short"), np.random.default_rng(0))
    validate(found, CONTACTS)
    return met.set_index("person_id"), found.set_index("person_id")


def test_without_decisions_nothing_changes() -> None:
    """Two contacts, proposed."""
    met, found = contacts_after()
    assert set(met["review"]) == set(found["review"]) == {"unreviewed"}
    assert sorted(found.index) == ["P-1", "P-2"]


def test_a_rejected_contact_leaves_the_list_and_stays_an_encounter() -> None:
    """With its state; the other one stays as it was."""
    met, found = contacts_after(decision_on(TRACKS["P-1"], verdict="reject", kind="contact"))
    assert dict(met["review"]) == {"P-1": "rejected", "P-2": "unreviewed"}
    assert list(found.index) == ["P-2"]
    assert found["review"]["P-2"] == "unreviewed"


def test_a_confirmed_contact_says_so() -> None:
    """And is no question any more."""
    asked = ENCOUNTERED.assign(doubt="may be the subject")
    _, found = contacts_after(decision_on(TRACKS["P-2"], kind="contact"), encounters=asked)
    assert dict(found["review"]) == {"P-1": "unreviewed", "P-2": "confirmed"}
    assert dict(found["band"]) == {"P-1": "question", "P-2": "high"}


def test_rejected_beats_confirmed() -> None:
    """In whatever order."""
    yes = decision_on(TRACKS["P-1"], kind="contact")
    no = decision_on(TRACKS["P-1"], verdict="reject", kind="contact")
    for order in ((yes, no), (no, yes)):
        assert contacts_after(*order)[0]["review"]["P-1"] == "rejected"


def test_a_mask_that_two_saw_counts() -> None:
    """Under a rule for which it matters."""
    decision = decision_on(TRACKS["P-1"], kind="contact", person_mask="masked")
    met, found = contacts_after(decision)
    assert met["person_mask"]["P-1"] == found["person_mask"]["P-1"] == "masked"
    assert met["person_mask"]["P-2"] == "bare"


def test_who_is_not_the_subject_is_not_the_subject_seen_twice() -> None:
    """The doubt goes, the contact is proposed again."""
    asked = ENCOUNTERED.assign(doubt="may be the subject")
    decision = decision_on(TRACKS["P-1"], verdict="reject", kind="same")
    met, found = contacts_after(decision, encounters=asked)
    assert dict(met["doubt"]) == {"P-1": "", "P-2": "may be the subject"}
    assert dict(met["review"]) == {"P-1": "unreviewed", "P-2": "unreviewed"}
    assert dict(found["band"]) == {"P-1": "high", "P-2": "question"}


@pytest.mark.parametrize("apart_s", [0.0, 500.0])
def test_only_what_was_asked_about(apart_s: float) -> None:
    """The same person at another time was not."""
    later = TRACKS["P-1"].assign(t_utc=TRACKS["P-1"]["t_utc"] + pd.Timedelta(seconds=apart_s))
    decision = decision_on(later, verdict="reject", kind="contact")
    _, found = contacts_after(decision)
    assert ("P-1" in found.index) == (apart_s > 0)
    assert ENCOUNTERED["end_utc"].min() > T0
