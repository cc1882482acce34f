"""Two different reviewers must agree; whoever counts, and how often, decides one function."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from reviewed_run import results

from data_contracts.review import Answer, Given, Question
from tasks.review.agreement import decide
from tasks.review.questions import questions_of

QUESTION = questions_of("K-1", results())[0].question
NOW = datetime(2026, 11, 17, tzinfo=UTC)
LETTERS = {"c": "confirm", "r": "reject", "?": "cannot-say"}


def answer(reviewer: str, letter: str, question: Question = QUESTION, **more) -> Answer:
    """What somebody answered, each a minute after the one before in the alphabet."""
    given = Given(verdict=LETTERS[letter], reason="seen", **more)
    return Answer(
        case_id=question.case_id,
        question_id=question.question_id,
        reviewer=f"account:{reviewer}",
        answered_utc=NOW + timedelta(minutes=ord(reviewer[0])),
        given=given,
    )


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("", "open"),
        ("c", "open"),
        ("r", "open"),
        ("cc", "confirmed"),
        ("rr", "rejected"),
        ("cr", "open"),
        ("crc", "confirmed"),
        ("crr", "rejected"),
        ("c?", "open"),
        ("??", "open"),
        ("????", "open"),
        ("?c?c", "confirmed"),
        ("cr?", "open"),
        ("ccrr", "open"),
        ("ccrrr", "rejected"),
    ],
)
def test_two_that_agree_decide(said: str, state: str) -> None:
    """In whatever order they answered; a third decides where two disagree; "cannot say" never."""
    for order in set(itertools.permutations(said)):
        made = decide(QUESTION, [answer(chr(97 + i), c) for i, c in enumerate(order)])
        assert (made.state if made else "open") == state, order


def test_one_reviewer_never_counts_twice() -> None:
    """The first answer of an account is the one that counts."""
    for letter in ("c", "r"):
        twice = [
            answer("a", letter).model_copy(update={"answered_utc": NOW + timedelta(minutes=k)})
            for k in range(3)
        ]
        assert decide(QUESTION, twice) is None
    later = answer("a", "r").model_copy(update={"answered_utc": NOW + timedelta(days=1)})
    made = decide(QUESTION, [later, answer("a", "c"), answer("b", "c")])
    assert made is not None
    assert made.state == "confirmed"
    assert made.reviewers == ("account:a", "account:b")


def test_answers_to_another_question_or_case_do_not_count() -> None:
    """However they came there."""
    other = questions_of("K-1", results())[1].question
    elsewhere = QUESTION.model_copy(update={"case_id": "K-2"})
    for question in (other, elsewhere):
        assert decide(QUESTION, [answer("a", "c"), answer("b", "c", question)]) is None


@pytest.mark.parametrize(
    ("masks", "seen"),
    [
        (("bare", "bare"), "bare"),
        (("bare", None), None),
        (("bare", "masked"), None),
        (("bare", "bare", "masked"), None),
        ((None, "masked", "masked"), "masked"),
    ],
)
def test_a_mask_is_corrected_by_two_as_well(masks: tuple, seen: str | None) -> None:
    """Who says nothing of it leaves it as it was; who disagree do too."""
    said = [answer(chr(97 + i), "c", person_mask=mask) for i, mask in enumerate(masks)]
    made = decide(QUESTION, said)
    assert made is not None
    assert made.person_mask == seen
