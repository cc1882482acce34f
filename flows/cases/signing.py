"""What is checked when somebody signs: everything that filing would refuse is refused here, while
the signer can still mend it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from data_contracts.authorisation import Limits, TrustedKeys
from data_contracts.camera import Site
from data_contracts.case import CASE_ID
from data_contracts.errors import BadInput
from tasks.consent.grant_token import GrantDraft, sign_grant

_ONE_DAY = timedelta(days=1)


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
    check_draft(draft, now, most, site)
    token = sign_grant(private_jwk, draft, now)
    if trusted is not None:
        _check_key(draft, private_jwk, trusted, now)
    return token


def check_draft(draft: GrantDraft, now: datetime, most: Limits, site: Site | None) -> None:
    """Raise BadInput for what filing would refuse whoever signs it."""
    if not CASE_ID.match(draft.case_id):
        raise BadInput(
            f"case {draft.case_id}: expected 3 to 40 capital letters, digits and hyphens, such as "
            "K-2026-0042"
        )
    _check_cameras(draft, site)
    _check_limits(draft, (draft.expires_utc - now) / _ONE_DAY, most)


def _check_cameras(draft: GrantDraft, site: Site | None) -> None:
    unknown = [c for c in draft.cameras if c != "*" and site is not None and c not in site.by_id]
    if unknown:
        raise BadInput(
            f"the site has no camera {', '.join(unknown)}: take the ids from its camera file"
        )


def _check_limits(draft: GrantDraft, valid_days: float, most: Limits) -> None:
    named = draft.limits or most
    wider = most.exceeded_by(named)
    if wider:
        raise BadInput(
            f"{', '.join(wider)}: more than this installation allows (settings grants.*)"
        )
    if valid_days > named.life_days:
        raise BadInput(f"--valid-days {valid_days:g}: at most {named.life_days:g} days are allowed")
    if (draft.to_utc - draft.from_utc) / _ONE_DAY > named.span_days:
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
