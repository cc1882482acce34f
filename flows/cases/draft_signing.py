"""The two signatures of a case that is filed on the desk: what each is offered to sign, the token
that comes back, and the filing when both are there.

What is signed is what was shown: the server keeps the token but for its signature, of one revision
of the draft, and takes a signature over those bytes alone. The private key is never here.
"""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from data_contracts.authorisation import Grant, Limits, Role, TrustedKey
from data_contracts.case import CaseRequest, Scope
from data_contracts.errors import BadInput, ModelUnavailable, NotAuthorised
from data_contracts.filing_draft import FilingDraft, Offer
from data_contracts.time import now_utc
from flows.cases import drafts
from flows.cases.assignment import assign
from flows.cases.destroy import Unfinished
from flows.cases.filing import Papers, file_case
from flows.cases.signing import check_draft
from flows.runtime.audit import audit, one_line, refusals_written
from flows.runtime.environment import Environment, models, site, trusted_keys
from infra.token_list import id_of
from models.registry import Models
from tasks.consent.authorise import authorise
from tasks.consent.binding import bind_request, check_pictures, check_request
from tasks.consent.grant_token import GrantDraft, unsigned_grant, verify


class Wanted(NamedTuple):
    """What a signer says that a token allows. `limits` for an approval alone."""

    key: TrustedKey
    scopes: tuple[Scope, ...]
    cameras: tuple[str, ...]
    from_utc: datetime
    to_utc: datetime
    days: float
    legal_basis: str
    limits: Limits | None = None


def signers(env: Environment, role: Role) -> list[TrustedKey]:
    """The trusted keys that may sign a token of this role now."""
    now = now_utc()
    return [
        key
        for key in trusted_keys(env).keys
        if role in key.roles and (key.revoked_utc is None or now < key.revoked_utc)
    ]


def offer(
    env: Environment, draft: FilingDraft, request: CaseRequest, role: Role, wanted: Wanted
) -> FilingDraft:
    """Make the claims that a signer will be shown, and keep them. Raises BadInput for what filing
    would refuse, while it can still be mended.
    """
    now = now_utc()
    asked = GrantDraft(
        role=role,
        case_id=request.case_id,
        subject=request.subject,
        scopes=wanted.scopes,
        cameras=wanted.cameras,
        from_utc=wanted.from_utc,
        to_utc=wanted.to_utc,
        legal_basis=wanted.legal_basis,
        expires_utc=now + timedelta(days=wanted.days),
        binding=bind_request(request, drafts.pictures_of(env, draft)),
        limits=wanted.limits,
    )
    check_draft(asked, now, env.settings.grants, site(env))
    unsigned = unsigned_grant(asked, wanted.key.person, wanted.key.key_id, now)
    made = Offer(role=role, revision=draft.revision, unsigned=unsigned)
    return drafts.step(env, draft, draft.stage, offer=made)


def mark_of(made: Offer) -> str:
    """What a page says of the offer that it shows."""
    return hashlib.sha256(made.unsigned.encode()).hexdigest()


def parts_of(token: str) -> tuple[str, str]:
    """Header and claims of a token, or of an offer, as the very texts that are signed."""
    header, claims = (_text(part) for part in token.split(".")[:2])
    return header, claims


def read(claims: str) -> dict[str, Any]:
    """What claims say. They were made or checked here."""
    found: dict[str, Any] = json.loads(claims)
    return found


def key_of(token: str) -> str:
    """The id of the key that signs an offer."""
    return str(json.loads(parts_of(token)[0])["kid"])


def _text(part: str) -> str:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode()


def take_signature(
    env: Environment, draft: FilingDraft, request: CaseRequest, role: Role, mark: str, sign: str
) -> str:
    """The token that a signature makes of the offer that was shown. Raises BadInput where another
    was shown, NotAuthorised where the signature is not over it or not by its key.
    """
    made = draft.offer
    if made is None or made.role != role or made.revision != draft.revision:
        raise BadInput("what you were shown was changed meanwhile: look at it again, then sign")
    if mark_of(made) != mark:
        raise BadInput("another page has offered something else since: look again, then sign")
    token = f"{made.unsigned}.{sign}"
    check_token(env, draft, request, role, token)
    return token


def check_token(
    env: Environment, draft: FilingDraft, request: CaseRequest, role: Role, token: str
) -> Grant:
    """A token for this draft, however it was signed. Raises NotAuthorised, which is written to the
    audit log, for every reason for which filing would.
    """
    with refusals_written(env, draft.draft_id):
        grant = verify(token, role, trusted_keys(env), now_utc())
        if grant.case_id != request.case_id:
            raise NotAuthorised(f"{role} refused: it was signed for another case")
        if grant.subject != request.subject:
            raise NotAuthorised(f"{role} refused: it was signed for another subject")
        check_request(grant, request)
        check_pictures(grant, drafts.pictures_of(env, draft))
        if env.tokens.before_filing(id_of(grant)) != "usable":
            raise NotAuthorised(f"{role} refused: it was used or withdrawn before")
        if role == "approval":
            _check_both(env, request, draft.consent, token)
    audit(
        env,
        "sign",
        case_id=draft.draft_id,
        papers=(one_line(f"{role}:{grant.token_id}"),),
        verified_by=(f"key:{grant.key_id}",),
        reason=role,
    )
    return grant


def _check_both(env: Environment, request: CaseRequest, consent: str, approval: str) -> None:
    authorise(
        request,
        consent,
        approval,
        trusted_keys(env),
        now_utc(),
        standing=lambda grant: env.tokens.before_filing(id_of(grant)),
        most=env.settings.grants,
        site=site(env),
    )


def file_draft(env: Environment, draft: FilingDraft, request: CaseRequest, approval: str) -> None:
    """File the case, let those who worked on it see it, and destroy the draft; a draft that is not
    gone at once goes with the next purge pass.

    Raises NotAuthorised or BadInput before anything is stored.
    """
    papers = Papers(request, draft.consent, approval, drafts.pictures_of(env, draft))
    file_case(env, papers, _models_at_hand(env))
    assign(env, request.case_id, {draft.author, draft.officer, draft.approver})
    try:
        drafts.destroy(env, draft.draft_id, "filed as a case")
    except Unfinished:
        return


def _models_at_hand(env: Environment) -> Models | None:
    try:
        return models(env)
    except ModelUnavailable:
        return None
