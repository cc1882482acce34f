"""The one maker of an `AuthorisedCase`: consent and approval of one case, signed by two different
people.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from shapely.geometry import Polygon

from data_contracts.authorisation import (
    _WITNESS,
    AuthorisedCase,
    Grant,
    Limits,
    Standing,
    TrustedKeys,
)
from data_contracts.camera import Site
from data_contracts.case import CaseRequest, Scope
from data_contracts.errors import NotAuthorised
from data_contracts.time import Interval
from tasks.consent.binding import check_request
from tasks.consent.evidence import check_evidence
from tasks.consent.grant_token import verify
from tasks.consent.person_name import same_person

_DAY = timedelta(days=1)
_DEFAULT_LIMITS: Final = Limits()
_STANDINGS = {
    "unregistered": "the list of tokens does not have it: it was not filed here",
    "spent": "it was used for a case before; a new one must be signed",
    "withdrawn": "it was withdrawn: this case may not be searched any more",
}


def authorise(
    request: CaseRequest,
    consent: str | None,
    approval: str | None,
    trusted_keys: TrustedKeys,
    now: datetime,
    *,
    standing: Callable[[Grant], Standing],
    most: Limits = _DEFAULT_LIMITS,
    site: Site | None = None,
) -> AuthorisedCase:
    """Check both tokens and make the proof that a search is allowed.

    What is allowed is what *both* name: scopes, cameras and time, and nothing after the case was
    filed. `standing` says what the list of tokens knows of one; `most` is what the installation's
    settings let an approval name. `site` is needed only where a grant names an area; the area
    becomes the cameras that stand in it. Raises NotAuthorised with one line that never repeats a
    token.
    """
    consented = verify(consent, "consent", trusted_keys, now)
    approved = verify(approval, "approval", trusted_keys, now)
    _two_people(consented, approved)
    for grant in (consented, approved):
        if grant.case_id != request.case_id:
            raise NotAuthorised(f"{grant.role} refused: it was signed for another case")
        if grant.subject != request.subject:
            raise NotAuthorised(f"{grant.role} refused: it was signed for another subject")
        check_request(grant, request)
        _check_standing(grant, standing(grant))
    check_evidence(consented)
    _check_limits(consented, approved, most)
    if request.filed_utc > now:
        raise NotAuthorised("the case says that it was filed later than now: check the clocks")
    case = AuthorisedCase(_WITNESS, request, _located(consented, site), _located(approved, site))
    if not case.scopes:
        raise NotAuthorised("consent and approval have no search (face, appearance) in common")
    if case.span.start_utc >= case.span.end_utc:
        raise NotAuthorised(
            "consent and approval have no time in common that is past: only what was recorded "
            "before the case was filed is searched"
        )
    if not _common_cameras(case.consent, case.approval):
        raise NotAuthorised("consent and approval have no camera in common")
    return case


def _check_standing(grant: Grant, standing: Standing) -> None:
    if standing != "usable":
        raise NotAuthorised(f"{grant.role} refused: {_STANDINGS[standing]}")


def _check_limits(consent: Grant, approval: Grant, most: Limits) -> None:
    named = approval.limits
    assert named is not None
    wider = most.exceeded_by(named)
    if wider:
        raise NotAuthorised(
            f"approval refused: its {', '.join(wider)} is more than the settings grants.* allow"
        )
    for grant in (consent, approval):
        life = (grant.expires_utc - min(grant.issued_utc, grant.not_before_utc)) / _DAY
        if life > named.life_days:
            raise NotAuthorised(
                f"{grant.role} refused: it is valid for {life:.0f} days, at most "
                f"{named.life_days:g} are allowed"
            )
        span = (grant.to_utc - grant.from_utc) / _DAY
        if span > named.span_days:
            raise NotAuthorised(
                f"{grant.role} refused: it names {span:.0f} days of recordings, at most "
                f"{named.span_days:g} are allowed"
            )


def require(
    case: AuthorisedCase,
    scope: Scope | None = None,
    camera_id: str | None = None,
    interval: Interval | None = None,
) -> None:
    """Raise NotAuthorised where a scope, a camera or a stretch of time is more than consent and
    approval name.

    `interval` must lie wholly in the granted span. What is None is not asked about.
    """
    if not isinstance(case, AuthorisedCase):
        raise NotAuthorised(
            "expected an AuthorisedCase: call authorise(request, consent, approval, ...) first"
        )
    if scope is not None and scope not in case.scopes:
        raise NotAuthorised(f"searching by {scope} is not named by both consent and approval")
    if camera_id is not None and not case.allows_camera(camera_id):
        raise NotAuthorised(f"camera {camera_id} is not named by both consent and approval")
    if interval is not None and not (
        case.span.start_utc <= interval.start_utc and interval.end_utc <= case.span.end_utc
    ):
        raise NotAuthorised(
            "this stretch of time is not within what both consent and approval name"
        )


def _two_people(consent: Grant, approval: Grant) -> None:
    if consent.key_id == approval.key_id:
        raise NotAuthorised(
            "consent and approval were signed with the same key: two people must sign"
        )
    if same_person(consent.signer, approval.signer):
        raise NotAuthorised(
            "consent and approval were signed by the same person: two people must sign"
        )


def _located(grant: Grant, site: Site | None) -> Grant:
    """The grant with its area replaced by the cameras that stand in it."""
    if not grant.area:
        return grant
    if site is None:
        raise NotAuthorised(
            f"{grant.role} names an area: the site's cameras are needed to check it"
        )
    ring = Polygon([site.origin.to_local(lon, lat) for lon, lat in grant.area])
    if not ring.is_valid:
        raise NotAuthorised(f"{grant.role} refused: the border of its area crosses itself")
    inside = site.standing_in(ring)
    if not inside:
        raise NotAuthorised(f"{grant.role} names an area in which no camera stands")
    return grant.model_copy(update={"cameras": inside})


def _common_cameras(consent: Grant, approval: Grant) -> bool:
    a = set(consent.cameras)
    b = set(approval.cameras)
    return bool(a & b) or ("*" in a and bool(b)) or ("*" in b and bool(a))
