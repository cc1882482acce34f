"""Who may change the list of trusted keys, and how: signed by the root or by two administrators,
only ever added to, revocation final.

The root is one key whose public half every installation has in its settings, outside the store.
It signs the first version, and every version while the list names fewer than two administrators.
Where it names two, each change takes two of them, and one that adds an administrator the root as
well. The root alone may still revoke: a lost administrator's key does not stop the list for ever.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from data_contracts.authorisation import TrustedKey
from data_contracts.errors import BadInput, NotAuthorised
from data_contracts.key_list import KEY_LIST_TYPE, KeyList, SignedKeyList
from data_contracts.signature import ALGORITHM, PublicKey
from tasks.consent.jws import PUBLIC_MEMBERS, ed25519_key, verify_signed
from tasks.consent.person_name import folded


def root_key(x: str) -> PublicKey:
    """The root's public key from its 43 characters (the JWK's `x`). Raises BadInput."""
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": x}
    try:
        return PublicKey(key_id=ed25519_key(jwk).thumbprint(), public_jwk=jwk)
    except (ValueError, KeyError, TypeError, JoseError):
        raise BadInput("root: expected the x of an Ed25519 key, 43 characters") from None


def next_version(before: KeyList | None, keys: Sequence[TrustedKey], now: datetime) -> KeyList:
    """The version after `before` (None: the first) with these keys, not signed yet."""
    if before is None:
        return KeyList(number=1, made_utc=now, keys=tuple(keys))
    return KeyList(
        number=before.number + 1,
        previous=before.digest,
        made_utc=max(now, before.made_utc),
        keys=tuple(keys),
    )


def add_signature(signed: SignedKeyList, private_jwk: dict[str, str]) -> SignedKeyList:
    """The same version with one more signature. Raises BadInput where the key cannot sign."""
    try:
        if private_jwk["crv"] != "Ed25519":
            raise ValueError("another curve")
        key = OKPKey.import_key({k: private_jwk[k] for k in (*PUBLIC_MEMBERS, "d")})
    except (KeyError, ValueError, TypeError, JoseError):
        raise BadInput("expected the private Ed25519 key of an administrator or the root") from None
    header = {"alg": ALGORITHM, "typ": KEY_LIST_TYPE, "kid": key.thumbprint()}
    text = json.dumps(_signed_part(signed.version), sort_keys=True).encode()
    made = jws.serialize_compact(header, text, key, algorithms=[ALGORITHM])
    return signed.model_copy(update={"signatures": (*signed.signatures, made)})


def check_version(before: KeyList | None, signed: SignedKeyList, root: PublicKey) -> KeyList:
    """The version, after it was held against the one before it and its signatures. Raises
    NotAuthorised with what is wrong or missing.
    """
    version = signed.version
    _check_place(before, version)
    _check_names(version)
    old = before.keys if before else ()
    _check_only_added(old, version.keys)
    added = version.keys[len(old) :]
    missing = _missing(_administrators(old, version.made_utc), added, signed, root)
    if missing:
        raise NotAuthorised(f"key list {version.number}: {missing}")
    return version


def _check_place(before: KeyList | None, version: KeyList) -> None:
    number, digest = (before.number, before.digest) if before else (0, "0" * 64)
    if (version.number, version.previous) != (number + 1, digest):
        raise NotAuthorised(
            f"key list {version.number}: it does not follow version {number} that is there"
        )
    if before is not None and version.made_utc < before.made_utc:
        raise NotAuthorised(f"key list {version.number}: it says it was made before the last")


def _check_names(version: KeyList) -> None:
    spelt: dict[str, str] = {}
    for key in version.keys:
        looks = folded(key.person)
        if not looks:
            raise NotAuthorised(f"key list {version.number}: a key without a readable name")
        if spelt.setdefault(looks, key.person) != key.person:
            raise NotAuthorised(
                f"key list {version.number}: a name looks like another that is listed: "
                "write it the same for the same person, or add a staff number"
            )
    if len({key.key_id for key in version.keys}) != len(version.keys):
        raise NotAuthorised(f"key list {version.number}: a key is listed twice")


def _check_only_added(old: Sequence[TrustedKey], new: Sequence[TrustedKey]) -> None:
    """Every key stays, in its place, as it was; it may be revoked, and never less than before."""
    for before, after in zip(old, new, strict=False):
        if before.model_copy(update={"revoked_utc": after.revoked_utc}) != after:
            raise NotAuthorised(f"key {before.key_id[:12]}: a listed key may not be changed")
        if before.revoked_utc is not None and (
            after.revoked_utc is None or after.revoked_utc > before.revoked_utc
        ):
            raise NotAuthorised(f"key {before.key_id[:12]}: a revocation is final")
    if len(new) < len(old):
        raise NotAuthorised("keys are left out: a listed key is revoked, it stays in the list")


def _administrators(keys: Sequence[TrustedKey], at: datetime) -> list[TrustedKey]:
    return [
        k
        for k in keys
        if "administrator" in k.roles and (k.revoked_utc is None or at < k.revoked_utc)
    ]


def _missing(
    administrators: Sequence[TrustedKey],
    added: Sequence[TrustedKey],
    signed: SignedKeyList,
    root: PublicKey,
) -> str:
    """Which signatures a version lacks; empty where it has what it needs."""
    by_root = bool(_signers(signed, [root]))
    if len({folded(k.person) for k in administrators}) < 2:
        return "" if by_root else "it must be signed by the root"
    if by_root and not added:
        return ""
    keys = [PublicKey(key_id=k.key_id, public_jwk=k.public_jwk) for k in administrators]
    found = _signers(signed, keys)
    people = {folded(k.person) for k in administrators if k.key_id in found}
    if len(people) < 2:
        return f"it must be signed by two administrators, {len(people)} did"
    if any("administrator" in k.roles for k in added) and not by_root:
        return "it adds an administrator and must be signed by the root as well"
    return ""


def _signers(signed: SignedKeyList, keys: Sequence[PublicKey]) -> set[str]:
    """Ids of those keys that signed this very version."""
    found = set()
    for signature in signed.signatures:
        for key in keys:
            try:
                value = verify_signed(signature, KEY_LIST_TYPE, (key,))
            except NotAuthorised:
                continue
            if value == _signed_part(signed.version):
                found.add(key.key_id)
    return found


def _signed_part(version: KeyList) -> dict[str, object]:
    return {"number": version.number, "digest": version.digest}
