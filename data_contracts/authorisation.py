"""Consent and approval, and the one type that allows a search.

`AuthorisedCase` can be made only by `tasks.consent.authorise.authorise`: its constructor asks for a
witness that only that module holds (the architecture tests check that nobody else touches it).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field, model_validator

from data_contracts.case import CaseRequest, Scope
from data_contracts.errors import NotAuthorised
from data_contracts.record import Record
from data_contracts.time import Interval, Utc

Role = Literal["consent", "approval"]


class Grant(Record):
    """The claims of a consent or approval token, after its signature was checked.

    `cameras` names camera ids; `("*",)` means every camera of the site. A grant may name an `area`
    instead, a ring of (longitude, latitude); `authorise` replaces it by the cameras that stand in
    it. `token_id` is the `jti` claim.
    """

    role: Role
    token_id: str
    case_id: str
    subject: str
    scopes: tuple[Scope, ...] = Field(min_length=1)
    cameras: tuple[str, ...] = ()
    area: tuple[tuple[float, float], ...] = ()
    from_utc: Utc
    to_utc: Utc
    legal_basis: str
    issued_utc: Utc
    not_before_utc: Utc
    expires_utc: Utc
    signer: str
    key_id: str

    @model_validator(mode="after")
    def _ordered(self) -> Grant:
        if self.to_utc <= self.from_utc or self.expires_utc <= self.not_before_utc:
            raise ValueError("a grant's times must be in order")
        if not self.cameras and len(self.area) < 3:
            raise ValueError("a grant names cameras, or an area of at least three corners")
        if not all(-180 <= lon <= 180 and -90 <= lat <= 90 for lon, lat in self.area):
            raise ValueError("an area's corners are longitude and latitude in degrees")
        return self


class TrustedKey(Record):
    """A signer's public key (OKP Ed25519 as a JWK), the person it belongs to and what that person
    may sign.
    """

    key_id: str
    person: str
    roles: tuple[Role, ...]
    public_jwk: dict[str, str]
    revoked_utc: Utc | None = None


class TrustedKeys(Record):
    """The administrator's file of public keys."""

    keys: tuple[TrustedKey, ...]


_WITNESS = object()


class AuthorisedCase:
    """Proof that consent and approval were checked for a case. Frozen; made only by `authorise()`.

    Attributes: `request`, `consent`, `approval`, `scopes` (granted by both), `span` (granted by
    both) and `expires_utc` (the earlier of the two).
    """

    __slots__ = ("approval", "consent", "request")

    request: CaseRequest
    consent: Grant
    approval: Grant

    def __init__(
        self, witness: object, request: CaseRequest, consent: Grant, approval: Grant
    ) -> None:
        if witness is not _WITNESS:
            raise NotAuthorised(
                "an AuthorisedCase is made only by authorise(request, consent, approval, ...)"
            )
        object.__setattr__(self, "request", request)
        object.__setattr__(self, "consent", consent)
        object.__setattr__(self, "approval", approval)

    def __setattr__(self, name: str, value: object) -> None:
        raise NotAuthorised("an AuthorisedCase cannot be changed")

    def __reduce__(self) -> str | tuple[Any, ...]:
        raise NotAuthorised(
            "an AuthorisedCase does not travel between processes: send the tokens and authorise "
            "there"
        )

    @property
    def case_id(self) -> str:
        """The case's id."""
        return self.request.case_id

    @property
    def scopes(self) -> frozenset[Scope]:
        """Searches that both consent and approval name."""
        return frozenset(self.consent.scopes) & frozenset(self.approval.scopes)

    @property
    def expires_utc(self) -> datetime:
        """When the first of consent and approval expires; nothing may be searched from then on."""
        return min(self.consent.expires_utc, self.approval.expires_utc)

    @property
    def span(self) -> Interval:
        """The time that both consent and approval cover."""
        return Interval(
            max(self.consent.from_utc, self.approval.from_utc),
            min(self.consent.to_utc, self.approval.to_utc),
        )

    def allows_camera(self, camera_id: str) -> bool:
        """Whether both consent and approval name the camera."""
        return all(
            "*" in g.cameras or camera_id in g.cameras for g in (self.consent, self.approval)
        )
