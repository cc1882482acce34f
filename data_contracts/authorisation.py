"""Consent and approval, and the one type that allows a search.

`AuthorisedCase` can be made only by `tasks.consent.authorise.authorise`: its constructor asks for a
witness that only that module holds (the architecture tests check that nobody else touches it).
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from data_contracts.case import CaseRequest, Scope
from data_contracts.errors import NotAuthorised
from data_contracts.record import Record
from data_contracts.time import Interval, Utc

Role = Literal["consent", "approval"]
# An administrator signs changes of the list of trusted keys, and no token.
KeyRole = Literal["consent", "approval", "administrator"]
# What the list of tokens says of one: `unregistered` where it was never filed here.
Standing = Literal["usable", "unregistered", "spent", "withdrawn"]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Binding(Record):
    """What a token was signed for: HMAC-SHA-256 under the token's own `salt` (32 hex digits or
    more) of each reference picture, of the itinerary and of onset and sample.

    The salt is drawn anew for each token, so that equal pictures in two tokens cannot be seen.
    """

    salt: str = Field(pattern=r"^([0-9a-f]{2}){16,64}$")
    pictures: tuple[Digest, ...] = Field(min_length=1, max_length=100)
    itinerary: Digest
    window: Digest


class Limits(Record):
    """How far a search may go at most. An approval names them; the settings `grants.*` bound what
    it may name.

    `life_days` of a token, `span_days` of recorded time searched, `cameras` looked at, `runs` that
    read footage. 43 days: the longest infectious window of the policies that have an end (WHO, 15
    days) and the 28 days that a case is kept.
    """

    life_days: float = Field(default=43.0, gt=0, le=120)
    span_days: float = Field(default=43.0, gt=0, le=120)
    cameras: int = Field(default=200, ge=1, le=2000)
    runs: int = Field(default=10, ge=1, le=100)

    def exceeded_by(self, other: Limits) -> tuple[str, ...]:
        """Names of the limits that `other` sets wider than these."""
        return tuple(
            name for name in Limits.model_fields if getattr(other, name) > getattr(self, name)
        )


class Evidence(Record):
    """The subject's own sign: a digest of the form that they signed (HMAC-SHA-256 under the token's
    salt), or a signature by a key of their own over the consent's binding, or both.
    """

    form: Digest | None = None
    public_jwk: dict[str, str] | None = None
    signature: str | None = Field(default=None, max_length=2000)

    @model_validator(mode="after")
    def _something(self) -> Evidence:
        if (self.public_jwk is None) != (self.signature is None):
            raise ValueError("the subject's key and signature belong together")
        if self.form is None and self.signature is None:
            raise ValueError("evidence is a signed form's digest or the subject's own signature")
        return self


class Grant(Record):
    """The claims of a consent or approval token, after its signature was checked.

    `cameras` names camera ids; `("*",)` means every camera of the site. A grant may name an `area`
    instead, a ring of (longitude, latitude); `authorise` replaces it by the cameras that stand in
    it. `token_id` is the `jti` claim. An approval has `limits`, a consent may have `evidence`.
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
    binding: Binding
    limits: Limits | None = None
    evidence: Evidence | None = None
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
        if (self.limits is not None) != (self.role == "approval"):
            raise ValueError("an approval names limits; a consent does not")
        if self.evidence is not None and self.role != "consent":
            raise ValueError("evidence of the subject belongs to a consent")
        return self


class TrustedKey(Record):
    """A signer's public key (OKP Ed25519 as a JWK), the person it belongs to and what that person
    may sign.
    """

    key_id: str
    person: str
    roles: tuple[KeyRole, ...]
    public_jwk: dict[str, str]
    revoked_utc: Utc | None = None


class TrustedKeys(Record):
    """The administrator's file of public keys."""

    keys: tuple[TrustedKey, ...]


_WITNESS = object()


class AuthorisedCase:
    """Proof that consent and approval were checked for a case. Frozen; made only by `authorise()`.

    Attributes: `request`, `consent`, `approval`, `scopes` (granted by both), `span` (granted by
    both, and past when the case was filed), `limits` and `expires_utc` (the earlier of the two).
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

    def __init_subclass__(cls, **_: object) -> None:
        raise NotAuthorised("an AuthorisedCase has no subclasses: call authorise(...)")

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
        """The time that both consent and approval cover, up to when the case was filed: no live
        search.
        """
        return Interval(
            max(self.consent.from_utc, self.approval.from_utc),
            min(self.consent.to_utc, self.approval.to_utc, self.request.filed_utc),
        )

    @property
    def limits(self) -> Limits:
        """How far the approval lets the search go."""
        assert self.approval.limits is not None
        return self.approval.limits

    def allows_camera(self, camera_id: str) -> bool:
        """Whether both consent and approval name the camera."""
        return all(
            "*" in g.cameras or camera_id in g.cameras for g in (self.consent, self.approval)
        )
