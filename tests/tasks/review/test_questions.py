"""What a run leaves to decide, and in which order."""

from __future__ import annotations

import dataclasses

import pytest
from reviewed_run import contact, results, sighting

from data_contracts.tables.contracts import CONTACTS, SIGHTINGS
from tasks.people.marked import marked_tracks
from tasks.review.questions import questions_of
from tasks.review.reasons import of_contact, of_sighting
from tasks.review.worth import worth_of_contact, worth_of_sighting

FOUND = results()


def test_every_sighting_and_contact_is_asked_about() -> None:
    """A contact in doubt as whether it is the subject again; the one that would change most comes
    first, the sure sighting last.
    """
    asked = questions_of("K-1", FOUND)
    assert [(one.name, one.question.kind) for one in asked] == [
        ("S-02", "sighting"),
        ("C-02", "same"),
        ("C-01", "contact"),
        ("S-01", "sighting"),
    ]
    assert len({one.question.question_id for one in asked}) == 4


def test_what_is_rejected_is_not_asked_again() -> None:
    """Rows of tables that hold it."""
    rejected = dataclasses.replace(
        FOUND,
        sightings=FOUND.sightings.assign(review="rejected"),
        contacts=FOUND.contacts.assign(review="rejected"),
    )
    assert questions_of("K-1", rejected) == []


def test_worth_is_the_chance_of_error_times_what_would_change() -> None:
    """By hand: 0.4 x (20 s of way and 1 contact); half for a doubt; 0.05 for a sure contact."""
    (_, asked) = FOUND.sightings.to_dict("records")
    assert worth_of_sighting(asked, FOUND.trajectory, FOUND.contacts) == pytest.approx(
        0.4 * (20 / 60 + 1)
    )
    assert worth_of_sighting(asked, FOUND.trajectory, CONTACTS.empty()) == pytest.approx(0.4 / 3)
    assert worth_of_contact(contact(1, "P-1", doubt="it may")) == 0.5
    assert worth_of_contact(contact(1, "P-1")) == pytest.approx(0.05)


def test_another_run_asks_the_same_question_of_the_same_people() -> None:
    """Numbers of tracks and persons change; who is asked about does not."""
    before = {one.name: one.question for one in questions_of("K-1", FOUND)}
    now = results(renumbered=40)
    for one in questions_of("K-1", now):
        known = [
            n for n, q in before.items() if one.asked_before(q, marked_tracks(now.tracks, q.marks))
        ]
        assert known == [one.name]


def test_what_speaks_for_and_against_is_said_in_words_and_numbers() -> None:
    """Faces that match and do not, the rival, the rule and its chance."""
    tracks = FOUND.tracks
    row = SIGHTINGS.shape([sighting(2, 2, rival="P-9")]).to_dict("records")[0]
    said = of_sighting(row, tracks[tracks["track_id"] == 2])
    assert [(r.about, r.speaks) for r in said] == [("face", "against"), ("way", "against")]
    assert said[0].words == "100 faces do not match, up to 40 px wide"
    said = of_sighting(FOUND.sightings.to_dict("records")[0], tracks[tracks["track_id"] == 1])
    assert said[0].speaks == "for"
    assert "0.95" in said[0].words
    said = of_contact(contact(2, "P-4", doubt="it may"))
    assert [r.speaks for r in said] == ["for", "for", "against", "neither"]
    assert "40 s (35 to 44)" in said[0].words
