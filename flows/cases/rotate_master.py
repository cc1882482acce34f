"""A new master key in the place of the old: every case's key is wrapped anew, then the old key is
destroyed.

Can be stopped anywhere and run again: while there are two keys both unwrap, and a rotation that
finds two goes on with it. Cases that run meanwhile go on.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from data_contracts.errors import KeyMissing
from flows.runtime.audit import audit
from flows.runtime.environment import Environment
from infra.case_store import CaseStore


class Holdings(NamedTuple):
    """How many cases lie under each master key, by its id, and which cannot be told (damaged)."""

    cases: Counter[str]
    unreadable: tuple[str, ...]


class Rotation(NamedTuple):
    """What a rotation did. `kept`: older keys that are still there, with the cases under each."""

    key_id: str
    wrapped_anew: int
    destroyed: tuple[str, ...]
    kept: dict[str, int]
    unreadable: tuple[str, ...]


def holdings(cases: CaseStore) -> Holdings:
    """A listing of all cases by the master key that wraps them."""
    under: Counter[str] = Counter()
    unreadable = []
    for case_id in cases.case_ids():
        try:
            found = cases.master_key_id(case_id)
        except KeyMissing:
            unreadable.append(case_id)
            continue
        if found is not None:
            under[found] += 1
    return Holdings(under, tuple(unreadable))


def rotate_master(env: Environment) -> Rotation:
    """Wrap every case's key with a new master key and destroy the old one, or go on with a rotation
    that was broken off.

    An old key is destroyed only when a listing of all cases shows none under it and none that
    cannot be told, and the list of tokens opens without it. Raises BadInput where a person makes
    the keys and has not made the new one.
    """
    keys = env.cases.keys
    if len(keys.read()) == 1:
        audit(env, "configure", reason="rotation of the master key begins", objects=_key_names(env))
        keys.add()
    newest, *older = keys.read()
    wrapped = sum(_wrapped_anew(env.cases, case_id) for case_id in env.cases.case_ids())
    env.tokens.wrap_anew()
    left = holdings(env.cases)
    told = not left.unreadable and env.tokens.is_carried_over()
    free = [k.key_id for k in older if told and not left.cases[k.key_id]]
    audit(
        env,
        "configure",
        reason="the keys of all cases are wrapped by the newest master key"
        if len(free) == len(older)
        else "rotation of the master key is not at its end",
        objects=_key_names(env),
        counts={"wrapped anew": wrapped, "old keys destroyed": 0 if keys.by_hand else len(free)},
    )
    destroyed = () if keys.by_hand else tuple(free)
    for key_id in destroyed:
        keys.destroy(key_id)
    kept = {k.key_id: left.cases[k.key_id] for k in older if k.key_id not in destroyed}
    return Rotation(newest.key_id, wrapped, destroyed, kept, left.unreadable)


def _wrapped_anew(cases: CaseStore, case_id: str) -> bool:
    try:
        return cases.wrap_anew(case_id)
    except KeyMissing:
        return False  # without a key, or told by the listing


def _key_names(env: Environment) -> tuple[str, ...]:
    return tuple(f"master-key:{key.key_id}" for key in env.cases.keys.read())
