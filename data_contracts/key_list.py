"""The list of trusted keys as it is signed: each version holds the number and the digest of the one
before it.
"""

from __future__ import annotations

import hashlib

from pydantic import Field

from data_contracts.audit import GENESIS, Hash, canonical
from data_contracts.authorisation import TrustedKey, TrustedKeys
from data_contracts.record import Record
from data_contracts.time import Utc

# The header's `typ` of a signature over a version of the list.
KEY_LIST_TYPE = "encounter-key-list+jws"


class KeyList(Record):
    """One version. `previous` is the digest of the version before it (64 zeros for the first)."""

    number: int = Field(ge=1)
    previous: Hash = GENESIS
    made_utc: Utc
    keys: tuple[TrustedKey, ...] = Field(max_length=10_000)

    @property
    def digest(self) -> str:
        """SHA-256 over the canonical bytes, in hex."""
        return hashlib.sha256(canonical(self)).hexdigest()

    @property
    def trusted(self) -> TrustedKeys:
        """The keys, to check tokens with."""
        return TrustedKeys(keys=self.keys)


class SignedKeyList(Record):
    """A version with its signatures: JWS in compact form over its number and digest."""

    version: KeyList
    signatures: tuple[str, ...] = Field(default=(), max_length=16)
