"""What a draft says, looked over as a whole: what is wrong with each field, and the request where
nothing is.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, tzinfo
from typing import Literal, NamedTuple

from data_contracts.case import CASE_ID, DRAFT_ID, CaseRequest, Visit
from data_contracts.errors import BadInput
from data_contracts.filing_draft import FilingDraft
from data_contracts.policies import load_policy, policy_names
from data_contracts.time import Interval
from flows.runtime.environment import Environment
from tasks.search.anchor import infectious_span
from tasks.search.typed_time import read_time
from tasks.search.typed_visit import Fault, visit_of

PersonField = Literal["case_id", "subject", "onset", "sample", "policy"]
PersonCode = Literal["case_id", "taken", "missing", "no_date", "unreadable", "future", "policy"]
Missing = Literal["visits", "pictures"]


class Findings(NamedTuple):
    """What is wrong with a draft, by step: of the person, of each row (empty where it is right),
    and what there must be one of. `request` where nothing is.
    """

    person: dict[PersonField, PersonCode]
    rows: tuple[tuple[Fault, ...], ...]
    missing: tuple[Missing, ...]
    request: CaseRequest | None

    @property
    def rows_wrong(self) -> int:
        """How many rows something is wrong with."""
        return sum(bool(faults) for faults in self.rows)


def look_over(env: Environment, draft: FilingDraft, zone: tzinfo, now: datetime) -> Findings:
    """Everything that is wrong with a draft; its request, filed `now`, where nothing is."""
    person: dict[PersonField, PersonCode] = {}
    case_id = draft.case_id.strip().upper()
    if not CASE_ID.match(case_id) or DRAFT_ID.match(case_id):
        person["case_id"] = "case_id"
    elif env.cases.has_key(case_id):
        person["case_id"] = "taken"
    if not draft.subject.strip():
        person["subject"] = "missing"
    onset = _day(draft.onset, "onset", zone, now, person)
    sample = _day(draft.sample, "sample", zone, now, person)
    if not draft.onset and not draft.sample:
        person["onset"] = "no_date"
    if draft.policy not in policy_names():
        person["policy"] = "policy"
    read = [visit_of(typed, zone, now) for typed in draft.visits]
    rows = tuple(() if isinstance(found, Visit) else found for found in read)
    visits = tuple(found for found in read if isinstance(found, Visit))
    empty: list[Missing] = [] if draft.visits else ["visits"]
    empty += [] if draft.pictures else ["pictures"]
    if person or any(rows) or empty:
        return Findings(person, rows, tuple(empty), None)
    request = CaseRequest(
        case_id=case_id,
        subject=draft.subject.strip(),
        onset_utc=onset,
        sample_utc=sample,
        itinerary=visits,
        policy=draft.policy,
        reference_images=tuple(sorted(p.name for p in draft.pictures)),
        filed_utc=now,
    )
    return Findings(person, rows, (), request)


def window_of(
    onset: str, sample: str, policy_name: str, zone: tzinfo, now: datetime
) -> Interval | None:
    """The infectious window that dates as they were typed give; None where they give none."""
    wrong: dict[PersonField, PersonCode] = {}
    anchor = _day(onset, "onset", zone, now, wrong) or _day(sample, "sample", zone, now, wrong)
    if wrong or anchor is None:
        return None
    try:
        policy = load_policy(policy_name)
    except BadInput:
        return None
    rule = policy.infectious_symptomatic if onset else policy.infectious_asymptomatic
    return infectious_span(rule, anchor)


def _day(
    text: str,
    field: Literal["onset", "sample"],
    zone: tzinfo,
    now: datetime,
    wrong: dict[PersonField, PersonCode],
) -> datetime | None:
    """The instant of a day (its midnight in the zone) or of a day and time; what is wrong goes to
    `wrong`.
    """
    if not text.strip():
        return None
    found = read_time(text)
    if isinstance(found, str) or found.day is None:
        wrong[field] = "unreadable"
        return None
    local = datetime.combine(found.day, found.clock or time.min)
    at = found.at or local.replace(tzinfo=zone).astimezone(UTC)
    if at > now:
        wrong[field] = "future"
        return None
    return at
