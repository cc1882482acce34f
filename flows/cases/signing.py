"""What is checked when somebody signs: everything that filing would refuse is refused here, while
the signer can still mend it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from data_contracts.authorisation import Binding, Evidence, Limits, Role, TrustedKeys
from data_contracts.camera import Site
from data_contracts.case import CASE_ID, Scope
from data_contracts.errors import BadInput
from data_contracts.record import Record
from tasks.consent.grant_token import sign_grant

_DAY = timedelta(days=1)


class GrantDraft(Record):
    """What somebody is about to sign. `limits` only for an approval, `evidence` only for a
    consent.
    """

    role: Role
    case_id: str
    subject: str
    scopes: tuple[Scope, ...]
    cameras: tuple[str, ...]
    from_utc: datetime
    to_utc: datetime
    legal_basis: str
    valid_days: float
    binding: Binding
    limits: Limits | None = None
    evidence: Evidence | None = None


def sign_draft(
    draft: GrantDraft,
    private_jwk: dict[str, str],
    now: datetime,
    most: Limits,
    site: Site | None,
    trusted: TrustedKeys | None,
) -> str:
    """The signed token. `site` and `trusted` are None where this machine has no store to ask.

    Raises BadInput with the field that is wrong and what to do.
    """
    if not CASE_ID.match(draft.case_id):
        raise BadInput(
            f"case {draft.case_id}: expected 3 to 40 capital letters, digits and hyphens, such as "
            "K-2026-0042"
        )
    _check_cameras(draft, site)
    _check_limits(draft, most)
    token = sign_grant(
        private_jwk,
        draft.role,
        draft.case_id,
        draft.subject,
        draft.scopes,
        draft.cameras,
        draft.from_utc,
        draft.to_utc,
        draft.legal_basis,
        now + draft.valid_days * _DAY,
        now,
        binding=draft.binding,
        limits=draft.limits,
        evidence=draft.evidence,
    )
    if trusted is not None:
        _check_key(draft, private_jwk, trusted, now)
    return token


def _check_cameras(draft: GrantDraft, site: Site | None) -> None:
    unknown = [c for c in draft.cameras if c != "*" and site is not None and c not in site.by_id]
    if unknown:
        raise BadInput(
            f"the site has no camera {', '.join(unknown)}: take the ids from its camera file"
        )


def _check_limits(draft: GrantDraft, most: Limits) -> None:
    named = draft.limits or most
    wider = most.exceeded_by(named)
    if wider:
        raise BadInput(
            f"{', '.join(wider)}: more than this installation allows (settings grants.*)"
        )
    if draft.valid_days > named.life_days:
        raise BadInput(
            f"--valid-days {draft.valid_days:g}: at most {named.life_days:g} days are allowed"
        )
    if (draft.to_utc - draft.from_utc) / _DAY > named.span_days:
        raise BadInput(
            f"--from to --to: at most {named.span_days:g} days of recordings are allowed"
        )


def _check_key(
    draft: GrantDraft, private_jwk: dict[str, str], trusted: TrustedKeys, now: datetime
) -> None:
    entry = next((k for k in trusted.keys if k.key_id == private_jwk.get("kid")), None)
    if entry is None:
        raise BadInput("this key is not among the trusted keys: an administrator adds it first")
    if draft.role not in entry.roles:
        raise BadInput(
            f"this key may sign {' and '.join(entry.roles)} only; this is a token of {draft.role}"
        )
    if entry.revoked_utc is not None and now >= entry.revoked_utc:
        raise BadInput("this key was revoked: sign with another")
