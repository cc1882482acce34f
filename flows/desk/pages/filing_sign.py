"""Consent and approval of a case that is filed: what the token will allow and what not, in words;
the signature, made in the signer's browser; or a token that was signed on the command line.
"""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, time, timedelta, tzinfo
from functools import partial
from typing import Any

from starlette.responses import Response

from data_contracts.authorisation import Role
from data_contracts.case import CaseRequest, Scope
from data_contracts.errors import BadInput, NotAuthorised, NotFound
from data_contracts.filing_draft import FilingDraft
from data_contracts.number import read_number
from data_contracts.policies import load_policy
from data_contracts.time import now_utc, parse_utc
from flows.cases import draft_signing, drafts
from flows.cases.draft_request import window_of
from flows.cases.draft_signing import Wanted
from flows.desk import filing_words
from flows.desk.acts import Act
from flows.desk.page import page
from flows.desk.pages.filing import OF_DRAFT, PATH, findings, seen_draft
from flows.desk.visit import Visit
from flows.runtime.audit import audit
from flows.runtime.environment import site
from tasks.consent.grant_token import MAX_TOKEN_CHARS
from tasks.search.anchor import NO_END
from tasks.search.typed_time import TypedTime, read_time

_ACTS: dict[Role, Act] = {"consent": "sign consent", "approval": "sign approval"}
_DAYS = "14"
_TOKEN_BYTES = 256 * 1024
_ONE_DAY = timedelta(days=1)
_SCOPES: tuple[Scope, ...] = ("face", "appearance")


def _turn(visit: Visit, role: Role, look: str = "") -> FilingDraft:
    """The draft of the address, for the account whose turn it is. Raises NotFound for any other,
    BadInput where it is at another step.
    """
    draft = seen_draft(visit, look)
    if visit.name != {"consent": draft.officer, "approval": draft.approver}[role]:
        raise NotFound("there is no such draft")
    drafts.check_stage(draft, role)
    if draft.officer == draft.approver:
        raise NotAuthorised("two different people must sign: take the filing back")
    return draft


def _request(visit: Visit, draft: FilingDraft) -> CaseRequest:
    """What is filed. Raises BadInput where something is wrong with it by now."""
    request = findings(visit, draft).request
    if request is None:
        raise BadInput("something is wrong with this filing by now: send it back")
    return request


def show(visit: Visit, role: Role) -> Response:
    """What is filed, and what there is to sign."""
    return _shown(visit, role, _turn(visit, role, f"filing: {role}"))


def _shown(visit: Visit, role: Role, draft: FilingDraft, problem: str = "") -> Response:
    request = _request(visit, draft)
    zone = site(visit.env).zone
    window = window_of(draft.onset, draft.sample, draft.policy, zone, now_utc())
    made = draft.offer if draft.offer and draft.offer.role == role else None
    shown = made if not visit.asked("change") else None
    header, claims = draft_signing.parts_of(shown.unsigned) if shown else ("", "")
    return visit.show(
        "filing_sign.html",
        422 if problem else 200,
        role=role,
        draft=draft,
        request=request,
        problem=problem,
        policy=load_policy(draft.policy),
        window=window,
        no_end=NO_END,
        zone=str(zone),
        filing_words=filing_words,
        typed=_typed(visit, role, draft, zone),
        keys=draft_signing.signers(visit.env, role),
        cameras=site(visit.env).cameras,
        most=visit.env.settings.grants,
        mark=draft_signing.mark_of(shown) if shown else "",
        header=header,
        claims=claims,
        says=_says(claims, site(visit.env).by_id) if shown else None,
        consent=_says(draft_signing.parts_of(draft.consent)[1], site(visit.env).by_id)
        if draft.consent
        else None,
        key_id=draft_signing.key_of(shown.unsigned) if shown else "",
    )


def _says(claims: str, known: Any) -> dict[str, Any]:
    """What claims say, for words."""
    said = draft_signing.read(claims)
    own = said["encounter"]
    cameras = own.get("cameras", ())
    return {
        "signer": said["iss"],
        "scopes": tuple(own["scopes"]),
        "all_cameras": "*" in cameras,
        "cameras": [known[c].name or c if c in known else c for c in cameras if c != "*"],
        "area": "area" in own,
        "from": parse_utc(own["from"]),
        "to": parse_utc(own["to"]),
        "expires": datetime.fromtimestamp(said["exp"], UTC),
        "basis": own["legal_basis"],
        "limits": own.get("limits"),
    }


def _typed(visit: Visit, role: Role, draft: FilingDraft, zone: tzinfo) -> dict[str, Any]:
    """What stands in the fields: what was sent, else what the consent says, else what the case
    needs: searched by the face, on all cameras, in the infectious time that is past.
    """
    most = visit.env.settings.grants
    window = window_of(draft.onset, draft.sample, draft.policy, zone, now_utc())
    first = window.start_utc.astimezone(zone) if window else now_utc().astimezone(zone)
    last = min(window.end_utc if window else now_utc(), now_utc()) - timedelta(seconds=1)
    typed: dict[str, Any] = {
        "scope": ["face"],
        "camera": ["*"],
        "from": f"{first:%Y-%m-%d}",
        "to": f"{last.astimezone(zone):%Y-%m-%d}",
        "days": _DAYS,
        "basis": "",
        "key": "",
        "max_cameras": str(most.cameras),
        "max_runs": str(most.runs),
    }
    if role == "approval" and draft.consent:
        said = draft_signing.read(draft_signing.parts_of(draft.consent)[1])["encounter"]
        until = parse_utc(said["to"]).astimezone(zone) - timedelta(seconds=1)
        typed |= {
            "scope": said["scopes"],
            "camera": said.get("cameras", ["*"]),
            "from": f"{parse_utc(said['from']).astimezone(zone):%Y-%m-%d}",
            "to": f"{until:%Y-%m-%d}",
            "basis": said["legal_basis"],
        }
    if visit.request.method == "POST" and "basis" in visit.form:
        lists = {name: list(visit.form.get(name, ())) for name in ("scope", "camera")}
        typed |= {name: visit.sent(name) for name in typed if name not in lists} | lists
    return typed


def make_offer(visit: Visit, role: Role) -> Response:
    """Make the claims that are signed, of what the signer says that they allow."""
    draft = _turn(visit, role)
    try:
        draft_signing.offer(visit.env, draft, _request(visit, draft), role, _wanted(visit, role))
    except BadInput as error:
        return _shown(visit, role, draft.model_copy(update={"offer": None}), str(error))
    return visit.go(f"{PATH}/{draft.draft_id}/{role}")


def _wanted(visit: Visit, role: Role) -> Wanted:
    """What the form says. Raises BadInput with the field that is wrong."""
    keys = draft_signing.signers(visit.env, role)
    key = next((k for k in keys if k.key_id == visit.sent("key")), None)
    if key is None:
        raise BadInput(visit.text("Choose whose key signs."))
    if not visit.sent("basis").strip():
        raise BadInput(visit.text("Give the legal basis."))
    scopes = tuple(scope for scope in _SCOPES if scope in visit.form.get("scope", ()))
    cameras = tuple(visit.form.get("camera", ()))[:2000]
    if not scopes or not cameras:
        raise BadInput(visit.text("Choose at least one kind of search and one camera."))
    zone = site(visit.env).zone
    most = visit.env.settings.grants
    limits = None
    if role == "approval":
        numbers = {n: int(_number(visit, f"max_{n}")) for n in ("cameras", "runs")}
        limits = most.model_validate({**most.model_dump(), **numbers})
    return Wanted(
        key=key,
        scopes=scopes,
        cameras=("*",) if "*" in cameras else cameras,
        from_utc=_midnight(visit, "from", zone),
        to_utc=_midnight(visit, "to", zone, after=True),
        days=_number(visit, "days"),
        legal_basis=visit.sent("basis").strip()[:500],
        limits=limits,
    )


def _number(visit: Visit, name: str) -> float:
    try:
        found = read_number(visit.sent(name))
    except ValueError:
        found = 0.0
    if not 0 < found <= 2000:
        raise BadInput(visit.text("Give a number above 0."))
    return found


def _midnight(visit: Visit, name: str, zone: tzinfo, after: bool = False) -> datetime:
    """The beginning of a day in the zone, or its end."""
    read = read_time(visit.sent(name))
    if not isinstance(read, TypedTime) or read.day is None:
        raise BadInput(visit.text("Give the first and the last day that may be searched."))
    return datetime.combine(read.day + _ONE_DAY * after, time.min).replace(tzinfo=zone)


def take_signature(visit: Visit, role: Role) -> Response:
    """The signature that the browser made over what this page shows."""
    draft = _turn(visit, role)
    sent = (visit.sent("mark"), visit.sent("signature"))
    try:
        request = _request(visit, draft)
        token = draft_signing.take_signature(visit.env, draft, request, role, *sent)
        return _signed(visit, role, draft, request, token)
    except (BadInput, NotAuthorised) as error:
        return _shown(visit, role, draft, str(error))


def take_token(visit: Visit, role: Role) -> Response:
    """A token that was signed on the command line, pasted or as a file."""
    draft = _turn(visit, role)
    files = visit.files.get("file", [])
    given = files[0].data.decode("ascii", "replace") if files else visit.sent("token")
    try:
        request = _request(visit, draft)
        token = "".join(given.split())[: MAX_TOKEN_CHARS + 1]
        draft_signing.check_token(visit.env, draft, request, role, token)
        return _signed(visit, role, draft, request, token)
    except (BadInput, NotAuthorised) as error:
        return _shown(visit, role, draft, str(error))


def _signed(
    visit: Visit, role: Role, draft: FilingDraft, request: CaseRequest, token: str
) -> Response:
    """On: the consent goes to the approver, the approval files the case."""
    if role == "consent":
        drafts.step(visit.env, draft, "approval", consent=token, offer=None)
        return visit.go(PATH)
    drafts.check_same(draft, drafts.read(visit.env, draft.draft_id))
    draft_signing.file_draft(visit.env, draft, request, token)
    return visit.go(f"/cases/{request.case_id}")


def send_back(visit: Visit, role: Role) -> Response:
    """To the author again, who is told why."""
    draft = _turn(visit, role)
    audit(visit.env, "draft", case_id=draft.draft_id, reason="sent back")
    note = visit.sent("note").strip()[:500]
    drafts.step(visit.env, draft, "open", note=note, offer=None, consent="")
    return visit.go(PATH)


for _role, _act in _ACTS.items():
    _at = f"{OF_DRAFT}/{_role}"
    page("GET", _at, _act)(partial(show, role=_role))
    page("POST", f"{_at}/offer", _act)(partial(make_offer, role=_role))
    page("POST", f"{_at}/sign", _act)(partial(take_signature, role=_role))
    page("POST", f"{_at}/token", _act, _TOKEN_BYTES, files=True)(partial(take_token, role=_role))
    page("POST", f"{_at}/send-back", _act)(partial(send_back, role=_role))


@page("GET", f"{OF_DRAFT}/itinerary.csv", "see filings")
def send_itinerary(visit: Visit) -> Response:
    """The itinerary as it is filed, for who signs on the command line."""
    draft = seen_draft(visit, "itinerary.csv")
    rows = io.StringIO()
    table = csv.writer(rows)
    table.writerow(("place", "from", "to", "tolerance_min"))
    for claim in _request(visit, draft).itinerary:
        times = (claim.from_utc.isoformat(), claim.to_utc.isoformat())
        table.writerow((claim.place, *times, f"{claim.tolerance_s / 60:g}"))
    headers = {"content-disposition": 'attachment; filename="itinerary.csv"'}
    return Response(rows.getvalue(), 200, headers, "text/csv; charset=utf-8")
