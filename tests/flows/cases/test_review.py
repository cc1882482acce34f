"""Questions and answers of a case: who sees what, who may answer, and what stays."""

from __future__ import annotations

import json

import pytest
from reviewed_run import as_reviewer, publish_again, published, results, with_signing_key
from typer.testing import CliRunner

from data_contracts import object_key
from data_contracts.audit import read_link
from data_contracts.errors import BadInput, NotAuthorised, StoreError
from data_contracts.pointing import Pointing
from data_contracts.review import Answer, Given
from data_contracts.time import now_utc
from flows.cases.review import answer, decided, pictures, questions, reviewer_now
from flows.cases.withdraw import mark_withdrawn
from flows.cli.main import app
from flows.desk.accounts import Accounts
from flows.runtime import pointings
from flows.runtime.acting import acting, service, this_user
from flows.runtime.audit import who_acts
from flows.runtime.decisions import about_people, store_answer
from flows.runtime.environment import Environment
from flows.runtime.open_case import open_case
from flows.stages.publish import load_manifest
from infra.audit_log import AuditLog
from infra.case_store import CaseVault

pytestmark = pytest.mark.stack
CONFIRM = Given(verdict="confirm")
REJECT = Given(verdict="reject", reason="taller")


@pytest.fixture
def env(env: Environment) -> Environment:
    """A site with the installation's key, which makes pseudonyms."""
    return with_signing_key(env)


@pytest.fixture
def vault(env: Environment) -> CaseVault:
    """A case with a published run."""
    return published(env, results())


def says(env: Environment, vault: CaseVault, who: str, given: Given, name: str = "S-02") -> str:
    """Answer under an account; what state the question is in then."""
    with acting(as_reviewer(who)):
        return answer(env, vault.case_id, name, given).state


def stored(env: Environment, vault: CaseVault) -> list[tuple[str, str]]:
    """Names and digests of the case's objects."""
    return [(o.key, o.etag) for o in env.store.list(object_key.CASES, f"{vault.case_id}/")]


def test_two_reviewers_decide(env: Environment, vault: CaseVault) -> None:
    """One answer leaves it open; a second, of another account, decides. The log has both under
    their accounts, the verdict in a word and nothing of the reason.
    """
    assert says(env, vault, "kim", REJECT) == "open"
    assert decided(env, vault.case_id) == ()
    assert says(env, vault, "lee", REJECT) == "rejected"
    (made,) = decided(env, vault.case_id)
    assert (made.state, made.question.kind, len(set(made.reviewers))) == ("rejected", "sighting", 2)
    entries = [read_link(e.data).entry for e in env.audit_log.read() if e.data]
    mine = [e for e in entries if (e.case_id, e.action) == (vault.case_id, "decision")]
    assert len({e.actor for e in mine}) == 2
    assert {e.role for e in mine} == {"reviewer"}
    assert {e.objects for e in mine} == {(made.question.question_id, "reject")}
    assert all("taller" not in e.model_dump_json() for e in mine)


def test_nobody_sees_an_answer_before_their_own(env: Environment, vault: CaseVault) -> None:
    """Neither the second reviewer nor who only reads; the first sees their own. After the own
    answer, or a decision, all are there.
    """
    says(env, vault, "kim", REJECT)

    def seen(who: object) -> tuple[int, int, bool]:
        with acting(who):
            asked = next(q for q in questions(env, vault.case_id) if q.name == "S-02")
        assert "taller" not in str(asked) or asked.own or asked.others
        return asked.answers, len(asked.others) + bool(asked.own), asked.waits

    assert seen(as_reviewer("kim")) == (1, 1, False)
    assert seen(as_reviewer("lee")) == (1, 0, True)
    assert seen(this_user()) == (1, 0, False)
    says(env, vault, "lee", CONFIRM)
    assert seen(as_reviewer("kim")) == (2, 2, False)
    assert seen(as_reviewer("park")) == (2, 0, True)
    assert says(env, vault, "park", REJECT) == "rejected"
    assert seen(this_user()) == (3, 3, False)


def test_an_answer_is_given_once(env: Environment, vault: CaseVault) -> None:
    """A second by the same account changes nothing, nor does one after the decision."""
    says(env, vault, "kim", REJECT)
    before = stored(env, vault)
    with pytest.raises(BadInput, match="answered this already"):
        says(env, vault, "kim", CONFIRM)
    assert stored(env, vault) == before
    says(env, vault, "lee", REJECT)
    with pytest.raises(BadInput, match="two reviewers have decided already"):
        says(env, vault, "park", CONFIRM)


def test_two_answers_at_once_leave_the_first(env: Environment, vault: CaseVault) -> None:
    """The same account in two browsers: what is stored first stays, byte for byte."""
    with acting(as_reviewer("kim")):
        asked = questions(env, vault.case_id)[0]
        answer(env, vault.case_id, "S-02", REJECT)
        before = stored(env, vault)
        made = Answer(
            case_id=vault.case_id,
            question_id=asked.question.question_id,
            reviewer=reviewer_now(env),
            answered_utc=now_utc(),
            given=CONFIRM,
        )
    assert not store_answer(vault, asked.question, made)
    assert stored(env, vault) == before


def test_who_is_not_a_reviewer_is_refused(env: Environment, vault: CaseVault) -> None:
    """The user of a shell, a service, an account in another role: nothing is stored, and the
    refusal is in the log.
    """
    before = stored(env, vault)
    account = as_reviewer("kim")._replace(role="operator")
    for who in (this_user("reviewer"), service("trace-case"), account):
        with acting(who), pytest.raises(NotAuthorised, match="expected the account of a reviewer"):
            answer(env, vault.case_id, "S-02", CONFIRM)
    assert stored(env, vault) == before
    entries = [read_link(e.data).entry for e in env.audit_log.read() if e.data]
    assert sum((e.case_id, e.action) == (vault.case_id, "refuse") for e in entries) == 3


def test_without_the_log_or_the_consent_nothing_is_stored(
    env: Environment, vault: CaseVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log is written first; a withdrawn case is neither read nor decided."""
    before = stored(env, vault)

    def full(*_: object, **__: object) -> None:
        raise StoreError("the audit log is full")

    with monkeypatch.context() as patch:
        patch.setattr(AuditLog, "append", full)
        with pytest.raises(StoreError, match="full"):
            says(env, vault, "kim", REJECT)
    assert stored(env, vault) == before
    mark_withdrawn(env, vault.case_id)
    for call in (lambda: says(env, vault, "kim", REJECT), lambda: decided(env, vault.case_id)):
        with pytest.raises(NotAuthorised, match="withdrawn"):
            call()


def test_an_answer_survives_another_run(env: Environment, vault: CaseVault) -> None:
    """Tracks and persons have other numbers in it; the second reviewer answers the same question,
    and what was decided and is not there any more is still listed.
    """
    says(env, vault, "kim", REJECT)
    publish_again(vault, results(renumbered=70), "R-2")
    assert says(env, vault, "lee", REJECT) == "rejected"
    (made,) = decided(env, vault.case_id)
    gone = results(renumbered=90)
    left = type(gone)(**{**vars(gone), "sightings": gone.sightings.head(1)})
    publish_again(vault, left, "R-3")
    with acting(as_reviewer("kim")):
        listed = questions(env, vault.case_id)
    assert [(q.name, q.state) for q in listed if q.question == made.question] == [("", "rejected")]
    assert [q.state for q in listed] == ["open", "open", "open", "rejected"]


def test_a_decision_of_which_nothing_followed_is_asked_again(
    env: Environment, vault: CaseVault
) -> None:
    """The run knew it, and the sighting is as before: two were confirmed at one time, say. A third
    and further reviewers can say which, and see no answer before their own.
    """
    for who in ("kim", "lee"):
        says(env, vault, who, CONFIRM)
    known = about_people(decided(env, vault.case_id))
    publish_again(vault, results(renumbered=30), "R-2", decided=known)
    with acting(as_reviewer("park")):
        asked = next(q for q in questions(env, vault.case_id) if q.name == "S-02")
    assert (asked.state, asked.answers, asked.others, asked.waits) == ("open", 2, (), True)
    for who, state in (("park", "open"), ("choi", "open"), ("jung", "rejected")):
        assert says(env, vault, who, REJECT) == state
    (made,) = decided(env, vault.case_id)
    assert made.state == "rejected"


def test_pictures_of_whom_reviewers_reject_go_at_once(env: Environment, vault: CaseVault) -> None:
    """The sure sighting is shown as the subject in the runs that are published: with the second
    rejection their pictures and reports go, and tables stay. A question's show nobody, and stay.
    """
    names = ("contacts.csv", "report.html", "pictures/S-01.jpg")
    run = publish_again(vault, results(renumbered=20), "R-2", names)

    def left() -> list[str]:
        return [a.name for a in load_manifest(vault, run).artefacts]

    for who in ("kim", "lee"):
        says(env, vault, who, REJECT, "S-02")
    assert left() == list(names)
    says(env, vault, "kim", REJECT, "S-01")
    assert left() == list(names)
    says(env, vault, "lee", REJECT, "S-01")
    assert left() == ["contacts.csv"]
    assert pictures(env, vault.case_id, "S-01") == {}


def test_who_pointed_at_somebody_does_not_confirm_them(
    env: Environment, vault: CaseVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pointing is what is judged: two others do."""
    with acting(as_reviewer("kim")):
        point = Pointing(
            camera_id="entrance",
            t_utc=(results().sightings["start_utc"].iloc[1]).to_pydatetime(),
            x_px=130,
            y_px=200,
            pointed_by=who_acts(env),
        )
    pointings.write_pointings(open_case(vault.case_id, env), (point,))
    monkeypatch.setattr("flows.cases.review.read_pointings", lambda _case: (point,))
    with pytest.raises(BadInput, match="you pointed at this person"):
        says(env, vault, "kim", CONFIRM)
    assert says(env, vault, "kim", CONFIRM, "S-01") == "open"
    assert says(env, vault, "lee", CONFIRM) == "open"
    assert says(env, vault, "park", CONFIRM) == "confirmed"


def test_unknown_questions_say_which_there_are(env: Environment, vault: CaseVault) -> None:
    """By id or by name."""
    with pytest.raises(BadInput, match=r"no question S-09: expected one of this case's: S-02"):
        says(env, vault, "kim", CONFIRM, "S-09")


def test_the_command_line(env: Environment, vault: CaseVault) -> None:
    """Lists, shows, and takes the answer of an account whose password is right."""
    case_id = vault.case_id
    runner = CliRunner()
    listed = runner.invoke(app, ["case", "review", case_id, "--json"])
    assert listed.exit_code == 0, listed.output
    rows = json.loads(listed.stdout)
    assert [r["name"] for r in rows] == ["S-02", "C-02", "C-01", "S-01"]
    question = rows[0]["question"]
    shown = runner.invoke(app, ["case", "review", case_id, "--show", question]).output
    assert "Is this the subject?" in shown
    assert "against: face: 100 faces do not match, up to 40 px wide" in shown
    accounts = Accounts(env.settings.paths.desk_accounts_file)
    given = ["case", "review", case_id, "--answer", "S-02", "reject", "--reason", "taller"]
    for name, ended in (("kim", "open until two reviewers agree"), ("lee", "rejected by two")):
        word = accounts.add(name, ["reviewer"], f"the word of {name[::-1]}")
        wrong = runner.invoke(app, [*given, "--account", name], input="wrong\n")
        assert "another password" in str(wrong.exception)
        ran = runner.invoke(app, [*given, "--account", name], input=f"{word}\n")
        assert ended in ran.output, (ran.output, ran.exception)
    unsaid = runner.invoke(app, [*given[:-2], "--account", "kim"], input="x\n")
    assert unsaid.exit_code != 0
    nobody = runner.invoke(app, given)
    assert "expected the account of a reviewer" in str(nobody.exception)
