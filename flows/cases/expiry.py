"""One pass over all cases: which ended, and their end. Each case is on its own: one that fails is
named, and keeps no other from its end.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from data_contracts import object_key
from data_contracts.errors import EncounterError, NotFound
from data_contracts.record import Record
from flows.cases import clock
from flows.cases.attempt import attempt, told
from flows.cases.destroy import destroy_case
from flows.cases.old_pictures import delete_old_pictures, delete_pictures_of_rejected
from flows.cases.spent_tokens import has_ended
from flows.cases.sweep import sweep
from flows.cases.withdraw import is_withdrawn
from flows.runtime.audit import audit_daily
from flows.runtime.environment import Environment
from flows.runtime.open_case import read_request
from infra.case_store import PAPER_BYTES
from tasks.ending.purge import CasePapers, Doomed, claimed_expiry, plan_purge

_LATE_FOR = timedelta(hours=1)


class Part(Record):
    """What a part of the pass did: how many, and what failed, a line each."""

    done: int = 0
    failed: tuple[str, ...] = ()


class Planned(Record):
    """Which cases end now, and why; and what could not be found out. `waits`: why what ends by time
    alone, cases and pictures, waits for a person's word (empty: it does not).
    """

    doomed: tuple[Doomed, ...] = ()
    failed: tuple[str, ...] = ()
    waits: str = ""


class Word(Record):
    """What a person says: the clock is right; so many cases are to go."""

    despite_clock: bool = False
    despite_number: bool = False


class PassIncomplete(EncounterError):
    """A pass that did what it could, and could not do all."""


def papers_of(env: Environment, case_id: str) -> CasePapers:
    """What decides whether a case's purpose has ended. Raises StoreError.

    Each paper is read on its own. Of a case that cannot be read at all (its filing broke off, its
    papers are damaged, or this process has another master key) the age of its key counts; a paper
    that says a later date than the key's does not make it younger.
    """
    try:
        made = _key_made(env, case_id)
    except NotFound:
        return CasePapers(case_id=case_id, has_key=False)
    vault = attempt(lambda: env.cases.open(case_id), None)
    if vault is None:
        return CasePapers(case_id=case_id, has_key=True, filed_utc=made, opens=False)
    tokens = [
        attempt(lambda key=key: vault.get(key).decode(), None)  # type: ignore[misc]
        for key in (object_key.consent(case_id), object_key.approval(case_id))
    ]
    return CasePapers(
        case_id=case_id,
        has_key=True,
        filed_utc=min(made, attempt(lambda: read_request(vault).filed_utc, made)),
        expires_utc=min((claimed_expiry(t) for t in tokens if t is not None), default=None),
        withdrawn=attempt(lambda: is_withdrawn(env, tokens[0]), False),
        ended=attempt(lambda: has_ended(env, tokens[0]), False),
    )


def _key_made(env: Environment, case_id: str) -> datetime:
    """When the key was made: its object's time, or what its record says where that is earlier,
    since a rotation of the master key writes the object anew.
    """
    key = object_key.wrapped_key(case_id)
    written = env.store.stat(object_key.CASES, key).last_modified

    def said() -> datetime:
        record = json.loads(env.store.get(object_key.CASES, key, at_most=PAPER_BYTES))
        return min(written, datetime.fromisoformat(record["created_utc"]))

    return attempt(said, written)


def case_ids(env: Environment) -> list[str]:
    """Cases that have objects, and those of which the store does not tell it. Empty folders, which
    some stores still list, are removed.
    """
    found = []
    for case_id in env.cases.case_ids():
        if attempt(lambda c=case_id: _has_objects(env, c), True):  # type: ignore[misc]
            found.append(case_id)
        else:
            attempt(lambda c=case_id: env.store.remove_folders(object_key.CASES, f"{c}/"), None)  # type: ignore[misc]
    return found


def _has_objects(env: Environment, case_id: str) -> bool:
    return bool(env.store.list_versions(object_key.CASES, f"{case_id}/"))


def plan_pass(env: Environment, now: datetime, word: Word | None = None) -> Planned:
    """Which cases end now. Raises StoreError where they cannot even be listed.

    Where the clock is not to be believed, or unusually many would end at once, those that end by
    time alone wait for a person's word. What a person asked for never waits. Cases that do not
    open here are counted apart: who writes to the bucket can put any number of such there, and
    must not keep the others from their end.
    """
    word = word or Word()
    papers: list[CasePapers] = []
    failed = _for_each(case_ids(env), lambda case_id: papers.append(papers_of(env, case_id))).failed
    kept = env.settings.retention
    doomed = plan_purge(papers, now, kept.case_days, kept.draft_days)
    doubt = "" if word.despite_clock else _doubt(env, now)
    waits = {opens: doubt or _too_many(env, doomed, opens, word) for opens in (True, False)}
    if not waits[True]:
        clock.keep_pass(env, now)
    why = tuple(dict.fromkeys(filter(None, waits.values())))
    if why:
        clock.keep_waiting(env, "; ".join(why))
    for reason in why:
        attempt(lambda r=reason: audit_daily(env, "refuse", outcome="refused", reason=r), None)  # type: ignore[misc]
    going = tuple(d for d in doomed if not (d.by_time and waits[d.opens]))
    return Planned(doomed=going, failed=(*failed, *why), waits=waits[True])


def _doubt(env: Environment, now: datetime) -> str:
    doubt = clock.doubt(env, now)
    if not doubt:
        return ""
    return f"expired cases wait: {doubt}; is it right? encounter case expire --despite-clock"


def _too_many(env: Environment, doomed: list[Doomed], opens: bool, word: Word) -> str:
    """Why cases that open here, or those that do not, wait for their number."""
    most = env.settings.retention.at_once
    number = sum(d.by_time and d.opens is opens for d in doomed)
    if number <= most or word.despite_number:
        return ""
    cases = "expired cases" if opens else "expired cases that do not open here"
    return (
        f"{cases} wait: {number} at once, more than {most}; are they to go? "
        "encounter case expire --despite-number"
    )


def end_doomed(env: Environment, planned: Planned) -> Part:
    """Destroy them, one after the other, whatever becomes of each."""
    reasons = {doomed.case_id: doomed.reason for doomed in planned.doomed}
    return _for_each(reasons, lambda case_id: destroy_case(case_id, reasons[case_id], env))


def end_pictures(env: Environment, planned: Planned, now: datetime) -> Part:
    """Delete pictures that are kept shorter than their case, unless the pass waits."""
    if planned.waits:
        return Part()
    gone: list[int] = []

    def end_of_case(case_id: str) -> None:
        gone.append(delete_old_pictures(env, case_id, now))
        gone.append(delete_pictures_of_rejected(env, case_id))

    out = _for_each(case_ids(env), end_of_case)
    return out.model_copy(update={"done": sum(gone)})


def sweep_late(env: Environment, now: datetime) -> Part:
    """What arrived late of the cases that were destroyed in the last hour."""
    swept = sweep(env, now - _LATE_FOR)
    return Part(done=swept.cases, failed=swept.failed)


def conclude(done: int, parts: tuple[Planned | Part, ...]) -> int:
    """How many cases were destroyed. Raises PassIncomplete with the cases and steps that failed;
    their names go from the orchestrator with the case.
    """
    failed = [line for part in parts for line in part.failed]
    if failed:
        told_all = "; ".join(failed)
        raise PassIncomplete(f"{len(failed)} not done, tried again by the next pass: {told_all}")
    return done


def _for_each(case_ids: Iterable[str], do: Callable[[str], object]) -> Part:
    done = 0
    failed = []
    for case_id in case_ids:
        try:
            do(case_id)
            done += 1
        except Exception as error:  # noqa: BLE001  the others' end does not wait for this one
            failed.append(f"case {case_id}: {told(error)}")
    return Part(done=done, failed=tuple(failed))
