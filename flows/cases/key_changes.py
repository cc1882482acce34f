"""Changing the list of trusted keys: a version is proposed, signed by who must, audited and stored
under lock.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from data_contracts import object_key
from data_contracts.authorisation import TrustedKey
from data_contracts.errors import BadInput
from data_contracts.key_list import KeyList, SignedKeyList
from data_contracts.time import now_utc
from flows.runtime.audit import audit
from flows.runtime.environment import Environment
from flows.runtime.key_list import pinned_root, present_list, store_list
from infra.settings import Settings
from infra.stack_record import read_private, replace_private
from tasks.consent.grant_token import generate_key
from tasks.consent.key_list import add_signature, check_version, next_version

PrivateKey = dict[str, str]


def listed_keys(env: Environment) -> tuple[TrustedKey, ...]:
    """The keys of the present list; none where there is no list yet."""
    found = present_list(env.store, env.settings)
    return found.keys if found else ()


def with_added(old: Sequence[TrustedKey], new: Iterable[TrustedKey]) -> tuple[TrustedKey, ...]:
    """The list with new keys behind it; a key that is listed already stays as it is."""
    known = {key.key_id for key in old}
    return (*old, *(key for key in new if key.key_id not in known))


def proposal(
    env: Environment, keys: Sequence[TrustedKey], signers: Iterable[PrivateKey]
) -> SignedKeyList:
    """A version with these keys, signed by these signers."""
    before = present_list(env.store, env.settings)
    signed = SignedKeyList(version=next_version(before, keys, now_utc()))
    for private in signers:
        signed = add_signature(signed, private)
    return signed


def publish_list(env: Environment, signed: SignedKeyList) -> KeyList:
    """Check, write to the audit log, store. Raises NotAuthorised with which signature is missing or
    what may not be changed.
    """
    before = present_list(env.store, env.settings)
    version = check_version(before, signed, pinned_root(env.settings))
    what = (object_key.key_list(version.number), f"sha256:{version.digest}")
    audit(env, "configure", role="administrator", objects=what)
    return store_list(env.store, env.settings, signed, locked=env.audit_log.locked)


def new_root(settings: Settings) -> PrivateKey:
    """A root: its public half is pinned in this home, the private one is returned, to be kept
    offline. Raises BadInput where one is pinned already.
    """
    path = settings.paths.root_file
    if settings.keys.root_public is not None or path.exists():
        raise BadInput(
            "a root is pinned already (keys.root_public or keys/root.pub in the home): a new one "
            "would trust none of the keys that are listed"
        )
    private, _ = generate_key("root", ("administrator",))
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    replace_private(path, private["x"] + "\n")
    return private


def demo_root(settings: Settings) -> PrivateKey | None:
    """The root of a home that plays all roles itself, or None where it does not."""
    path = settings.paths.demo_root_file
    return json.loads(read_private(path, "demo root")) if path.exists() else None


def ensure_demo_root(settings: Settings) -> PrivateKey:
    """The demo root; made where nothing is pinned yet. Raises BadInput in a home with a root of its
    own: throw-away keys never join a configured installation.
    """
    found = demo_root(settings)
    if found is None:
        found = new_root(settings)
        replace_private(settings.paths.demo_root_file, json.dumps(found) + "\n")
    return found
