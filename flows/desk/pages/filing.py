"""Filing a case, a step at a time: the list of drafts, the person and the dates, handing over.

What was typed is kept at each step, right or wrong, until it is filed, deleted or too old.
"""

from __future__ import annotations

from typing import NamedTuple

from starlette.responses import Response

from data_contracts.errors import BadInput, NotFound
from data_contracts.filing_draft import FilingDraft
from data_contracts.policies import load_policy, policy_names
from data_contracts.time import now_utc
from flows.cases import drafts
from flows.cases.destroy import Unfinished
from flows.cases.draft_request import Findings, look_over, window_of
from flows.desk import filing_words
from flows.desk.page import page
from flows.desk.visit import Visit
from flows.runtime.audit import audit
from flows.runtime.environment import site
from tasks.search.anchor import NO_END

PATH = "/filing"
OF_DRAFT = f"{PATH}/{{draft_id}}"


class Waiting(NamedTuple):
    """A draft in the list: whether it waits for whoever looks, and the page on which it does."""

    draft: FilingDraft
    mine: bool
    path: str


@page("GET", PATH, "see filings")
def list_filings(visit: Visit) -> Response:
    """The drafts that the account sees: those that wait for it first."""
    found = [_waiting(visit, draft) for draft in drafts.drafts_of(visit.env, visit.name)]
    audit(visit.env, "view", objects=("filings",), counts={"filings": len(found)})
    found.sort(key=lambda waiting: not waiting.mine)
    days = visit.env.settings.retention.draft_days
    return visit.show("filings.html", filings=found, filing_words=filing_words, days=days)


def _waiting(visit: Visit, draft: FilingDraft) -> Waiting:
    who = {"open": draft.author, "consent": draft.officer, "approval": draft.approver}
    mine = who[draft.stage] == visit.name
    at: str = draft.stage if mine and draft.stage != "open" else "hand-over"
    if draft.stage == "open" and not draft.revision:
        at = "person"
    return Waiting(draft, mine, f"{PATH}/{draft.draft_id}/{at}")


@page("POST", f"{PATH}/new", "file case")
def begin(visit: Visit) -> Response:
    """Begin a draft."""
    made = drafts.begin(visit.env, visit.name)
    return visit.go(f"{PATH}/{made.draft_id}/person")


def own_draft(visit: Visit, look: str = "") -> FilingDraft:
    """The draft of the address, for its author; the look is written down. Raises NotFound for
    anybody else, as where there is none.
    """
    draft = seen_draft(visit, look)
    if draft.author != visit.name:
        raise NotFound("there is no such draft")
    return draft


def seen_draft(visit: Visit, look: str = "") -> FilingDraft:
    """The draft of the address, for whoever sees it. Raises NotFound."""
    draft = drafts.read(visit.env, visit.request.path_params["draft_id"])
    if not draft.seen_by(visit.name):
        raise NotFound("there is no such draft")
    if look:
        audit(visit.env, "view", case_id=draft.draft_id, objects=(look,))
    return draft


def findings(visit: Visit, draft: FilingDraft) -> Findings:
    """What is wrong with a draft, by the site's clock."""
    return look_over(visit.env, draft, site(visit.env).zone, now_utc())


def show_step(
    visit: Visit, step: str, draft: FilingDraft, at_fault: bool, **more: object
) -> Response:
    """The page of a step; `at_fault`: something that was sent is wrong."""
    return visit.show(
        f"filing_{step.replace('-', '_')}.html",
        422 if at_fault and visit.request.method == "POST" else 200,
        draft=draft,
        step=step,
        filing_words=filing_words,
        zone=str(site(visit.env).zone),
        **more,
    )


@page("GET", f"{OF_DRAFT}/person", "file case")
def ask_person(visit: Visit) -> Response:
    """Case number, pseudonym, dates, policy."""
    return _person(visit, own_draft(visit, "filing: person"), bool(visit.asked("look")))


def _person(visit: Visit, draft: FilingDraft, look: bool) -> Response:
    wrong = findings(visit, draft).person if look else {}
    zone = site(visit.env).zone
    return show_step(
        visit,
        "person",
        draft,
        bool(wrong),
        wrong=wrong,
        policies=[load_policy(name) for name in policy_names()],
        window=window_of(draft.onset, draft.sample, draft.policy, zone, now_utc()),
        no_end=NO_END,
    )


@page("POST", f"{OF_DRAFT}/person", "file case")
def keep_person(visit: Visit) -> Response:
    """Keep what was typed; on to the itinerary where nothing is wrong with it."""
    before = own_draft(visit)
    typed = {n: visit.sent(n).strip()[:200] for n in ("subject", "onset", "sample", "policy")}
    typed["case_id"] = visit.sent("case_id").strip().upper()[:200]
    draft = keep(visit, before, **typed)
    if findings(visit, draft).person:
        return _person(visit, draft, look=True)
    return visit.go(f"{PATH}/{draft.draft_id}/itinerary")


def keep(visit: Visit, before: FilingDraft, **fields: object) -> FilingDraft:
    """The draft with what was typed; as it was where that says the same."""
    if all(getattr(before, name) == value for name, value in fields.items()) and before.revision:
        drafts.check_stage(before, "open")
        return before
    names = " ".join(sorted(fields))
    audit(visit.env, "draft", case_id=before.draft_id, reason=f"changed: {names}")
    return drafts.change(visit.env, before.draft_id, **fields)


@page("GET", f"{OF_DRAFT}/window", "file case")
def show_window(visit: Visit) -> Response:
    """The infectious window of dates that are being typed."""
    own_draft(visit)
    zone = site(visit.env).zone
    asked = [visit.asked(name) for name in ("onset", "sample", "policy")]
    found = window_of(asked[0], asked[1], asked[2], zone, now_utc())
    return visit.show("filing_window.html", window=found, no_end=NO_END)


@page("GET", f"{OF_DRAFT}/hand-over", "file case")
def ask_hand_over(visit: Visit) -> Response:
    """All that is filed, what is still wrong with it, and to whom it goes."""
    return _hand_over(visit, own_draft(visit, "filing: summary"))


def _hand_over(visit: Visit, draft: FilingDraft, problem: str = "") -> Response:
    found = findings(visit, draft)
    zone = site(visit.env).zone
    return show_step(
        visit,
        "hand-over",
        draft,
        bool(problem),
        problem=problem,
        found=found,
        request=found.request,
        policy=load_policy(draft.policy) if draft.policy in policy_names() else None,
        window=window_of(draft.onset, draft.sample, draft.policy, zone, now_utc()),
        no_end=NO_END,
        officers=_named(visit, "consent-officer"),
        approvers=_named(visit, "approver"),
        days=visit.env.settings.retention.draft_days,
    )


def _named(visit: Visit, role: str) -> list[str]:
    return [account.name for account in visit.desk.accounts.all() if role in account.roles]


@page("POST", f"{OF_DRAFT}/hand-over", "file case")
def hand_over(visit: Visit) -> Response:
    """Give it to the two who sign, the consent officer first."""
    draft = own_draft(visit)
    officer = visit.sent("officer")
    approver = visit.sent("approver")
    if findings(visit, draft).request is None:
        return _hand_over(visit, draft, visit.text("Something is still to be put right."))
    if officer not in _named(visit, "consent-officer") or approver not in _named(visit, "approver"):
        return _hand_over(
            visit, draft, visit.text("Choose who signs the consent and who approves.")
        )
    if officer == approver:
        return _hand_over(
            visit, draft, visit.text("Two different people must sign: choose another.")
        )
    drafts.check_stage(draft, "open")
    audit(visit.env, "draft", case_id=draft.draft_id, reason="handed over to be signed")
    given = {"officer": officer, "approver": approver, "note": "", "offer": None, "consent": ""}
    drafts.step(visit.env, draft, "consent", **given)
    return visit.go(PATH)


@page("POST", f"{OF_DRAFT}/take-back", "file case")
def take_back(visit: Visit) -> Response:
    """Back from those who sign; what was signed does not count any more."""
    draft = own_draft(visit)
    audit(visit.env, "draft", case_id=draft.draft_id, reason="taken back")
    drafts.step(visit.env, draft, "open", offer=None, consent="")
    return visit.go(f"{PATH}/{draft.draft_id}/hand-over")


@page("POST", f"{OF_DRAFT}/delete", "file case")
def delete(visit: Visit) -> Response:
    """Destroy the draft, its pictures with it."""
    draft = own_draft(visit)
    try:
        receipt = drafts.destroy(visit.env, draft.draft_id, "given up by who began it")
    except Unfinished:
        heading = visit.text("The filing is destroyed: nobody can read it any more.")
        detail = visit.text("Some of it is still to be deleted: the next pass goes on.")
        return visit.problem(200, heading, detail)
    return visit.show("filing_gone.html", receipt=receipt)


def check_typed(text: str, most: int = 200) -> str:
    """A field as it is kept. Raises BadInput where it is longer than anything one types there."""
    if len(text) > most:
        raise BadInput(f"expected at most {most} characters in a field")
    return text.strip()
