"""A case opened for a stage: its papers read and authorised anew, every time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

from data_contracts import object_key
from data_contracts.authorisation import AuthorisedCase
from data_contracts.camera import Site
from data_contracts.case import CaseRequest
from data_contracts.errors import CaseStopped, KeyMissing, NotAuthorised, NotFound
from data_contracts.policies import load_policy
from data_contracts.policy import Policy
from data_contracts.time import now_utc
from flows.runtime.audit import failures_written, refusals_written
from flows.runtime.environment import Environment, environment, site, trusted_keys
from infra.case_store import CaseVault
from infra.token_list import id_of
from tasks.consent.authorise import authorise


@dataclass(frozen=True)
class OpenCase:
    """A case whose authorisation was checked a moment ago, with what its stages read."""

    authorised: AuthorisedCase
    vault: CaseVault
    site: Site
    policy: Policy

    @property
    def request(self) -> CaseRequest:
        """What was filed."""
        return self.authorised.request

    @cached_property
    def references(self) -> dict[str, bytes]:
        """The reference pictures by name, read when they are first asked for."""
        # Imported here: most commands open a case and decode no picture.
        from tasks.footage.picture import MAX_BYTES

        keys = {
            n: object_key.reference(self.vault.case_id, n) for n in self.request.reference_images
        }
        return {name: self.vault.get(key, MAX_BYTES) for name, key in keys.items()}


def open_case(case_id: str, env: Environment | None = None, policy: str | None = None) -> OpenCase:
    """Read the case's papers and authorise it now. Called at the start of every stage and every
    Dask task.

    Raises NotAuthorised (also when withdrawn; written to the audit log), NotFound, KeyMissing.
    """
    env = env or environment()
    vault = env.cases.open(case_id)
    request = read_request(vault)
    cameras = site(env)
    with refusals_written(env, case_id):
        authorised = authorise(
            request,
            _paper_text(vault, object_key.consent(case_id)),
            _paper_text(vault, object_key.approval(case_id)),
            trusted_keys(env),
            now_utc(),
            standing=lambda grant: env.tokens.standing(id_of(grant), vault),
            most=env.settings.grants,
            site=cameras,
        )
    return OpenCase(authorised, vault, cameras, load_policy(policy or request.policy))


@contextmanager
def stopping_when_unauthorised(case_id: str) -> Iterator[None]:
    """Turns a refusal in the middle of a case's run into CaseStopped, so that the run ends and says
    why.

    The refusal, and the end of a run that failed, are written to the audit log.
    """
    env = environment()
    try:
        with failures_written(env, case_id), refusals_written(env, case_id):
            yield
    except (NotAuthorised, KeyMissing) as refusal:
        raise CaseStopped(f"stopped: {refusal}") from refusal


def read_request(vault: CaseVault) -> CaseRequest:
    """The filed request. Raises NotFound with what to do when no such case was filed, BadInput
    where it is damaged.
    """
    key = object_key.request(vault.case_id)
    try:
        return CaseRequest.stored(vault.get(key), key)
    except NotFound as error:
        raise NotFound(
            f"no case {vault.case_id} was filed; file it with: encounter case file ..."
        ) from error


def _paper_text(vault: CaseVault, key: str) -> str | None:
    try:
        return vault.get(key).decode()
    except NotFound:
        return None
