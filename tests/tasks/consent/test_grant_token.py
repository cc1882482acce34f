"""Tokens: signing, reading keys, and every way a token is refused for its form."""

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from grants import BINDING
from joserfc import jws
from joserfc.jwk import OctKey, OKPKey

from data_contracts.authorisation import TrustedKeys
from data_contracts.errors import BadInput, NotAuthorised
from tasks.consent.grant_token import (
    MAX_TOKEN_CHARS,
    GrantDraft,
    generate_key,
    read_trusted_keys,
    sign_grant,
    verify,
)

NOW = datetime(2026, 11, 17, 8, 0, tzinfo=UTC)
START = datetime(2026, 11, 14, tzinfo=UTC)
END = datetime(2026, 11, 18, tzinfo=UTC)
PRIVATE, PUBLIC = generate_key("Dr Kim", ("consent",))
KEYS = TrustedKeys(keys=(PUBLIC,))
SECRET_WORD = "subject-pseudonym-7"


def token(private=PRIVATE, role="consent", now=NOW, **changes):
    """A good consent, with changes."""
    given = {
        "case_id": "K-1-A",
        "subject": SECRET_WORD,
        "scopes": ("face",),
        "cameras": ("lobby",),
        "from_utc": START,
        "to_utc": END,
        "legal_basis": "GDPR Art. 9(2)(a)",
        "expires_utc": NOW + timedelta(days=7),
        "binding": BINDING,
        **changes,
    }
    return sign_grant(private, GrantDraft(role=role, **given), now)


def forged(header, claims, key, algorithm):
    """A token with any header."""
    return jws.serialize_compact(header, json.dumps(claims).encode(), key, algorithms=[algorithm])


def parts(text):
    """Header and claims, unchecked."""
    return [json.loads(base64.urlsafe_b64decode(p + "==")) for p in text.split(".")[:2]]


def test_round_trip():
    """What was signed is what is read back, to the second, with the key's person as signer."""
    grant = verify(token(), "consent", KEYS, NOW)
    assert (grant.subject, grant.case_id, grant.scopes, grant.cameras) == (
        SECRET_WORD,
        "K-1-A",
        ("face",),
        ("lobby",),
    )
    assert (grant.from_utc, grant.to_utc, grant.signer) == (START, END, "Dr Kim")
    assert grant.issued_utc == grant.not_before_utc == NOW
    assert grant.expires_utc == NOW + timedelta(days=7)
    assert grant.key_id == PUBLIC.key_id


def test_claims_are_the_documented_ones():
    """The standard claims are standard, ours are under one name, and the header says which kind of
    token it is.
    """
    header, claims = parts(token())
    assert header == {"alg": "EdDSA", "typ": "encounter-consent+jws", "kid": PUBLIC.key_id}
    assert set(claims) == {"iss", "sub", "jti", "iat", "nbf", "exp", "encounter"}
    assert set(claims["encounter"]) == {
        "role",
        "case",
        "scopes",
        "cameras",
        "from",
        "to",
        "legal_basis",
        "binding",
    }


def test_key_id_is_the_rfc_7638_thumbprint():
    """The thumbprint of RFC 8037 appendix A.3's key is the one printed there."""
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    key_id = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    text = json.dumps(
        {"keys": [{"key_id": key_id, "person": "A", "roles": ["consent"], "public_jwk": jwk}]}
    )
    assert read_trusted_keys(text).keys[0].key_id == key_id


def test_area_instead_of_cameras():
    """A grant may name a polygon; the ring is kept and closed."""
    ring = ((126.7, 37.5), (126.8, 37.5), (126.8, 37.6))
    grant = verify(token(cameras=(), area=ring), "consent", KEYS, NOW)
    assert grant.cameras == ()
    assert grant.area == (*ring, ring[0])


@pytest.mark.parametrize(
    "changes",
    [
        {"scopes": ()},
        {"scopes": ("gait",)},
        {"cameras": ()},
        {"to_utc": START},
        {"expires_utc": NOW},
        {"area": ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))},
    ],
)
def test_a_wrong_grant_is_not_signed(changes):
    """No scope, an unknown scope, no camera, times out of order, or both cameras and area: nothing
    is signed.
    """
    with pytest.raises(BadInput):
        token(**changes)


def test_a_public_key_cannot_sign():
    """Signing asks for the private part."""
    with pytest.raises(BadInput, match="private"):
        token(private=PUBLIC.public_jwk)


@pytest.mark.parametrize(
    "text", [None, "", "  ", "abc", "a.b.c", "é.é.é", "x" * (MAX_TOKEN_CHARS + 1)]
)
def test_no_token(text):
    """Nothing, noise and something endless are refused."""
    with pytest.raises(NotAuthorised):
        verify(text, "consent", KEYS, NOW)


@pytest.mark.parametrize("part", [0, 1, 2])
def test_tampered(part):
    """One changed character in header, payload or signature makes the token worthless."""
    pieces = token().split(".")
    middle = len(pieces[part]) // 2
    pieces[part] = (
        pieces[part][:middle]
        + ("A" if pieces[part][middle] != "A" else "B")
        + pieces[part][middle + 1 :]
    )
    with pytest.raises(NotAuthorised):
        verify(".".join(pieces), "consent", KEYS, NOW)


def test_alg_none():
    """An unsigned token is refused, with and without a leftover signature."""
    header, claims = parts(token())

    def encode(value: dict) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    for signature in ("", token().split(".")[2]):
        text = f"{encode({**header, 'alg': 'none'})}.{encode(claims)}.{signature}"
        with pytest.raises(NotAuthorised, match="algorithm"):
            verify(text, "consent", KEYS, NOW)


def test_public_key_as_hmac_secret():
    """The classic confusion: HS256 with the public key's bytes as the secret is refused by its
    algorithm.
    """
    header, claims = parts(token())
    secret = OctKey.import_key(PUBLIC.public_jwk["x"])
    text = forged({**header, "alg": "HS256"}, claims, secret, "HS256")
    with pytest.raises(NotAuthorised, match="algorithm"):
        verify(text, "consent", KEYS, NOW)


def test_key_inside_the_token_is_ignored():
    """A token that brings its own key in the header is refused."""
    own = OKPKey.generate_key("Ed25519")
    header, claims = parts(token())
    text = forged({**header, "jwk": own.as_dict(private=False)}, claims, own, "EdDSA")
    with pytest.raises(NotAuthorised):
        verify(text, "consent", KEYS, NOW)


def test_wrong_key():
    """Signed by a stranger's key, under the stranger's id or under a trusted one: refused."""
    private, public = generate_key("Dr Kim", ("consent",))
    with pytest.raises(NotAuthorised, match="trusted"):
        verify(token(private=private), "consent", KEYS, NOW)
    header, claims = parts(token())
    text = forged(
        {**header, "kid": PUBLIC.key_id},
        claims,
        OKPKey.import_key(dict(public.public_jwk, d=private["d"])),
        "EdDSA",
    )
    with pytest.raises(NotAuthorised, match="signature"):
        verify(text, "consent", KEYS, NOW)


def test_signer_must_be_the_keys_person():
    """A trusted key cannot sign in another person's name."""
    private, public = generate_key("Dr Kim", ("consent",))
    with pytest.raises(NotAuthorised, match="signer"):
        verify(
            token(private={**private, "person": "Dr Lee"}),
            "consent",
            TrustedKeys(keys=(public,)),
            NOW,
        )


def test_roles_do_not_mix():
    """A consent is not an approval: by the header, by the claim and by what the key may sign."""
    private, public = generate_key("Dr Kim", ("consent", "approval"))
    keys = TrustedKeys(keys=(public,))
    with pytest.raises(NotAuthorised, match="typ"):
        verify(token(private=private), "approval", keys, NOW)
    header, claims = parts(token(private=private))
    key = OKPKey.import_key(dict(public.public_jwk, d=private["d"]))
    relabelled = forged({**header, "typ": "encounter-approval+jws"}, claims, key, "EdDSA")
    with pytest.raises(NotAuthorised, match="role"):
        verify(relabelled, "approval", keys, NOW)
    with pytest.raises(NotAuthorised, match="may not sign"):
        verify(token({**PRIVATE, "roles": "approval"}, role="approval"), "approval", KEYS, NOW)


def test_a_key_of_the_wrong_role_does_not_sign():
    """A consent's key says at once that it may not sign an approval, not only when the case is
    filed.
    """
    with pytest.raises(BadInput, match="may sign consent only"):
        token(role="approval")


def test_times():
    """Valid from nbf (inclusive) to exp (exclusive); a token from the future is not yet valid."""
    late = token(not_before=NOW + timedelta(hours=1))
    with pytest.raises(NotAuthorised, match="not yet"):
        verify(late, "consent", KEYS, NOW)
    assert verify(late, "consent", KEYS, NOW + timedelta(hours=1))
    with pytest.raises(NotAuthorised, match="not yet"):
        verify(
            token(not_before=NOW - timedelta(days=1)), "consent", KEYS, NOW - timedelta(seconds=1)
        )
    brief = token(expires_utc=NOW + timedelta(minutes=1))
    assert verify(brief, "consent", KEYS, NOW + timedelta(seconds=59))
    with pytest.raises(NotAuthorised, match="expired"):
        verify(brief, "consent", KEYS, NOW + timedelta(seconds=60))


def test_revoked():
    """From the revocation on nothing the key signed counts; before it, everything does."""
    keys = TrustedKeys(keys=(PUBLIC.model_copy(update={"revoked_utc": NOW + timedelta(hours=2)}),))
    assert verify(token(), "consent", keys, NOW + timedelta(hours=1))
    with pytest.raises(NotAuthorised, match="revoked"):
        verify(token(), "consent", keys, NOW + timedelta(hours=2))
    backdated = token(
        now=NOW + timedelta(hours=3), not_before=NOW, expires_utc=NOW + timedelta(days=1)
    )
    with pytest.raises(NotAuthorised, match="revoked"):
        verify(backdated, "consent", keys, NOW + timedelta(hours=1))


def test_refusals_do_not_echo():
    """No refusal repeats the subject, the token or a claim, whatever is wrong with it."""
    header, claims = parts(token())
    key = OKPKey.import_key({k: PRIVATE[k] for k in ("kty", "crv", "x", "d")})
    broken = {
        **claims,
        "encounter": {**claims["encounter"], "scopes": [SECRET_WORD], "from": SECRET_WORD},
    }
    for text in (
        forged(header, broken, key, "EdDSA"),
        token()[:-3],
        token(expires_utc=NOW + timedelta(seconds=1)),
    ):
        with pytest.raises(NotAuthorised) as error:
            verify(text, "consent", KEYS, NOW + timedelta(days=1))
        assert SECRET_WORD not in str(error.value)
        assert text[:20] not in str(error.value)
        assert "\n" not in str(error.value)


def test_trusted_keys_are_checked():
    """A private key, a wrong id, a key listed twice, another curve and noise are refused with what
    to do.
    """
    good = PUBLIC.model_dump(mode="json")
    with pytest.raises(BadInput, match="private"):
        read_trusted_keys(
            json.dumps({"keys": [{**good, "public_jwk": {**good["public_jwk"], "d": "x"}}]})
        )
    with pytest.raises(BadInput, match="thumbprint"):
        read_trusted_keys(json.dumps({"keys": [{**good, "key_id": "mine"}]}))
    with pytest.raises(BadInput, match="twice"):
        read_trusted_keys(json.dumps({"keys": [good, {**good, "person": "Dr Lee"}]}))
    with pytest.raises(BadInput, match="Ed25519"):
        read_trusted_keys(
            json.dumps(
                {"keys": [{**good, "public_jwk": {"kty": "OKP", "crv": "X25519", "x": "AA"}}]}
            )
        )
    with pytest.raises(BadInput):
        read_trusted_keys("nonsense")
    assert read_trusted_keys(KEYS.model_dump_json()) == KEYS


def test_the_docs_name_every_claim():
    """docs/consent.md names each header value and claim that a token carries, and its example keys
    can be read.
    """
    text = (Path(__file__).parents[3] / "docs" / "consent.md").read_text(encoding="utf-8")
    header, claims = parts(
        token(role="approval", private=generate_key("Officer", ("approval",))[0])
    )
    assert header["typ"] in text
    ours = {f"encounter.{name}" for name in claims.pop("encounter")} | {"encounter.area"}
    assert [name for name in (ours | set(claims) | set(header)) if f"`{name}`" not in text] == []
    assert read_trusted_keys(text.split("```json\n")[-1].split("```")[0]).keys[0].person == "Dr Kim"
