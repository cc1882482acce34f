"""What a stage needs from outside: settings, object store, keys, and the case's own papers, checked every time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

from data_contracts import object_key
from data_contracts.authorisation import AuthorisedCase, TrustedKeys
from data_contracts.camera import Site, read_site
from data_contracts.case import CaseRequest
from data_contracts.errors import BadInput, CaseStopped, KeyMissing, NotAuthorised, NotFound
from data_contracts.policies import load_policy
from data_contracts.policy import Policy
from data_contracts.time import now_utc
from flows.audit import audit, failures_written, refusals_written
from infra.audit_log import AuditLog, open_audit_log
from infra.case_store import CaseStore, CaseVault
from infra.crypto import load_master_key
from infra.settings import Settings, load_settings
from infra.store import ObjectStore
from models.registry import Models, ModelSettings
from models.registry import load as load_models
from tasks.authorise import authorise
from tasks.token import read_trusted_keys


@dataclass(frozen=True)
class Environment:
    """The outside, opened once per process."""

    settings: Settings
    store: ObjectStore
    cases: CaseStore
    audit_log: AuditLog


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Settings, store and master key of this process. Raises BadInput or StoreError in one line."""
    settings = load_settings()
    store = ObjectStore(settings.s3)
    return Environment(settings, store, CaseStore(store, load_master_key(settings)), open_audit_log(store, settings))


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


def open_case(case_id: str, env: Environment | None = None, policy: str | None = None) -> OpenCase:
    """Read the case's papers and authorise it now. Called at the start of every stage and every Dask task.

    Raises NotAuthorised (also when withdrawn; written to the audit log), NotFound, KeyMissing.
    """
    env = env or environment()
    vault = env.cases.open(case_id)
    request, cameras = read_request(vault), site(env)
    with refusals_written(env, case_id):
        authorised = authorise(
            request,
            _text(vault, object_key.consent(case_id)),
            _text(vault, object_key.approval(case_id)),
            trusted_keys(env),
            now_utc(),
            withdrawn=vault.exists(object_key.withdrawal(case_id)),
            site=cameras,
        )
    return OpenCase(authorised, vault, cameras, load_policy(policy or request.policy))


@contextmanager
def stopping_when_unauthorised(case_id: str) -> Iterator[None]:
    """Turns a refusal in the middle of a case's run into CaseStopped, so that the run ends and says why.

    The refusal, and the end of a run that failed, are written to the audit log.
    """
    env = environment()
    try:
        with failures_written(env, case_id), refusals_written(env, case_id):
            yield
    except (NotAuthorised, KeyMissing) as refusal:
        raise CaseStopped(f"stopped: {refusal}") from refusal


def read_request(vault: CaseVault) -> CaseRequest:
    """The filed request. Raises NotFound with what to do when no such case was filed."""
    try:
        return CaseRequest.model_validate_json(vault.get(object_key.request(vault.case_id)))
    except NotFound as error:
        raise NotFound(f"no case {vault.case_id} was filed; file it with: encounter case file ...") from error


def _text(vault: CaseVault, key: str) -> str | None:
    try:
        return vault.get(key).decode()
    except NotFound:
        return None


def trusted_keys(env: Environment) -> TrustedKeys:
    """The administrator's public keys from the site bucket."""
    try:
        return read_trusted_keys(env.store.get(object_key.SITE, object_key.TRUSTED_KEYS).decode())
    except NotFound as error:
        raise BadInput("no trusted keys on this site: publish them with `encounter keys publish FILE`") from error


def site(env: Environment) -> Site:
    """The camera file from the site bucket."""
    try:
        return read_site(env.store.get(object_key.SITE, object_key.CAMERAS))
    except NotFound as error:
        raise BadInput("no cameras on this site: publish them with `encounter site publish cameras.geojson`") from error


def publish_site_file(env: Environment, key: str, data: bytes, content_type: str) -> None:
    """Replace the trusted keys or the camera file, after the audit log has who did it and the new content's digest."""
    what = (key, f"sha256:{hashlib.sha256(data).hexdigest()}")
    audit(env, "configure", role="administrator", objects=what)
    env.store.put(object_key.SITE, key, data, content_type)


def models(env: Environment) -> Models:
    """The models of this process, loaded once. Raises ModelUnavailable with what to do."""
    return load_models(model_settings(env.settings))


def model_settings(settings: Settings) -> ModelSettings:
    """The part of the settings that the models layer reads."""
    given = settings.models.model_dump(exclude_none=True, exclude={"dir"})
    return ModelSettings(**given, **({"cache": settings.models.dir} if settings.models.dir else {}))
