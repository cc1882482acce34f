"""Cases with throw-away keys, for the demo and the benchmarks: signed now, the private keys kept
nowhere but in this process. The home plays all roles: subject, officer, administrator and root.
"""

from __future__ import annotations

from datetime import timedelta

from data_contracts.authorisation import Role, TrustedKey
from data_contracts.case import CaseRequest, Scope, Visit
from data_contracts.time import now_utc
from flows.cases.filing import Papers
from flows.cases.key_changes import (
    PrivateKey,
    ensure_demo_root,
    listed_keys,
    proposal,
    publish_list,
    with_added,
)
from flows.runtime.environment import Environment
from tasks.consent.binding import bind_request
from tasks.consent.grant_token import GrantDraft, generate_key, sign_grant

_MARGIN = timedelta(days=1)
_PERSON_PREFIX = "throw-away"
_SIGNER_ROLES: tuple[Role, ...] = ("consent", "approval")
_made_keys: dict[tuple[str, str], dict[Role, PrivateKey]] = {}


def papers(
    env: Environment,
    case_id: str,
    visits: tuple[Visit, ...],
    references: dict[str, bytes],
    policy: str,
    basis: str,
    expires: timedelta = _MARGIN,
    scopes: tuple[Scope, ...] = ("face", "appearance"),
) -> Papers:
    """A request with consent and approval by two made-up people, whose public keys join the site's
    trusted keys.

    Everything that the visits name is granted, a day around them, on all cameras; tokens expire
    after `expires`.
    """
    first = min(v.from_utc for v in visits)
    last = max(v.to_utc for v in visits)
    request = CaseRequest(
        case_id=case_id,
        subject="subject-1",
        onset_utc=first + _MARGIN,
        itinerary=visits,
        policy=policy,
        reference_images=tuple(sorted(references)),
        filed_utc=now_utc(),
    )
    now = now_utc() - timedelta(seconds=1)
    tokens: dict[Role, str] = {}
    for role, private in _throwaway_signers(env).items():
        draft = GrantDraft(
            role=role,
            case_id=case_id,
            subject=request.subject,
            scopes=scopes,
            cameras=("*",),
            from_utc=first - _MARGIN,
            to_utc=last + _MARGIN,
            legal_basis=basis,
            expires_utc=now + expires,
            binding=bind_request(request, references),
            limits=env.settings.grants if role == "approval" else None,
        )
        tokens[role] = sign_grant(private, draft, now)
    return Papers(request, tokens["consent"], tokens["approval"], references)


def is_throwaway(key: TrustedKey) -> bool:
    """Whether a key was made here, for a demo or a benchmark: nobody has its private half."""
    return key.person.startswith(f"{_PERSON_PREFIX} ")


def _throwaway_signers(env: Environment) -> dict[Role, PrivateKey]:
    """Private keys of two made-up people whom the store trusts: made once a process, and again when
    one was revoked. The home plays the root itself: see `ensure_demo_root`.
    """
    at = (env.store.endpoint, env.settings.s3.bucket_prefix)
    root = ensure_demo_root(env.settings)
    listed = listed_keys(env)
    good = {key.key_id for key in listed if key.revoked_utc is None}
    if at not in _made_keys or not all(
        private["kid"] in good for private in _made_keys[at].values()
    ):
        new = {
            role: generate_key(f"{_PERSON_PREFIX} {role} signer", (role,)) for role in _SIGNER_ROLES
        }
        keys = with_added(listed, [public for _, public in new.values()])
        publish_list(env, proposal(env, keys, [root]))
        _made_keys[at] = {role: private for role, (private, _) in new.items()}
    return _made_keys[at]
