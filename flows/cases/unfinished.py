"""Cases whose end is not finished, for the people who must look: by id and step."""

from __future__ import annotations

from typing import NamedTuple

from flows.cases import journal
from flows.cases.attempt import attempt
from flows.cases.deletion_steps import there_is
from flows.runtime.environment import Environment


class UnfinishedEnd(NamedTuple):
    """A case that is destroyed but for these steps (none: its purge was broken off)."""

    case_id: str
    failed: tuple[str, ...]

    def __str__(self) -> str:
        return f"case {self.case_id}: " + ("; ".join(self.failed) or "its purge was broken off")


def unfinished_ends(env: Environment) -> list[UnfinishedEnd]:
    """Cases that have a journal of a purge, or no key any more. Raises StoreError."""
    out = []
    for case_id in env.cases.case_ids():
        plan = attempt(lambda case_id=case_id: journal.read(env, case_id), None)  # type: ignore[misc]
        if plan is not None:
            out.append(UnfinishedEnd(case_id, plan.failed))
        elif attempt(lambda case_id=case_id: _broken_off(env, case_id), False):  # type: ignore[misc]
            out.append(UnfinishedEnd(case_id, ()))
    return out


def _broken_off(env: Environment, case_id: str) -> bool:
    return not env.cases.has_key(case_id) and there_is(env, case_id)
