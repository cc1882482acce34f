"""Who would decide alone: a reviewer under two spellings, somebody who writes to the bucket, and
somebody who writes into the case by other means than the program's. Nothing is decided by them.
"""

from __future__ import annotations

import pytest
from reviewed_run import as_reviewer, published, results, with_signing_key

from data_contracts import object_key
from data_contracts.errors import BadInput, KeyMissing
from data_contracts.review import Answer, Given
from flows.cases.review import answer, decided, questions, reviewer_now
from flows.runtime.acting import acting
from flows.runtime.decisions import read_answered
from flows.runtime.environment import Environment
from infra.case_store import PAPER_BYTES, CaseVault

pytestmark = pytest.mark.stack
REJECT = Given(verdict="reject", reason="taller")


@pytest.fixture
def env(env: Environment) -> Environment:
    """A site with the installation's key."""
    return with_signing_key(env)


@pytest.fixture
def vault(env: Environment) -> CaseVault:
    """A case of which one reviewer has rejected a sighting."""
    made = published(env, results())
    says(env, made, "kim")
    return made


def says(env: Environment, vault: CaseVault, who: str) -> str:
    """Reject S-02; what state it is in then."""
    with acting(as_reviewer(who)):
        return answer(env, vault.case_id, "S-02", REJECT).state


def answer_key(vault: CaseVault) -> str:
    """Where the one answer lies."""
    (found,) = (
        item.key
        for item in vault.list(f"{object_key.review(vault.case_id)}/")
        if "/answer-" in item.key
    )
    return found


def copied(env: Environment, vault: CaseVault, key: str, to: str) -> None:
    """What somebody who may write to the bucket can do: the bytes under another name."""
    data = env.store.get(object_key.CASES, vault.stored_name(key))
    env.store.put(object_key.CASES, vault.stored_name(to), data)


@pytest.mark.parametrize(
    "spelling", ["Kim", "KIM", "k.im", "ｋｉｍ", "kim ", "ki\u200bm", "k\u0456m", "k1m"]
)
def test_one_person_under_two_spellings(env: Environment, vault: CaseVault, spelling: str) -> None:
    """Accounts whose names look alike are one reviewer."""
    with pytest.raises(BadInput, match="you have answered this already"):
        says(env, vault, spelling)
    assert decided(env, vault.case_id) == ()
    assert says(env, vault, "lee") == "rejected"


def test_an_answer_under_another_s_name_in_the_bucket(env: Environment, vault: CaseVault) -> None:
    """A copy does not open there, and nothing is decided until it is gone."""
    key = answer_key(vault)
    with acting(as_reviewer("lee")):
        other = object_key.review_answer(vault.case_id, key.split("/")[2], reviewer_now(env))
    copied(env, vault, key, other)
    for read in (decided, questions):
        with pytest.raises(KeyMissing, match="does not open with this case's key"):
            read(env, vault.case_id)
    vault.remove(other)
    assert says(env, vault, "lee") == "rejected"


def test_an_answer_of_another_case(env: Environment, vault: CaseVault) -> None:
    """In the place of one of this case it does not open; under its own name it is not seen."""
    elsewhere = published(env, results())
    says(env, elsewhere, "lee")
    theirs = elsewhere.stored_name(answer_key(elsewhere))
    data = env.store.get(object_key.CASES, theirs)
    env.store.put(object_key.CASES, theirs.replace(elsewhere.case_id, vault.case_id), data)
    assert decided(env, vault.case_id) == ()
    assert len(read_answered(vault)[0].answers) == 1
    env.store.put(object_key.CASES, vault.stored_name(answer_key(vault)), data)
    with pytest.raises(KeyMissing, match="does not open"):
        decided(env, vault.case_id)


def test_an_answer_that_is_put_back_counts_once(env: Environment, vault: CaseVault) -> None:
    """Taken away the question is open again; the old object put back is the one answer it was."""
    key = answer_key(vault)
    data = env.store.get(object_key.CASES, vault.stored_name(key))
    vault.remove(key)
    assert says(env, vault, "lee") == "open"
    env.store.put(object_key.CASES, vault.stored_name(key), data)
    assert [len(d.reviewers) for d in decided(env, vault.case_id)] == [2]
    env.store.put(object_key.CASES, vault.stored_name(key), data)
    assert [len(d.reviewers) for d in decided(env, vault.case_id)] == [2]


@pytest.mark.parametrize("what", ["cut", "empty", "large"])
def test_a_damaged_answer_stops_what_reads_it(
    env: Environment, vault: CaseVault, what: str
) -> None:
    """A rejection must not fade away because somebody broke its object: the error names it."""
    key = answer_key(vault)
    name = vault.stored_name(key)
    data = env.store.get(object_key.CASES, name)
    broken = {"cut": data[:40], "empty": b"", "large": data + bytes(3 * PAPER_BYTES)}[what]
    env.store.put(object_key.CASES, name, broken)
    with pytest.raises((BadInput, KeyMissing)):
        decided(env, vault.case_id)
    with pytest.raises((BadInput, KeyMissing)):
        says(env, vault, "lee")


def test_a_record_in_the_wrong_place_decides_nothing(env: Environment, vault: CaseVault) -> None:
    """Sealed with the case's key, by other means than the program's: the answer of one reviewer
    under another's name or another question's, another question under an id, an answer without a
    question, a record that is none.
    """
    (known,) = read_answered(vault)
    given = known.answers[0]
    question_id = known.question.question_id
    other = "account:0123456789abcdef"
    elsewhere = known.question.model_copy(update={"case_id": "K-OTHER"})
    of_case = given.model_copy(update={"case_id": "K-OTHER", "reviewer": other})

    def place(reviewer: str, question: str = question_id) -> str:
        return object_key.review_answer(vault.case_id, question, reviewer)

    for key, record, said in (
        (place(other), given, "the answer of the reviewer whom its name says"),
        (place(given.reviewer, "Q-0123456789ab"), given, "a question with its answers"),
        (place(other), of_case, f"an answer of case {vault.case_id}"),
        (place(other), known.question, "expected a Answer, "),
    ):
        vault.put(key, record.model_dump_json().encode())
        with pytest.raises(BadInput, match=said):
            decided(env, vault.case_id)
        vault.remove(key)
    key = object_key.review_question(vault.case_id, question_id)
    vault.put(key, elsewhere.model_dump_json().encode())
    with pytest.raises(BadInput, match=f"expected question {question_id}"):
        decided(env, vault.case_id)


def test_a_clock_that_is_wrong_decides_nothing(env: Environment, vault: CaseVault) -> None:
    """The times of answers say only which of one reviewer's came first."""
    (known,) = read_answered(vault)
    (first,) = known.answers
    early = first.answered_utc.replace(year=1999)
    again = Answer(**(dict(first) | {"answered_utc": early}))
    vault.put(answer_key(vault), again.model_dump_json().encode())
    assert decided(env, vault.case_id) == ()
