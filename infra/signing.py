"""The installation's signing key: Ed25519, made at the first `encounter up`, kept beside the master
key.

It signs checkpoints of the audit log and receipts of deletions, so that whoever has the public half
can check both without trusting the store they lie in. The private file never leaves the machine;
other processes work without it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import warnings
from collections.abc import Mapping
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from data_contracts import object_key
from data_contracts.errors import BadInput, KeyMissing, NotFound
from data_contracts.signature import ALGORITHM, PublicKey, PublicKeys
from infra.settings import Settings
from infra.stack_record import read_private, replace_private
from infra.store import ObjectStore

# Some hundred public keys; a longer list is not one.
_PUBLIC_KEYS_BYTES = 100_000

# RFC 9864 renames the algorithm to "Ed25519"; readers in use still expect "EdDSA".
warnings.filterwarnings("ignore", message="EdDSA is deprecated")


class InstallationKey:
    """Signs for this installation, and makes pseudonyms that only it can make again."""

    def __init__(self, key: OKPKey) -> None:
        full = key.as_dict(private=True)
        self._key = key
        self._seed = str(full["d"]).encode()
        self.public = PublicKey(
            key_id=key.thumbprint(),
            public_jwk={name: str(full[name]) for name in ("kty", "crv", "x")},
        )

    def __repr__(self) -> str:
        return f"InstallationKey({self.public.key_id})"

    def sign(self, typ: str, payload: Mapping[str, Any]) -> str:
        """A JWS in compact form over the payload as JSON; `typ` tells kinds of documents apart."""
        header = {"alg": ALGORITHM, "typ": typ, "kid": self.public.key_id}
        text = json.dumps(payload, sort_keys=True, separators=(",", ":"))
        return jws.serialize_compact(header, text.encode(), self._key, algorithms=[ALGORITHM])

    def pseudonym(self, name: str) -> str:
        """16 hex digits for a name: always the same here, and not to be guessed without the private
        key.
        """
        secret = hashlib.sha256(b"encounter pseudonyms\0" + self._seed).digest()
        return hmac.new(secret, name.encode(), hashlib.sha256).hexdigest()[:16]


def load_signing_key(settings: Settings) -> InstallationKey:
    """The key from its file. Raises KeyMissing where there is none, BadInput where others can read
    it or it is not a key.
    """
    path = settings.signing_key_file
    text = read_private(path, "signing key")
    try:
        value = json.loads(text)
        if value["crv"] != "Ed25519" or "d" not in value:
            raise ValueError("another curve, or only the public half")
        return InstallationKey(
            OKPKey.import_key({name: value[name] for name in ("kty", "crv", "x", "d")})
        )
    except (ValueError, KeyError, TypeError, RecursionError, JoseError):
        raise BadInput(
            f"{path}: expected a private Ed25519 key as a JWK (kty OKP, crv, x, d)"
        ) from None


def find_signing_key(settings: Settings) -> InstallationKey | None:
    """The key, or None where this process has none (a worker on another machine)."""
    try:
        return load_signing_key(settings)
    except KeyMissing:
        return None


def ensure_signing_key(settings: Settings) -> InstallationKey:
    """Load the key; make its file (mode 0600) where there is none yet."""
    path = settings.signing_key_file
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        replace_private(
            path, json.dumps(OKPKey.generate_key("Ed25519").as_dict(private=True)) + "\n"
        )
    return load_signing_key(settings)


def published_keys(store: ObjectStore) -> bytes:
    """The site's list of installation keys, which whoever may write to the bucket can replace.
    Raises NotFound, and BadInput where it is too long to be one.
    """
    return store.get(object_key.SITE, object_key.INSTALLATION_KEYS, at_most=_PUBLIC_KEYS_BYTES)


def publish_public_key(store: ObjectStore, key: InstallationKey) -> None:
    """Add the public half to the site's list of installation keys, unless it is there. Earlier keys
    stay in it; what lies there and is not a list is replaced.
    """
    try:
        known = PublicKeys.stored(published_keys(store), object_key.INSTALLATION_KEYS).keys
    except (NotFound, BadInput):
        known = ()
    if known and known[-1].key_id == key.public.key_id:
        return
    keys = PublicKeys(keys=(*(k for k in known if k.key_id != key.public.key_id), key.public))
    store.put(
        object_key.SITE,
        object_key.INSTALLATION_KEYS,
        keys.model_dump_json(indent=1).encode(),
        "application/json",
    )
