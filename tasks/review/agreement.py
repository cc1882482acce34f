"""Never 5: what is confirmed, and what is rejected, two different reviewers have said.

The only place where answers become a decision.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from data_contracts.review import Answer, Decision, MaskSeen, Question

# So many different reviewers must say the same, and more than say the opposite.
AGREEING = 2


def decide(question: Question, answers: Sequence[Answer]) -> Decision | None:
    """What the answers to a question decide; None while it is open.

    A reviewer counts once, by the first answer. Where two disagree a third decides, and so on:
    the side that has two, and more than the other. "Cannot say" is on neither side.
    """
    said = _one_a_reviewer(question, answers)
    for verdict, state, against in (
        ("confirm", "confirmed", "reject"),
        ("reject", "rejected", "confirm"),
    ):
        agreeing = [a for a in said if a.given.verdict == verdict]
        opposed = sum(a.given.verdict == against for a in said)
        if len(agreeing) >= AGREEING and len(agreeing) > opposed:
            return Decision(
                question=question,
                state=state,
                reviewers=tuple(a.reviewer for a in agreeing),
                person_mask=_mask_seen(agreeing),
            )
    return None


def _one_a_reviewer(question: Question, answers: Sequence[Answer]) -> list[Answer]:
    """The first answer of each reviewer to this very question."""
    own = [
        a for a in answers if (a.case_id, a.question_id) == (question.case_id, question.question_id)
    ]
    first: dict[str, Answer] = {}
    for answer in sorted(own, key=lambda a: (a.answered_utc, a.reviewer)):
        first.setdefault(answer.reviewer, answer)
    return list(first.values())


def _mask_seen(agreeing: Sequence[Answer]) -> MaskSeen | None:
    """The state of the person's mask that two of those who agree saw, and no other of them saw
    otherwise.
    """
    seen = Counter(a.given.person_mask for a in agreeing if a.given.person_mask is not None)
    if len(seen) != 1:
        return None
    ((mask, count),) = seen.items()
    return mask if count >= AGREEING else None
