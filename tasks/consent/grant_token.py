"""Consent and approval as signed tokens: JWS compact (RFC 7515) with EdDSA over Ed25519 (RFC 8037).

The header's `typ` tells a consent from an approval, so neither passes for the other. The key is
looked up by the header's `kid` (the key's RFC 7638 thumbprint) in the administrator's file and
nowhere else. A refusal never repeats what a token said: it may hold personal data, or what an
attacker wants to see in a log.
"""

from __future__ import annotations

import base64
import json
import secrets
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from pydantic import ValidationError

from data_contracts.authorisation import (
    Binding,
    Evidence,
    Grant,
    KeyRole,
    Limits,
    Role,
    TrustedKey,
    TrustedKeys,
)
from data_contracts.case import Scope
from data_contracts.errors import BadInput, NotAuthorised
from data_contracts.number import read_number
from data_contracts.record import first_fault
from data_contracts.signature import ALGORITHM
from data_contracts.time import parse_utc
from tasks.consent.jws import PUBLIC_MEMBERS, ed25519_key, key_id_of, signed_payload

TYPES: dict[Role, str] = {"consent": "encounter-consent+jws", "approval": "encounter-approval+jws"}
CLAIM = "encounter"
MAX_TOKEN_CHARS = (
    65_536  # a grant that lists a thousand cameras has about 20 000; a longer text is not one
)
_SHORT_ID = 8
# What reading JSON of another shape than a grant's may raise (found by tests/fuzz).
_NO_CLAIMS = (
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
    OverflowError,
    OSError,
    RecursionError,
    BadInput,
)

# RFC 9864 renames the algorithm to "Ed25519"; signers in use still write "EdDSA". The curve is
# fixed by the key here.
warnings.filterwarnings("ignore", message="EdDSA is deprecated")


def generate_key(person: str, roles: tuple[KeyRole, ...]) -> tuple[dict[str, str], TrustedKey]:
    """A new Ed25519 key: the private JWK (with the person in `person`) and the public entry for the
    trusted keys.

    Raises BadInput when no person or no role is given.
    """
    if (
        not person.strip()
        or not roles
        or any(role not in (*TYPES, "administrator") for role in roles)
    ):
        raise BadInput(
            "a signing key needs a person and at least one role out of consent, approval and "
            "administrator"
        )
    key = OKPKey.generate_key("Ed25519")
    full = {k: str(v) for k, v in key.as_dict(private=True).items()}
    public = {k: full[k] for k in PUBLIC_MEMBERS}
    trusted = TrustedKey(key_id=key.thumbprint(), person=person, roles=roles, public_jwk=public)
    own = {"kid": trusted.key_id, "person": person, "roles": " ".join(roles)}
    return {**full, **own}, trusted


@dataclass(frozen=True, kw_only=True)
class GrantDraft:
    """What somebody is about to sign; nothing is checked yet. Times are aware.

    `cameras` or `area`, a ring of (longitude, latitude). `limits` only for an approval (None: the
    default ones), `evidence` only for a consent. `not_before` None: from the time of signing.
    `token_id` None: a random one.
    """

    role: Role
    case_id: str
    subject: str
    scopes: tuple[Scope, ...]
    cameras: tuple[str, ...]
    from_utc: datetime
    to_utc: datetime
    legal_basis: str
    expires_utc: datetime
    binding: Binding
    limits: Limits | None = None
    evidence: Evidence | None = None
    not_before: datetime | None = None
    token_id: str | None = None
    area: tuple[tuple[float, float], ...] = ()


def sign_grant(private_jwk: dict[str, str], draft: GrantDraft, now: datetime) -> str:
    """Sign a consent or approval. The token's own times are whole seconds (its start rounded down).

    Raises BadInput for a grant that `verify` would refuse for its form, or a key that cannot sign
    this role.
    """
    key, person = _private_key(private_jwk, draft.role)
    unsigned = unsigned_grant(draft, person, key.thumbprint(), now)
    private = key.private_key
    assert isinstance(private, Ed25519PrivateKey)
    return f"{unsigned}.{_base64url(private.sign(unsigned.encode()))}"


def unsigned_grant(draft: GrantDraft, person: str, key_id: str, now: datetime) -> str:
    """A consent or approval but for its signature: header and claims of its compact form (RFC 7515,
    5.1), which are the bytes that its signer's key signs, wherever that key is.

    Raises BadInput for a grant that `verify` would refuse for its form.
    """
    if draft.area and draft.cameras:
        raise BadInput("a grant names either cameras or an area, not both")
    claims = _claims(draft, person, now)
    try:
        _grant(claims, key_id)
    except (ValidationError, KeyError, TypeError, ValueError, BadInput) as error:
        raise BadInput(f"this grant cannot be signed: {_what(error)}") from None
    header = {"alg": ALGORITHM, "typ": TYPES[draft.role], "kid": key_id}
    return ".".join(_base64url(json.dumps(part).encode()) for part in (header, claims))


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _claims(draft: GrantDraft, person: str, now: datetime) -> dict[str, Any]:
    """What the token says: RFC 7519's registered claims and our own."""
    limits = draft.limits or (Limits() if draft.role == "approval" else None)
    evidence = draft.evidence
    start = draft.not_before or now
    where = {"area": _polygon(draft.area)} if draft.area else {"cameras": list(draft.cameras)}
    return {
        "iss": person,
        "sub": draft.subject,
        "jti": draft.token_id or secrets.token_urlsafe(16),
        "iat": int(now.timestamp()),
        "nbf": int(start.timestamp()),
        "exp": int(draft.expires_utc.timestamp()),
        CLAIM: {
            "role": draft.role,
            "case": draft.case_id,
            "scopes": list(draft.scopes),
            "from": draft.from_utc.astimezone(UTC).isoformat(),
            "to": draft.to_utc.astimezone(UTC).isoformat(),
            "legal_basis": draft.legal_basis,
            "binding": draft.binding.model_dump(mode="json"),
            **({"limits": limits.model_dump(mode="json")} if limits else {}),
            **({"evidence": evidence.model_dump(exclude_none=True)} if evidence else {}),
            **where,
        },
    }


def read_trusted_keys(text: str | bytes) -> TrustedKeys:
    """Read the administrator's public keys: JSON `{"keys": [{key_id, person, roles, public_jwk,
    revoked_utc}]}`.

    Raises BadInput for a private key, a key id that is not the key's thumbprint, or a key listed
    twice.
    """
    try:
        trusted = TrustedKeys.model_validate_json(text)
    except ValidationError as error:
        raise BadInput(f"trusted keys cannot be read: {_what(error)}") from None
    for number, entry in enumerate(trusted.keys, start=1):
        if "d" in entry.public_jwk:
            raise BadInput(f"trusted key {number} holds a private key; list only kty, crv and x")
        try:
            thumbprint = ed25519_key(entry.public_jwk).thumbprint()
        except (ValueError, JoseError, KeyError, TypeError):
            raise BadInput(
                f"trusted key {number} is not an Ed25519 public key (JWK with kty OKP, crv, x)"
            ) from None
        if thumbprint != entry.key_id:
            raise BadInput(f"trusted key {number}: key_id must be the key's RFC 7638 thumbprint")
    if len({entry.key_id for entry in trusted.keys}) != len(trusted.keys):
        raise BadInput("trusted keys list the same key twice; one key belongs to one person")
    return trusted


def revoked(trusted: TrustedKeys, key_id: str, at: datetime) -> TrustedKeys:
    """The trusted keys with one of them revoked from `at` on; a key that was revoked earlier stays
    so.

    `key_id` may be cut short (8 characters or more). Raises BadInput where it names no key, or
    several.
    """
    found = (
        [k for k in trusted.keys if k.key_id.startswith(key_id)] if len(key_id) >= _SHORT_ID else []
    )
    if len(found) != 1:
        raise BadInput(
            f"{key_id}: expected the id of one trusted key, 8 characters or more, found "
            f"{len(found)}: encounter keys list"
        )
    since = min(at, found[0].revoked_utc) if found[0].revoked_utc else at
    entry = found[0].model_copy(update={"revoked_utc": since})
    return TrustedKeys(keys=tuple(entry if k.key_id == entry.key_id else k for k in trusted.keys))


def verify(text: str | None, role: Role, trusted_keys: TrustedKeys, now: datetime) -> Grant:
    """The claims of a token whose signature, signer, role and times were checked. Raises
    NotAuthorised otherwise.
    """
    if not text or not text.strip():
        raise NotAuthorised(f"{role} missing: a signed {role} token is needed")
    if len(text) > MAX_TOKEN_CHARS:
        raise NotAuthorised(f"{role} refused: too long to be a token")
    entry, payload = _checked_signature(text.strip(), role, trusted_keys)
    try:
        claims = json.loads(payload)
        if claims[CLAIM]["role"] != role or claims["iss"] != entry.person:
            raise NotAuthorised(f"{role} refused: its signer or role is not what its key is for")
        grant = _grant(claims, entry.key_id)
    except _NO_CLAIMS:
        raise NotAuthorised(
            f"{role} refused: signed, but its claims are not those of a {role}"
        ) from None
    _check_times(grant, entry, now)
    return grant


def claimed_id(text: str) -> tuple[str, str, datetime] | None:
    """Signer's key, `jti` and expiry as a token says, or None. Nothing is checked: this is read
    only to end a case, never to allow one.
    """
    try:
        found = jws.extract_compact(text.strip().encode())
        claims = json.loads(found.payload or b"")
        expires = datetime.fromtimestamp(claims["exp"], UTC)
        return str(found.headers()["kid"]), str(claims["jti"]), expires
    except (JoseError, *_NO_CLAIMS):
        return None


def _checked_signature(
    text: str, role: Role, trusted_keys: TrustedKeys
) -> tuple[TrustedKey, bytes]:
    try:
        key_id = key_id_of(text, TYPES[role])
        entry = next((k for k in trusted_keys.keys if k.key_id == key_id), None)
        if entry is None:
            raise NotAuthorised("its key is not among the trusted keys")
        if role not in entry.roles:
            raise NotAuthorised(f"its key may not sign a {role}")
        return entry, signed_payload(text, entry.public_jwk)
    except NotAuthorised as error:
        raise NotAuthorised(f"{role} refused: {error}") from None


def _check_times(grant: Grant, entry: TrustedKey, now: datetime) -> None:
    role = grant.role
    if entry.revoked_utc is not None and max(now, grant.issued_utc) >= entry.revoked_utc:
        raise NotAuthorised(f"{role} refused: its key was revoked")
    if now < grant.not_before_utc or now < grant.issued_utc:
        raise NotAuthorised(f"{role} refused: not yet valid")
    if now >= grant.expires_utc:
        raise NotAuthorised(f"{role} refused: expired; a new one must be signed")


def _grant(claims: dict[str, Any], key_id: str) -> Grant:
    own = claims[CLAIM]
    ring = own["area"]["coordinates"][0] if "area" in own else ()
    if ("area" in own) == ("cameras" in own) or (
        "area" in own and own["area"]["type"] != "Polygon"
    ):
        raise ValueError("expected either cameras or an area that is a GeoJSON Polygon")
    return Grant(
        role=own["role"],
        token_id=claims["jti"],
        case_id=own["case"],
        subject=claims["sub"],
        scopes=tuple(own["scopes"]),
        cameras=tuple(own.get("cameras", ())),
        area=tuple((read_number(lon), read_number(lat)) for lon, lat in ring),
        from_utc=parse_utc(own["from"], "from"),
        to_utc=parse_utc(own["to"], "to"),
        legal_basis=own["legal_basis"],
        issued_utc=datetime.fromtimestamp(claims["iat"], UTC),
        not_before_utc=datetime.fromtimestamp(claims["nbf"], UTC),
        expires_utc=datetime.fromtimestamp(claims["exp"], UTC),
        binding=Binding.model_validate(own["binding"]),
        limits=Limits.model_validate(own["limits"]) if "limits" in own else None,
        evidence=Evidence.model_validate(own["evidence"]) if "evidence" in own else None,
        signer=claims["iss"],
        key_id=key_id,
    )


def _polygon(area: tuple[tuple[float, float], ...]) -> dict[str, Any]:
    ring = [list(point) for point in area]
    return {"type": "Polygon", "coordinates": [ring if ring[0] == ring[-1] else [*ring, ring[0]]]}


def _private_key(private_jwk: dict[str, str], role: Role) -> tuple[OKPKey, str]:
    try:
        if private_jwk["crv"] != "Ed25519":
            raise ValueError("expected an Ed25519 key")
        key = OKPKey.import_key({k: private_jwk[k] for k in (*PUBLIC_MEMBERS, "d")})
        person = private_jwk["person"]
        roles = private_jwk.get("roles", role).split()
    except (KeyError, ValueError, TypeError, AttributeError, JoseError):
        raise BadInput(
            "expected a private Ed25519 JWK with kty, crv, x, d and person, as generate_key makes"
        ) from None
    if role not in roles:
        raise BadInput(f"this key may sign {' and '.join(roles)} only; this is a token of {role}")
    return key, person


def _what(error: Exception) -> str:
    """Where a record is wrong, without the value that was wrong."""
    if isinstance(error, ValidationError):
        return first_fault(error)
    return str(error)
