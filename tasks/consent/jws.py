"""Reading what the installation's key signed: JWS compact (RFC 7515), EdDSA over Ed25519 (RFC
8037). Needs no network.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from pydantic import ValidationError

from data_contracts.errors import BadInput, NotAuthorised
from data_contracts.signature import ALGORITHM, PublicKey, PublicKeys

PUBLIC_MEMBERS = ("kty", "crv", "x")

warnings.filterwarnings("ignore", message="EdDSA is deprecated")


def read_public_keys(text: str | bytes) -> tuple[PublicKey, ...]:
    """Public keys from JSON: one key or `{"keys": [...]}`.

    Raises BadInput for a private key, another curve, or a key id that is not the key's thumbprint.
    """
    try:
        value = json.loads(text)
        keys = PublicKeys.model_validate(value if "keys" in value else {"keys": [value]}).keys
    except (ValueError, TypeError, RecursionError, ValidationError):
        raise BadInput(
            "expected an installation's public key: JSON with key_id and public_jwk (kty, crv, x)"
        ) from None
    for key in keys:
        if "d" in key.public_jwk:
            raise BadInput("this file holds a private key; give the public one")
        try:
            right = ed25519_key(key.public_jwk).thumbprint() == key.key_id
        except (ValueError, JoseError, KeyError, TypeError):
            right = False
        if not right:
            raise BadInput(
                "the public key is not an Ed25519 key, or its key_id is not its RFC 7638 thumbprint"
            )
    return keys


def key_id_of(token: str, typ: str) -> str:
    """The id of the key that a JWS says it was signed with; its header must be that of `typ`.
    Raises NotAuthorised.
    """
    try:
        header = jws.extract_compact(token.encode()).headers()
    except (JoseError, ValueError, TypeError, RecursionError):
        raise NotAuthorised("not a JWS in compact form") from None
    if header.get("alg") != ALGORITHM:
        raise NotAuthorised(f"signed with another algorithm than {ALGORITHM}, or not at all")
    if set(header) != {"alg", "typ", "kid"} or header["typ"] != typ:
        raise NotAuthorised(f"the header must be alg, kid and typ {typ}")
    return str(header["kid"])


def signed_payload(token: str, public_jwk: Mapping[str, str]) -> bytes:
    """What a JWS signs, its signature checked with this key alone. Raises NotAuthorised."""
    try:
        key = ed25519_key(public_jwk)
        return jws.deserialize_compact(token.encode(), key, algorithms=[ALGORITHM]).payload or b""
    except (JoseError, ValueError, TypeError, RecursionError):
        raise NotAuthorised("the signature does not match (altered, or another key)") from None


def verify_signed(token: str, typ: str, keys: Iterable[PublicKey]) -> dict[str, Any]:
    """The payload of a JWS whose type and signature were checked. Raises NotAuthorised with what is
    wrong.
    """
    key_id = key_id_of(token, typ)
    key = next((k for k in keys if k.key_id == key_id), None)
    if key is None:
        raise NotAuthorised("signed by a key that was not given")
    try:
        value = json.loads(signed_payload(token, key.public_jwk))
    except (ValueError, RecursionError):
        raise NotAuthorised("what was signed is not JSON") from None
    if not isinstance(value, dict):
        raise NotAuthorised("what was signed is not a JSON object")
    return value


def ed25519_key(public_jwk: Mapping[str, str]) -> OKPKey:
    """A public key to verify with. Raises ValueError for another curve, KeyError or JoseError where
    it is not such a key.
    """
    if public_jwk.get("crv") != "Ed25519":
        raise ValueError("expected an Ed25519 key")
    return OKPKey.import_key({k: public_jwk[k] for k in PUBLIC_MEMBERS})
