"""Filing a case: checked at the door, stored under its own key, started once."""

from __future__ import annotations

from dataclasses import dataclass

from data_contracts import object_key
from data_contracts.case import CaseRequest
from data_contracts.errors import BadInput, StackError
from data_contracts.policies import load_policy
from data_contracts.time import now_utc
from flows.cases.attempt import attempt
from flows.runtime.audit import audit, refusals_written
from flows.runtime.environment import Environment, site, trusted_keys
from flows.runtime.prefect_api import start_trace
from infra.token_list import id_of
from models.registry import Models
from tasks.consent.authorise import authorise
from tasks.consent.binding import check_pictures
from tasks.observe.template import check_one_person


@dataclass(frozen=True)
class Papers:
    """Everything that intake hands over for a case."""

    request: CaseRequest
    consent: str
    approval: str
    references: dict[str, bytes]


def store_case(env: Environment, papers: Papers, loaded: Models | None = None) -> None:
    """Check and store a case. The request is written last: its presence says that the case is
    filed.

    Raises NotAuthorised or BadInput before anything is stored; a refusal, and the authorisation, go
    to the audit log. From here on the two tokens are used: they cannot be filed again. With models
    (`loaded`) the pictures are checked to show one person; without, the run does it first.
    """
    request = papers.request
    policy = load_policy(request.policy)
    cameras = site(env)
    if set(papers.references) != set(request.reference_images) or not papers.references:
        raise BadInput("a case needs its reference pictures, at least one")
    begun = env.cases.open(request.case_id) if env.cases.has_key(request.case_id) else None
    with refusals_written(env, request.case_id):
        authorised = authorise(
            request,
            papers.consent,
            papers.approval,
            trusted_keys(env),
            now_utc(),
            standing=lambda grant: env.tokens.before_filing(id_of(grant), begun),
            most=env.settings.grants,
            site=cameras,
        )
        for grant in (authorised.consent, authorised.approval):
            check_pictures(grant, papers.references)
    if loaded is not None and "face" in authorised.scopes:
        check_one_person(authorised, papers.references, loaded)
    if begun is not None and begun.exists(object_key.request(request.case_id)):
        raise BadInput(
            f"case {request.case_id} is filed already; run it again with: encounter case run "
            f"{request.case_id}"
        )
    audit(
        env, "authorise", case=authorised, role="intake", policy=f"{policy.name}@{policy.version}"
    )
    vault = env.cases.create_key(request.case_id)
    with refusals_written(env, request.case_id):
        for grant in (authorised.consent, authorised.approval):
            env.tokens.take(id_of(grant), vault)
    for name, data in papers.references.items():
        vault.put(object_key.reference(request.case_id, name), data)
    vault.put(object_key.consent(request.case_id), papers.consent.encode())
    vault.put(object_key.approval(request.case_id), papers.approval.encode())
    vault.put(object_key.request(request.case_id), request.model_dump_json().encode())


def file_case(env: Environment, papers: Papers, loaded: Models | None = None) -> str | None:
    """Store a case and start its run; returns the flow run's id, or None where the server is down
    (reconcile starts it).
    """
    store_case(env, papers, loaded)
    try:
        return str(start_trace(papers.request.case_id))
    except StackError:
        return None


def filed_cases(env: Environment) -> list[str]:
    """Ids of all cases that are filed and have a key; and those of which the store does not tell
    it, so that whoever opens them meets the fault.
    """
    return [
        case_id
        for case_id in env.cases.case_ids()
        if attempt(lambda case_id=case_id: _is_filed(env, case_id), True)  # type: ignore[misc]
    ]


def _is_filed(env: Environment, case_id: str) -> bool:
    request = object_key.request(case_id)
    return env.cases.has_key(case_id) and env.store.exists(object_key.CASES, request)
