"""Cases with throw-away keys, for the demo and the benchmarks: signed now, the private keys kept
nowhere.
"""

from __future__ import annotations

from datetime import timedelta

from data_contracts import object_key
from data_contracts.authorisation import Role, TrustedKey, TrustedKeys
from data_contracts.case import CaseRequest, Visit
from data_contracts.time import now_utc
from flows.cases.filing import Papers
from flows.cases.site_files import publish_site_file
from flows.runtime.environment import Environment, trusted_keys
from tasks.consent.binding import bind_request
from tasks.consent.grant_token import generate_key, sign_grant

_MARGIN = timedelta(days=1)
_PERSON = "throw-away"


def papers(
    env: Environment,
    case_id: str,
    visits: tuple[Visit, ...],
    references: dict[str, bytes],
    policy: str,
    basis: str,
    expires: timedelta = _MARGIN,
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
    trusted: list[TrustedKey] = []
    for role in ("consent", "approval"):
        private, public = generate_key(f"{_PERSON} {role} signer", (role,))
        trusted.append(public)
        tokens[role] = sign_grant(
            private,
            role,
            case_id=case_id,
            subject=request.subject,
            scopes=("face", "appearance"),
            cameras=("*",),
            from_utc=first - _MARGIN,
            to_utc=last + _MARGIN,
            legal_basis=basis,
            expires_utc=now + expires,
            now=now,
            binding=bind_request(request, references),
            limits=env.settings.grants if role == "approval" else None,
        )
    _trust(env, trusted)
    return Papers(request, tokens["consent"], tokens["approval"], references)


def is_throwaway(key: TrustedKey) -> bool:
    """Whether a key was made here, for a demo or a benchmark: nobody has its private half."""
    return key.person.startswith(f"{_PERSON} ")


def known_keys(env: Environment) -> tuple[TrustedKey, ...]:
    """The keys that the store trusts; none where none were published."""
    if not env.store.exists(object_key.SITE, object_key.TRUSTED_KEYS):
        return ()
    return trusted_keys(env).keys


def _trust(env: Environment, new: list[TrustedKey]) -> None:
    data = TrustedKeys(keys=(*known_keys(env), *new)).model_dump_json(indent=1).encode()
    publish_site_file(env, object_key.TRUSTED_KEYS, data, "application/json")
