"""Never 5: the system ranks and proposes; what is not likely is a question, and nothing is
confirmed by itself.
"""

from __future__ import annotations

import ast
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from demo_report import report_data
from reviewed_run import results
from subject_case import subject_case

from data_contracts.policy import SearchSettings
from data_contracts.review import Answer, Given
from data_contracts.tables.contracts import MEMBERS, TRACKS
from tasks.artefacts.report import render_report
from tasks.people.subject import sight
from tasks.review.agreement import decide
from tasks.review.questions import questions_of

ROOT = Path(__file__).parents[2]


def sighted(subject_p: float) -> pd.DataFrame:
    """Sightings of one track whose face matched three times with the same probability."""
    at = pd.date_range("2026-11-16T00:00:00Z", periods=15, freq="200ms")
    rows = [
        {
            "camera_id": "a",
            "track_id": 1,
            "t_utc": t,
            "x0": 0.0,
            "y0": 0.0,
            "x1": 60.0,
            "y1": 180.0,
            "score": 0.9,
            "x_m": 1.0,
            "y_m": 1.0,
            "cov_xx": 0.01,
            "cov_xy": 0.0,
            "cov_yy": 0.01,
            "foot_hidden": False,
            "face_px": 60.0 if i % 5 == 0 else None,
            "mask_p": 0.05 if i % 5 == 0 else None,
            "subject_p": subject_p if i % 5 == 0 else None,
        }
        for i, t in enumerate(at)
    ]
    members = MEMBERS.shape(
        [{"person_id": "P-1", "camera_id": "a", "track_id": 1, "subject_p": None}]
    )
    return sight(subject_case(), TRACKS.shape(rows), members, SearchSettings())[0]


def test_every_sighting_waits_for_a_review() -> None:
    """However sure, a sighting comes out unreviewed."""
    found = sighted(0.97)
    assert len(found)
    assert set(found["review"]) == {"unreviewed"}


def test_what_is_not_likely_is_a_question() -> None:
    """Below the policy's high threshold a sighting is a question, not a fact; below the lower one
    it is nothing.
    """
    assert sighted(0.6)["band"].tolist() == ["question"]
    assert sighted(0.2).empty


def written_reviews(source: str) -> set[object]:
    """What a module writes as a review: in a dict, as an argument, or into a column. What is not a
    constant comes out as the expression.
    """
    written = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Dict):
            written += [v for k, v in zip(node.keys, node.values, strict=True) if is_review(k)]
        elif isinstance(node, ast.keyword) and node.arg == "review":
            written.append(node.value)
        elif isinstance(node, ast.Assign):
            written += [node.value for t in node.targets if stores_review(t)]
    return {v.value if isinstance(v, ast.Constant) else ast.unparse(v) for v in written}


def is_review(node: ast.expr | None) -> bool:
    """Whether an expression is the text "review"."""
    return isinstance(node, ast.Constant) and node.value == "review"


def stores_review(target: ast.expr) -> bool:
    """Whether an assignment's target is a column or a field of that name."""
    if isinstance(target, ast.Attribute):
        return target.attr == "review"
    return isinstance(target, ast.Subscript) and any(is_review(n) for n in ast.walk(target.slice))


@pytest.mark.parametrize(
    "source",
    [
        'row = {"review": "confirmed"}',
        'table = table.assign(review="confirmed")',
        'table["review"] = "confirmed"',
        'table.loc[sure, "review"] = "confirmed"',
        'row.review = "confirmed"',
    ],
)
def test_every_way_of_confirming_is_found(source: str) -> None:
    """The next test sees each way in which code could write a review."""
    assert written_reviews(source) == {"confirmed"}


def test_no_code_confirms() -> None:
    """All that the code writes as a review is that there was none yet, and what decisions say: of
    sightings, of encounters, and of contacts by their encounters; a question says its row's.
    """
    modules = [p for layer in ("tasks", "flows", "infra") for p in (ROOT / layer).rglob("*.py")]
    found = [value for path in modules for value in written_reviews(path.read_text())]
    assert found
    decided = {"settled.review_of(track)", "decision.state", "review", "str(row['review'])"}
    assert set(found) == {"unreviewed"} | decided
    assert makers_of("Settled") == {"tasks/people/decided.py"}


def makers_of(name: str) -> set[str]:
    """Modules of the product that make a record of this name, whole or from another one."""
    found = set()
    for layer in ("flows", "tasks", "infra", "data_contracts"):
        for path in (ROOT / layer).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
                if called == name or called.startswith(f"{name}."):
                    found.add(path.relative_to(ROOT).as_posix())
    return found


def test_one_function_decides() -> None:
    """Nobody makes a decision but the function that counts the reviewers who agree; none is read
    from a store.
    """
    assert makers_of("Decision") == {"tasks/review/agreement.py"}
    assert makers_of("Answer") == {"flows/cases/review.py", "flows/runtime/decisions.py"}


def test_one_reviewer_confirms_nothing() -> None:
    """One answer, or the same account's again and again, decides nothing; two accounts do."""
    question = questions_of("K-1", results())[0].question
    now = datetime(2026, 11, 17, tzinfo=UTC)

    def said(who: str, minute: int) -> Answer:
        return Answer(
            case_id="K-1",
            question_id=question.question_id,
            reviewer=f"account:{who}",
            answered_utc=now + timedelta(minutes=minute),
            given=Given(verdict="confirm"),
        )

    assert decide(question, [said("a", 0)]) is None
    assert decide(question, [said("a", k) for k in range(5)]) is None
    made = decide(question, [said("a", 0), said("b", 1)])
    assert made is not None
    assert made.state == "confirmed"


def test_the_report_says_who_decides() -> None:
    """The page tells its reader that it proposes and that two reviewers confirm."""
    page = render_report(report_data())
    assert "A person decides" in page
    assert "two reviewers" in page
