"""The public half of the installation's key, which signs checkpoints of the audit log and receipts
of deletions.
"""

from __future__ import annotations

from pydantic import Field

from data_contracts.record import Record

ALGORITHM = "EdDSA"


class PublicKey(Record):
    """An Ed25519 public key as a JWK (kty OKP, crv, x). `key_id` is its RFC 7638 thumbprint."""

    key_id: str
    public_jwk: dict[str, str]


class PublicKeys(Record):
    """The keys that this installation has had, the present one last."""

    keys: tuple[PublicKey, ...] = Field(default=())
